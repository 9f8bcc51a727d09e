"""The fake phones answer as the sources of their Android version say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from foundation.contract.device import Expectation
from foundation.errors import DeviceLost
from harness.capture.perfetto.perfetto_service import read_service
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.deadline import Deadline, wait_until
from harness.device.identity import read_identity
from tests.stand_ins.device import FakeDevice
from tests.stand_ins.device.android import (
    MEDIATEK,
    SAMSUNG,
    VENDORS,
    VERSIONS,
    AndroidPhone,
    Vendor,
    android_phone,
    kcompressd,
    stock,
)
from tests.stand_ins.device.android.framework import am_kill, killinfo
from tests.stand_ins.device.android.phone import Build
from tests.stand_ins.device.android.state import Exit


@contextmanager
def attached(adb: AdbServer, phone: FakeDevice, *, su: bool = False) -> Iterator[AdbDevice]:
    with phone:
        yield AdbDevice(adb, adb.connect(phone.serial), su=su)
        adb.disconnect(phone.serial)


def status(device: AdbDevice, *argv: str) -> int:
    return device.shell(list(argv), check=False).exit_status


def said(device: AdbDevice, *argv: str) -> str:
    result = device.shell(list(argv), check=False)
    return result.stdout + result.stderr


@pytest.mark.parametrize("api", sorted(VERSIONS))
@pytest.mark.parametrize("vendor", list(VENDORS.values()), ids=list(VENDORS))
def test_properties_and_kernel(adb: AdbServer, api: int, vendor: Vendor) -> None:
    with attached(adb, android_phone(api, "user", vendor)) as device:
        assert said(device, "getprop", "ro.build.version.sdk").strip() == str(api)
        fingerprint = said(device, "getprop", "ro.build.fingerprint").strip()
        assert fingerprint.startswith(f"{vendor.brand}/{vendor.product}/{vendor.device}:")
        assert fingerprint.endswith(":user/release-keys")
        assert f"[ro.product.model]: [{vendor.model}]\n" in said(device, "getprop")
        assert said(device, "uname", "-r").strip() == stock(api).release
        assert (said(device, "getprop", "ro.soc.model").strip() != "") == (api >= 31)


@pytest.mark.parametrize("api", sorted(VERSIONS))
def test_what_a_user_build_hides_from_the_shell(adb: AdbServer, api: int) -> None:
    with attached(adb, android_phone(api, "user")) as device:
        assert not device.is_root
        for path in (
            "/proc/swaps",
            "/proc/sys/vm/swappiness",
            "/proc/pressure/memory",
            "/sys/block/zram0/disksize",
            "/sys/class/thermal/thermal_zone0/temp",
        ):
            assert said(device, "cat", path) == f"cat: {path}: Permission denied\n"
            # stat is denied as well: the file seems not to be there.
            assert status(device, "test", "-e", path) == 1
        assert "swappiness" in said(device, "ls", "/proc/sys/vm")
        assert status(device, "test", "-r", "/proc/vmstat") == int(api < 30)
        assert status(device, "cat", "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor") == 0
        if api >= 33:
            lru_gen = status(device, "cat", "/sys/kernel/mm/lru_gen/enabled")
            assert (lru_gen == 0) == (api >= 36)
        assert "kswapd0" in read_identity(device, Expectation()).thread_names
        denied = device.shell(["sh", "-c", "true"], check=False).exit_status
        assert denied == 127
        with pytest.raises(Exception, match="Permission denied"):
            device.write_text("/proc/sys/vm/swappiness", "60")


@pytest.mark.parametrize(
    ("api", "build", "event", "is_open"),
    [
        (29, "user", "sched/sched_switch", True),
        (29, "user", "sched/sched_waking", False),
        (29, "userdebug", "sched/sched_waking", True),
        (30, "user", "sched/sched_waking", False),
        (31, "user", "sched/sched_waking", True),
        (31, "user", "sched/sched_process_free", False),
        (33, "user", "sched/sched_process_free", True),
        (36, "user", "vmscan/mm_vmscan_kswapd_wake", True),
        (36, "user", "vmscan/mm_vmscan_lru_shrink_inactive", False),
        (36, "userdebug", "vmscan/mm_vmscan_lru_shrink_inactive", False),
    ],
)
def test_which_events_are_open(adb: AdbServer, api: int, build: Build, event: str, is_open: bool) -> None:
    folder = f"/sys/kernel/tracing/events/{event}"
    with attached(adb, android_phone(api, build)) as device:
        assert status(device, "test", "-d", folder) == 0
        assert (status(device, "test", "-w", f"{folder}/enable") == 0) == is_open
        assert (status(device, "cat", f"{folder}/format") == 0) == is_open
    with attached(adb, android_phone(api, "userdebug", root=True)) as device:
        assert status(device, "test", "-w", f"{folder}/enable") == 0


def test_adb_root(adb: AdbServer) -> None:
    with attached(adb, android_phone(33, "userdebug")) as device:
        assert not device.is_root
        assert adb.client.device(device.serial).root() == "restarting adbd as root\n"

        def again() -> bool:
            # The old adbd may still answer once.
            with suppress(DeviceLost):
                return device.reconnect(deadline_s=10) and device.is_root
            return False

        assert wait_until(again, Deadline(10))
        assert "Filename" in device.read_text("/proc/swaps")
    with attached(adb, android_phone(33, "user")) as device:
        assert "cannot run as root in production" in adb.client.device(device.serial).root()


def test_su(adb: AdbServer) -> None:
    with attached(adb, android_phone(34, "userdebug", SAMSUNG), su=True) as device:
        assert device.is_root
        assert device.read_text("/sys/block/zram0/comp_algorithm") == "lzo lzo-rle [lz4] zstd\n"
    with attached(adb, android_phone(34, "user", SAMSUNG)) as device:
        assert "not found" in said(device, "su", "0", "id")
        assert status(device, "command", "-v", "su") == 1


@pytest.mark.parametrize("api", sorted(VERSIONS))
def test_perfetto_names_its_version_since_android_12(adb: AdbServer, api: int) -> None:
    with attached(adb, android_phone(api)) as device:
        result = device.shell(["perfetto", "--version"], check=False)
        assert (result.exit_status == 0) == (api >= 31)
        assert ("Perfetto v" if api >= 31 else "unrecognized option") in result.stdout + result.stderr
        assert read_service(device) is not None


def test_compression_threads_and_their_switches(adb: AdbServer) -> None:
    sysctl = "/proc/sys/vm/kcompressd"
    with attached(adb, android_phone(36, "userdebug", kernel=kcompressd(stock(36)), root=True)) as device:
        assert "kcompressd0" in read_identity(device, Expectation()).thread_names
        device.write_text(sysctl, "0")
        assert device.read_text(sysctl) == "0\n"
        with pytest.raises(Exception, match="Invalid argument"):
            device.write_text(sysctl, "257")
    module = kcompressd(stock(34), "module")
    with attached(adb, android_phone(34, "user", MEDIATEK, kernel=module)) as device:
        assert set(read_identity(device, Expectation()).thread_names) >= {"kswapd0:0", "kcompressd:0"}
        assert "nr_kcompressd" in said(device, "ls", "/sys/module/kcompressd/parameters")
        assert "Permission denied" in said(device, "cat", "/sys/module/kcompressd/parameters/nr_kcompressd")


@pytest.mark.parametrize("api", sorted(VERSIONS))
def test_services(adb: AdbServer, api: int) -> None:
    phone = android_phone(api)
    phone.state.battery_percent = 41
    phone.state.thermal_status = 2
    with attached(adb, phone) as device:
        battery = said(device, "dumpsys", "battery")
        assert "  level: 41\n" in battery
        assert ("  Dock powered: false\n" in battery) == (api >= 33)
        thermal = said(device, "dumpsys", "thermalservice")
        assert "Thermal Status: 2\n" in thermal
        assert "mName=VIRTUAL-SKIN" in thermal
        assert "mWakefulness=Awake" in said(device, "dumpsys", "power")
        assert "Can't find service: nosuch" in said(device, "dumpsys", "nosuch")


@pytest.mark.parametrize(("api", "form"), [(29, None), (30, "lines"), (31, "lines"), (33, "groups")])
def test_exit_info(adb: AdbServer, api: int, form: str | None) -> None:
    phone = android_phone(api)
    phone.state.exits.append(Exit("com.x", 8812, 3, 400, "2026-01-02 03:04:05.678"))
    with attached(adb, phone) as device:
        text = said(device, "dumpsys", "activity", "exit-info", "com.x")
        assert ("ApplicationExitInfo #0:" in text) == (form is not None)
        assert ("          pid=8812\n" in text) == (form == "lines")
        assert ("678 pid=8812 realUid" in text) == (form == "groups")
        assert ("reason=3 (LOW_MEMORY)" in text) == (form is not None)


def test_launches_settings_and_the_event_log(adb: AdbServer) -> None:
    phone = android_phone(34)
    phone.state.packages["com.x"] = ".Main"
    phone.state.events += [
        am_kill("01-02 03:04:05.678", "com.x", 8812, reason="remove task"),
        killinfo("01-02 03:04:06.000", 8813),
    ]
    with attached(adb, phone) as device:
        assert "LaunchState: COLD\n" in said(device, "am", "start", "-W", "-n", "com.x/.Main")
        again = said(device, "am", "start", "-W", "-n", "com.x/.Main")
        assert "brought to the front" in again
        assert "LaunchState: HOT\n" in again
        assert "does not exist" in said(device, "am", "start", "-n", "com.y/.Main")
        device.shell(["settings", "put", "global", "window_animation_scale", "0"])
        assert said(device, "settings", "get", "global", "window_animation_scale") == "0\n"
        assert said(device, "settings", "get", "global", "nothing") == "null\n"
        log = said(device, "logcat", "-b", "events", "-d", "am_kill:I", "*:S")
        assert "am_kill : [0,8812,com.x,905,remove task,0]" in log
        assert "killinfo" not in log
        whole = said(device, "logcat", "-b", "events", "-d")
        assert whole.splitlines()[-1].partition("[")[2].rstrip("]").count(",") == 32


def test_a_restart_brings_the_settings_of_a_boot_back(adb: AdbServer) -> None:
    phone: AndroidPhone = android_phone(35, "userdebug", kernel=kcompressd(stock(35)), root=True)
    with attached(adb, phone) as device:
        assert device.is_root
        device.write_text("/proc/sys/vm/kcompressd", "3")
        before = device.read_text("/proc/sys/kernel/random/boot_id")
        phone.restart()
        assert not phone.root, "adb root does not survive it"
        assert device.reconnect(deadline_s=20)
        assert device.read_text("/proc/sys/vm/kcompressd") == "24\n"
        assert device.read_text("/proc/sys/kernel/random/boot_id") != before
