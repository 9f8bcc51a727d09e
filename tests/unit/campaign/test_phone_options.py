"""Options of a phone, from the command line to the lane, and what a dry run says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import UsageError
from harness.campaign.dry_run import dry_run_text
from harness.campaign.merging import settings_of
from harness.campaign.options import Given
from harness.campaign.settings import SCENARIOS
from harness.campaign.workloads import WORKLOADS
from harness.device.preconditions.phone_pins import charge_pins
from workloads.profile import PROFILES, load_profile

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
    given: Given = {
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
    phases = phases_of(dry_run_text([settings_of(given)]))
    assert {phases["0", "boot"][-1], phases["1", "boot"][-1]} == {
        "echo 0 > /proc/sys/vm/kcompressd",
        "echo 24 > /proc/sys/vm/kcompressd",
    }
    assert phases["1", "boot"][:2] == ["echo '<its value>' > /proc/sys/vm/kcompressd", "adb reboot"]
    zram = [
        "swapoff /dev/block/zram0",
        "echo 1 > /sys/block/zram0/reset",
        "echo lz4 > /sys/block/zram0/comp_algorithm",
        "echo 268435456 > /sys/block/zram0/disksize",
        "mkswap /dev/block/zram0",
        "swapon /dev/block/zram0",
    ]
    assert phases["0", "preconditions"] == [
        "settings put global stay_on_while_plugged_in 15",
        "settings put system screen_off_timeout 2147483647",
        "input keyevent 224 && wm dismiss-keyguard && sleep 1",
        "settings put system screen_brightness_mode 0",
        "settings put system screen_brightness 100",
        "cmd connectivity airplane-mode enable",
        "dumpsys deviceidle disable",
        "device_config put activity_manager use_compaction false",
        "settings put global cached_apps_freezer disabled",
        "echo never > /sys/kernel/mm/transparent_hugepage/enabled",
        "echo 100 > /proc/sys/vm/swappiness",
        "echo 0 > /proc/sys/vm/page-cluster",
        *zram,
    ]
    back = phases["0", "check and put back"]
    assert "settings put system screen_brightness '<its value>'" in back
    assert back[-1] == "settings put global stay_on_while_plugged_in '<its value>'"
    assert back.index("cmd connectivity airplane-mode disable") < back.index(
        "input keyevent 223 && sleep 1"
    )
    eater = phases["0", "workload and warm-up"]
    assert eater[0] == "adb push eater /data/local/tmp/reclaim-suite-eater"
    assert [row for row in eater if row in zram] == zram, "made anew before each cycle"
    assert [row for row in eater if row.startswith("/data/local/tmp/reclaim-suite-eater --mb ")]
    files = "/data/local/tmp/reclaim-suite-eater /data/local/tmp/reclaim-suite-eater.jsonl"
    assert f"rm -f {files}" in back


def test_a_dry_run_shows_what_runs_on_the_phone_for_each_app(tmp_path: Path) -> None:
    given: Given = {
        "device": "phone",
        "variants": _VARIANTS,
        "pairs": 1,
        "reps": 1,
        "su": True,
        "scenarios": ("rt-busy",),
        "profile": "phone-apps",
        "trace_faults": True,
        "suppress": ("sync",),
        "results": tmp_path / "results",
    }
    text = dry_run_text([settings_of(given)])
    work = phases_of(text)["0", "repetition"]
    for app in load_profile("phone-apps").apps:
        assert [row for row in work if f"am start -W -n {app.package}/" in row], app.package
    assert [row for row in work if "input swipe 700 500 300 400 300" in row]
    assert "/data/local/tmp/reclaim-suite-burner --all-cpus --fifo 1 --busy-ms 80 --every-ms 100 &" in work
    assert [row for row in work if row.startswith("echo 'p:") and row.endswith("/kprobe_events")]
    # Without root nothing can be probed: then it is Perfetto.
    _, _, without_root = text.partition("  to a phone without a root shell:\n")
    assert without_root.partition("  to a phone")[0].lstrip().startswith("perfetto -c - --txt")
    assert "in this order, as root through its su:" in text
    assert "neither set nor checked: sync" in text


@pytest.mark.parametrize("name", sorted(WORKLOADS))
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_dry_run_runs_to_its_end_and_is_of_one_kind(name: str, scenario: str, tmp_path: Path) -> None:
    given: Given = {
        "device": "phone",
        "variants": _VARIANTS,
        "pairs": 1,
        "scenarios": (scenario,),
        "workload": name,
        "profile": WORKLOADS[name].profile,
        "results": tmp_path / "results",
    }
    shown, whole = (dry_run_text([settings_of(given)], reads=reads) for reads in (False, True))
    assert "what follows depends on its answers" not in whole
    assert "settings get" not in shown
    assert not (tmp_path / "results").exists()
    if name == "app-switching":
        assert "to a phone that kills an app:\n        dumpsys activity exit-info" in whole


def test_a_dry_run_shows_every_switch_of_charging(tmp_path: Path) -> None:
    profile = tmp_path / "uncharged.toml"
    text = (PROFILES / "phone-apps.toml").read_text()
    assert "\n[phone]\n" in text
    profile.write_text(text.replace("\n[phone]\n", '\n[phone]\ncharging = "no"\n'))
    given: Given = {
        "device": "phone",
        "variants": _VARIANTS,
        "pairs": 1,
        "profile": str(profile),
        "results": tmp_path / "results",
    }
    text = dry_run_text([settings_of(given)])
    for pin in charge_pins():
        assert f"echo {pin.wanted} > {pin.path}" in text.replace("'", "")


def phases_of(text: str) -> dict[tuple[str, str], list[str]]:
    """Number of a block and phase of a phone's dry run -> its lines."""
    found: dict[tuple[str, str], list[str]] = {}
    block, rows = "", list[str]()
    for line in text.splitlines():
        if line.startswith("  block "):
            block = line.split()[1].rstrip(",")
        elif line.startswith("        "):
            rows.append(line.strip())
        elif line.startswith("    "):
            rows = found.setdefault((block, line.strip().partition(":")[0]), [])
    return found


def test_a_dry_run_of_a_virtual_device_sends_nothing(tmp_path: Path) -> None:
    assert "sent to" not in dry_run_text([settings_of({"results": tmp_path / "results"})])
