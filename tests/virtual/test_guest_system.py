"""The guest as a device: its shell, files, properties, settings, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from foundation.contract.device import Device
from foundation.errors import CommandFailed, DeviceError
from harness.native.build import binary
from harness.virtual.lane import VirtualLane
from tests.variants import boot_into, virtual_variant
from workloads.burner import REMOTE, CpuBurner, RealTime

STOCK = virtual_variant("baseline=stock")


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualLane]:
    opened = VirtualLane(workdir=tmp_path_factory.mktemp("lane"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def device(lane: VirtualLane) -> Device:
    return boot_into(lane, STOCK)


def test_properties(device: Device) -> None:
    wanted = {
        "ro.product.model": "virtual-aarch64",
        "ro.build.type": "userdebug",
        "ro.kernel.qemu": "1",
        "sys.boot_completed": "1",
        "suite.module_error": "",
        "no.such.property": "",
    }
    assert {name: device.shell(["getprop", name]).stdout.strip() for name in wanted} == wanted
    assert device.shell(["getprop", "no.such.property", "else"]).stdout == "else\n"
    assert "[ro.kernel.qemu]: [1]\n" in device.shell(["getprop"]).stdout
    assert int(device.shell(["getprop", "ro.build.version.sdk"]).stdout) > 0


def test_setprop(device: Device) -> None:
    device.shell(["setprop", "debug.suite.x", "a b"])
    assert device.shell(["getprop", "debug.suite.x"]).stdout == "a b\n"
    for name, value in (
        ("ro.kernel.qemu", "0"),
        ("bad name", "x"),
        ("debug.long", "x" * 92),
        ("../x", "y"),
    ):
        with pytest.raises(CommandFailed, match="Failed to set property"):
            device.shell(["setprop", name, value])
    assert device.shell(["getprop", "ro.kernel.qemu"]).stdout == "1\n"


def test_settings(device: Device) -> None:
    assert device.shell(["settings", "get", "global", "suite_x"]).stdout == "null\n"
    device.shell(["settings", "put", "global", "suite_x", "5 6"])
    assert device.shell(["settings", "get", "global", "suite_x"]).stdout == "5 6\n"
    assert "suite_x=5 6\n" in device.shell(["settings", "list", "global"]).stdout
    assert device.shell(["settings", "delete", "global", "suite_x"]).stdout == "Deleted 1 rows\n"
    assert device.shell(["settings", "delete", "global", "suite_x"]).stdout == "Deleted 0 rows\n"
    with pytest.raises(CommandFailed):
        device.shell(["settings", "get", "elsewhere", "suite_x"])


def test_what_a_measurement_needs_is_there(device: Device) -> None:
    assert device.is_root
    assert (
        device.read_text("/sys/kernel/mm/transparent_hugepage/enabled").strip() == "always madvise [never]"
    )
    assert "mm_vmscan_kswapd_wake" in device.shell(["ls", "/sys/kernel/tracing/events/vmscan"]).stdout
    assert device.read_text("/sys/block/zram0/disksize") == "0\n"
    assert "lz4" in device.read_text("/sys/block/zram0/comp_algorithm")
    assert device.read_text("/proc/pressure/memory").startswith("some avg10=")
    assert device.read_text("/proc/swaps").count("\n") == 1
    clock = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    assert device.read_text(clock) == "arch_sys_counter\n"
    assert device.shell(["nproc"]).stdout == "1\n"
    total_kb = int(device.shell(["awk", "/MemTotal/ {print $2}", "/proc/meminfo"]).stdout)
    assert 200_000 < total_kb < 262_144


# What the suite itself keeps on the device must not appear in its swap counters.
def test_real_time_burners_take_every_cpu_and_the_device_still_answers(device: Device) -> None:
    with CpuBurner(device, binary("burner", "aarch64"), realtime=RealTime()):
        (pid,) = device.shell(["pidof", REMOTE.rpartition("/")[2]]).stdout.split()
        # Fields 40 and 41 of man 5 proc: priority and policy, 1 is SCHED_FIFO.
        found = sorted(
            tuple(line.rpartition(")")[2].split()[37:39])
            for line in device.script(f"cat /proc/{pid}/task/*/stat").stdout.splitlines()
        )
        assert found == [("0", "0"), ("1", "1")]
    assert device.shell(["pidof", REMOTE.rpartition("/")[2]], check=False).stdout == ""
    assert device.shell(["test", "-e", REMOTE], check=False).exit_status != 0


def test_the_devices_own_files_are_not_swappable(device: Device) -> None:
    # The magic number of ramfs (linux/magic.h), which toybox has no name for.
    kinds = device.script("stat -f -c %T / /data/local/tmp").stdout.split()
    assert kinds == ["0x858458f6", "0x858458f6"]
    for name in ("link", "activityd"):
        status = device.script(f"cat /proc/$(pidof {name})/status").stdout
        (locked,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmLck:")]
        assert int(locked) > 0


def test_processes_and_threads(device: Device) -> None:
    listed = device.shell(["ps", "-A", "-T", "-o", "PID,TID,S,CMD"]).stdout.splitlines()
    assert listed[0].split() == ["PID", "TID", "S", "CMD"]
    names = {line.split()[3] for line in listed[1:]}
    assert {"init", "kswapd0", "adbd", "activityd"} <= names
    assert device.shell(["ps", "-p", "1", "-o", "NAME"]).stdout.split() == ["NAME", "init"]
    with pytest.raises(CommandFailed, match="bad -o"):
        device.shell(["ps", "-o", "NOTHING"])


def test_a_full_file_system_is_told(device: Device) -> None:
    device.script("mkdir -p /mnt/small; mount -t tmpfs -o size=256k none /mnt/small")
    try:
        with pytest.raises(DeviceError, match="No space left"):
            device.push_bytes(b"x" * 1_000_000, "/mnt/small/file")
    finally:
        device.shell(["umount", "/mnt/small"])


def test_a_daemon_comes_back(lane: VirtualLane, device: Device) -> None:
    before = device.shell(["pidof", "activityd"]).stdout
    device.shell(["kill", "-9", before.strip()])
    for _ in range(100):
        if device.script("am get-current-user", check=False).exit_status == 0:
            break
        device.sleep(0.1)
    assert device.shell(["pidof", "activityd"]).stdout != before
    assert "activityd ended with status" in lane.console()
    assert lane.crash_log() is None


def test_a_wrong_command_of_the_framework_is_refused(device: Device) -> None:
    for words in (
        ["am", "foo"],
        ["pm", "foo"],
        ["input", "keyevent", "FOO"],
        ["cmd", "foo"],
        ["logcat", "-f", "x"],
    ):
        done = device.shell(words, check=False)
        assert done.exit_status != 0
        assert done.stderr.count("\n") == 1


def test_power_and_heat_are_said_to_be_absent(device: Device) -> None:
    assert "  present: false\n" in device.shell(["dumpsys", "battery"]).stdout
    thermal = device.shell(["dumpsys", "thermalservice"]).stdout
    assert "Thermal Status: 0\n" in thermal
    assert "HAL Ready: false\n" in thermal
