"""The poller is given the states of the cooling devices that limit CPUs, and no others."""

from __future__ import annotations

from pathlib import Path

from harness.capture.poller import Poller
from harness.capture.remote import RemoteFolder
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.deadline import Deadline, wait_until
from tests.stand_ins.device.android import GOOGLE, android_phone
from tests.stand_ins.device.tree_shell import Call


def _grep(call: Call) -> int:
    """``grep -il WORD FILE...``."""
    word, *paths = call.argv[2:]
    found = [path for path in paths if word in call.read(path).decode().lower()]
    call.io.out("".join(f"{path}\n" for path in found).encode())
    return int(not found)


def _poll(call: Call) -> int:
    call.process.wait(None)
    return 0


def test_cooling_devices_of_cpus_are_polled(adb: AdbServer, tmp_path: Path) -> None:
    program = tmp_path / "poller"
    program.write_bytes(b"")
    with android_phone(35, "userdebug", GOOGLE, root=True) as phone:
        phone.files.put("/sys/class/thermal/cooling_device7/type", "fcc\n")
        phone.files.put("/sys/class/thermal/cooling_device7/cur_state", "3\n")
        phone.programs |= {"chmod": lambda call: 0, "grep": _grep, "poller": _poll}
        device = AdbDevice(adb, adb.connect(phone.serial))
        remote = RemoteFolder(device)
        remote.make()
        poller = Poller(device, remote, 250)
        poller.start(program)

        def started() -> list[list[str]]:
            return [argv for argv in phone.ran if argv[0].endswith("/poller")]

        assert wait_until(lambda: bool(started()), Deadline(10))
        (argv,) = started()
        polled = [word for word in argv if word.startswith("/sys/class/thermal/")]
        assert polled == [f"/sys/class/thermal/cooling_device{n}/cur_state" for n in range(3)]
        poller.stop()
        remote.remove()
        adb.disconnect(phone.serial)
