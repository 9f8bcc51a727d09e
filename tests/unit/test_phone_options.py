"""Options of a phone, from the command line to the lane, and what a dry run says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from android_tests.campaign.dry_run import dry_run_text
from android_tests.campaign.options import CommandLine, settings_of
from foundation.errors import UsageError

_VARIANTS = ("off=sysctl:vm.kcompressd=0", "on=sysctl:vm.kcompressd=24")


def test_they_reach_the_lane(tmp_path: Path) -> None:
    lane = settings_of(
        CommandLine(
            device="phone",
            variants=_VARIANTS,
            lab=tmp_path / "lab.toml",
            role="desk",
            su=True,
            reboot_between=True,
            allow_flash=True,
        )
    ).lane
    assert (lane.lab, lane.role) == (tmp_path / "lab.toml", "desk")
    assert (lane.su, lane.reboot_between, lane.allow_flash) == (True, True, True)


def test_none_of_them_by_default() -> None:
    lane = settings_of(CommandLine(device="phone", variants=_VARIANTS)).lane
    assert (lane.lab, lane.role) == (None, None)
    assert (lane.su, lane.reboot_between, lane.allow_flash) == (False, False, False)


@pytest.mark.parametrize(
    ("line", "option"),
    [
        (CommandLine(lab=Path("lab.toml")), "--lab"),
        (CommandLine(role="desk"), "--role"),
        (CommandLine(su=True), "--su"),
        (CommandLine(reboot_between=True), "--reboot-between"),
        (CommandLine(allow_flash=True), "--allow-flash"),
    ],
)
def test_a_virtual_device_has_no_use_for_them(line: CommandLine, option: str) -> None:
    with pytest.raises(UsageError, match=f"{option} is for a phone"):
        settings_of(line)


def test_a_dry_run_shows_what_would_be_written(tmp_path: Path) -> None:
    line = CommandLine(
        device="phone",
        serial="R5CT",
        variants=_VARIANTS,
        pairs=1,
        reboot_between=True,
        suppress=("animations,rotation", "dexopt"),
        profile="eater",
        workload="memory-eater",
        results=tmp_path / "results",
    )
    text = dry_run_text([settings_of(line)])
    begin, end = text.index("sent to the phone (--serial R5CT)"), text.index("run on it by the workload")
    sent = text[begin:end].splitlines()[1:]
    assert [command.strip() for command in sent] == [
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
        "neither set nor checked: animations, dexopt, rotation",
    ]
    driven = text[end:]
    assert "(a warm-up and 2 measured cycles a block)" in driven
    assert "    /data/local/tmp/reclaim-suite-eater --mb 200 --content " in driven
    assert "run beside it in busy:\n" in driven
    assert "    /data/local/tmp/reclaim-suite-burner --all-cpus\n" in driven
    assert "run beside it in idle" not in driven
    assert "perfetto -c - --txt -o /data/misc/perfetto-traces/" in driven


def test_a_dry_run_of_a_virtual_device_sends_nothing(tmp_path: Path) -> None:
    assert "sent to" not in dry_run_text([settings_of(CommandLine(results=tmp_path / "results"))])
