"""Options of a phone, from the command line to the lane, and what a dry run says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import UsageError
from harness.campaign.dry_run import dry_run_text
from harness.campaign.merging import settings_of
from harness.campaign.options import Given
from workloads.profile import load_profile

_VARIANTS = ("off=sysctl:vm.kcompressd=0", "on=sysctl:vm.kcompressd=24")


def test_they_reach_the_lane(tmp_path: Path) -> None:
    asked = settings_of(
        {
            "device": "phone",
            "variants": _VARIANTS,
            "lab": tmp_path / "lab.toml",
            "role": "desk",
            "su": True,
            "reboot_between": True,
            "allow_flash": True,
        }
    )
    assert (asked.lab, asked.role) == (tmp_path / "lab.toml", "desk")
    assert (asked.su, asked.reboot_between, asked.allow_flash) == (True, True, True)


def test_none_of_them_by_default() -> None:
    asked = settings_of({"device": "phone", "variants": _VARIANTS})
    assert (asked.lab, asked.role) == (None, None)
    assert (asked.su, asked.reboot_between, asked.allow_flash) == (False, False, False)


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ({"lab": Path("lab.toml")}, "--lab"),
        ({"role": "desk"}, "--role"),
        ({"su": True}, "--su"),
        ({"reboot_between": True}, "--reboot-between"),
        ({"allow_flash": True}, "--allow-flash"),
    ],
)
def test_a_virtual_device_has_no_use_for_them(line: Given, option: str) -> None:
    with pytest.raises(UsageError, match=f"{option} is for a phone"):
        settings_of(line)


def test_a_dry_run_shows_what_would_be_written(tmp_path: Path) -> None:
    line = {
        "device": "phone",
        "serial": "R5CT",
        "variants": _VARIANTS,
        "pairs": 1,
        "reboot_between": True,
        "suppress": ("animations,rotation", "dexopt"),
        "profile": "eater",
        "workload": "memory-eater",
        "results": tmp_path / "results",
    }
    text = dry_run_text([settings_of(line)])
    sections = sections_of(text)
    assert sections["sent to the phone (--serial R5CT), and put back:"] == [
        "adb reboot, before every block but the first",
        "echo 0 > /proc/sys/vm/kcompressd    # off",
        "echo 24 > /proc/sys/vm/kcompressd    # on",
        "settings put global stay_on_while_plugged_in 15",
        "settings put system screen_off_timeout 2147483647",
        "input keyevent 224 && wm dismiss-keyguard && sleep 1    # screen",
        "settings put system screen_brightness_mode 0",
        "settings put system screen_brightness 100",
        "cmd connectivity airplane-mode enable    # airplane mode",
        "dumpsys deviceidle disable    # device idle",
        "echo never > /sys/kernel/mm/transparent_hugepage/enabled",
        "echo 100 > /proc/sys/vm/swappiness",
        "echo 0 > /proc/sys/vm/page-cluster",
        "swapoff /dev/block/zram0",
        "echo 1 > /sys/block/zram0/reset",
        "echo lzo-rle > /sys/block/zram0/comp_algorithm",
        "echo 268435456 > /sys/block/zram0/disksize",
        "mkswap /dev/block/zram0",
        "swapon /dev/block/zram0",
        "settings delete NAMESPACE KEY    # puts back what was not set",
    ]
    eater = sections["run on the phone by the workload, a warm-up and 2 repetitions a block:"]
    assert eater[0] == "adb push eater /data/local/tmp/reclaim-suite-eater"
    assert eater[-2].startswith("/data/local/tmp/reclaim-suite-eater --mb ")
    assert eater[-1] == "rm -f /data/local/tmp/reclaim-suite-eater"
    assert [title for title in sections if "beside it" in title] == ["run beside it by scenario busy:"]
    assert "neither set nor checked: animations, dexopt, rotation" in text


def test_a_dry_run_shows_what_runs_on_the_phone_for_each_app(tmp_path: Path) -> None:
    line = {
        "device": "phone",
        "variants": _VARIANTS,
        "pairs": 1,
        "reps": 1,
        "su": True,
        "scenarios": ("idle", "rt-busy"),
        "profile": "phone-apps",
        "trace_faults": True,
        "results": tmp_path / "results",
    }
    text = dry_run_text([settings_of(line)])
    sections = sections_of(text)
    work = sections["run on the phone by the workload, a warm-up and 1 repetition a block:"]
    apps = load_profile("phone-apps").apps
    assert [row.partition(":")[0] for row in work[-len(apps) :]] == [app.package for app in apps]
    swipe = "input swipe 0.7WIDTH 0.5HEIGHT 0.3WIDTH 0.4HEIGHT 300    # 4 times, after 1 s each"
    assert f"com.google.android.apps.maps: {swipe}" in work
    assert any("am start -W -n PACKAGE/ACTIVITY 2>&1" in row for row in work)
    burner = "/data/local/tmp/reclaim-suite-burner --all-cpus --fifo 1 --busy-ms 80 --every-ms 100 &"
    assert burner in sections["run beside it by scenario rt-busy:"]
    recorded = sections["recorded by:"]
    assert "Perfetto, where the shell is not root:" in recorded
    probes = [row for row in recorded if row.startswith("echo 'p:") and row.endswith("/kprobe_events")]
    assert probes
    assert "each as root, through the phone's su" in text


def sections_of(text: str) -> dict[str, list[str]]:
    """Title of each section of a phone's dry run -> its lines."""
    found: dict[str, list[str]] = {}
    rows: list[str] = []
    for line in text.splitlines():
        if line.startswith("    "):
            rows.append(line.strip())
        elif line.endswith(":"):
            rows = found.setdefault(line, [])
    return found


def test_a_dry_run_of_a_virtual_device_sends_nothing(tmp_path: Path) -> None:
    assert "sent to" not in dry_run_text([settings_of({"results": tmp_path / "results"})])
