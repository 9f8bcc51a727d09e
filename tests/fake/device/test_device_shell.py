"""Commands: exit status, both outputs, input, deadlines, many at once."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from foundation.errors import CommandFailed, CommandTimeout, DeviceError, LabError, UsageError
from harness.device.adb import su as su_module
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.adb.shell_v2 import MAX_INLINE
from harness.device.attach import attach_phone
from harness.device.deadline import Deadline, wait_until
from tests.stand_ins.device import FakeDevice


def test_exit_status_and_both_outputs_are_apart(host_device: AdbDevice) -> None:
    result = host_device.script("echo out; echo err >&2; exit 7", check=False)
    assert (result.exit_status, result.stdout, result.stderr) == (7, "out\n", "err\n")


@pytest.mark.parametrize("status", [1, 2, 126, 127, 128, 255])
def test_no_exit_status_is_dropped(host_device: AdbDevice, status: int) -> None:
    with pytest.raises(CommandFailed) as caught:
        host_device.shell(["sh", "-c", f"echo why >&2; exit {status}"])
    assert caught.value.exit_status == status
    assert caught.value.stderr == "why\n"
    assert f"exit status {status}: why" in str(caught.value)
    assert str(caught.value).startswith(f"[{host_device.serial}]")


def test_status_is_the_devices_own_word(device: AdbDevice, fake: FakeDevice) -> None:
    fake.faults.exit_status["cat"] = 9
    fake.files.put("/data/local/tmp/x", "content")
    with pytest.raises(CommandFailed, match="exit status 9: content"):
        device.read_text("/data/local/tmp/x")


def test_a_signal_shows_in_the_status(host_device: AdbDevice) -> None:
    assert host_device.script("kill -9 $$", check=False).exit_status == 128 + signal.SIGKILL


def test_missing_program_is_127(device: AdbDevice) -> None:
    with pytest.raises(CommandFailed, match="not found") as caught:
        device.shell(["no-such-program"])
    assert caught.value.exit_status == 127


def test_large_input_and_output_at_once(host_device: AdbDevice) -> None:
    text = "".join(f"{number}\n" for number in range(400_000))
    assert host_device.shell(["cat"], stdin=text.encode(), deadline_s=120).stdout == text


def test_command_that_ends_before_its_input_was_read(host_device: AdbDevice) -> None:
    result = host_device.shell(["sh", "-c", "exit 3"], stdin=b"x" * 4_000_000, check=False, deadline_s=60)
    assert result.exit_status == 3


def test_bytes_that_are_no_text_do_not_break_it(host_device: AdbDevice) -> None:
    assert host_device.script("printf 'a\\377b'").stdout == "a�b"


@pytest.mark.parametrize("length", [MAX_INLINE - 40, MAX_INLINE, 100_000])
def test_scripts_of_any_length(host_device: AdbDevice, length: int) -> None:
    filler = "# " + "x" * length
    result = host_device.script(f"{filler}\necho first; cat; echo last; exit 4", check=False)
    assert (result.exit_status, result.stdout) == (4, "first\nlast\n")


def test_long_command_with_input_is_refused(host_device: AdbDevice) -> None:
    with pytest.raises(DeviceError, match="cannot also take input"):
        host_device.shell(["cat", "x" * 5000], stdin=b"input")


def test_late_command_is_ended_on_the_device(host_device: AdbDevice, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(CommandTimeout, match=r"did not end within 0\.5 s; it was stopped on the device"):
        host_device.shell(["sh", "-c", f"echo $$ > {pid_file}; sleep 600; true"], deadline_s=0.5)
    pid = int(pid_file.read_text())
    assert wait_until(lambda: not _runs(pid), Deadline(10))


def test_late_command_that_cannot_be_killed_is_reported(device: AdbDevice, fake: FakeDevice) -> None:
    fake.faults.hang |= {"am", "kill"}
    with pytest.raises(CommandTimeout, match="it may still run on the device"):
        device.shell(["am", "start"], deadline_s=0.3)


def test_the_device_goes_on_after_a_timeout(device: AdbDevice, fake: FakeDevice) -> None:
    fake.faults.hang.add("am")
    with pytest.raises(CommandTimeout, match="it was stopped"):
        device.shell(["am"], deadline_s=0.3)
    assert wait_until(lambda: fake.processes.pids == [], Deadline(10))
    assert device.shell(["echo", "ok"]).stdout == "ok\n"


def test_slow_device_is_no_lost_device(device: AdbDevice, fake: FakeDevice) -> None:
    fake.faults.delay_s = 0.05
    assert device.shell(["echo", "slow"]).stdout == "slow\n"


def test_deadline_that_has_passed_is_a_usage_error(device: AdbDevice) -> None:
    with pytest.raises(UsageError, match="deadline"):
        device.shell(["true"], deadline_s=0)


def test_interrupt_ends_the_command_on_the_device(host_device: AdbDevice, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    def interrupt() -> None:
        assert wait_until(lambda: pid_file.exists() and pid_file.read_text() != "", Deadline(20))
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        host_device.shell(["sh", "-c", f"echo $$ > {pid_file}; sleep 600; true"], deadline_s=60)
    pid = int(pid_file.read_text())
    assert wait_until(lambda: not _runs(pid), Deadline(10))


def test_many_streams_at_once(host_device: AdbDevice) -> None:
    def ask(number: int) -> bool:
        text = f"{number} " * 5000
        return host_device.shell(["cat"], stdin=text.encode(), deadline_s=120).stdout == text

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(40)))


def test_login_text_before_the_command_is_an_error_not_output(device: AdbDevice, fake: FakeDevice) -> None:
    fake.faults.greeting = b"Welcome!\n"
    with pytest.raises(DeviceError, match="printed b'Welcome!' instead of its pid"):
        device.shell(["true"])


def test_device_without_shell_v2_is_refused(adb: AdbServer) -> None:
    with FakeDevice(features=("cmd",)) as old:
        device = AdbDevice(adb, adb.connect(old.serial))
        with pytest.raises(LabError, match="no shell v2, so exit statuses would be lost -> use Android 7"):
            device.shell(["true"])
        adb.disconnect(old.serial)


def test_root_follows_id(adb: AdbServer) -> None:
    with FakeDevice(root=False) as plain:
        serial = adb.connect(plain.serial)
        assert not AdbDevice(adb, serial).is_root
        with pytest.raises(DeviceError, match="su does not give root: it is denied to the shell -> allow"):
            AdbDevice(adb, serial, su=True).shell(["id", "-u"])
        adb.disconnect(serial)


def test_a_prompt_that_somebody_taps(adb: AdbServer) -> None:
    with FakeDevice(root=False, su="magisk") as phone:
        phone.su_prompt_s = 10.0
        said: list[str] = []

        def tap(line: str) -> None:
            said.append(line)
            phone.su_tapped.set()

        serial = adb.connect(phone.serial)
        server, device = attach_phone(serial=serial, adb_port=adb.port, su=True, say=tap)
        server.stop()
        assert device.is_root
        assert "unlock the phone; if a prompt shows on its screen, tap Grant" in said[0]
        adb.disconnect(serial)


@pytest.mark.parametrize("deadline_s", [0.5, 20.0])
def test_a_prompt_that_nobody_answers(
    adb: AdbServer, monkeypatch: pytest.MonkeyPatch, deadline_s: float
) -> None:
    monkeypatch.setattr(su_module, "_UNANSWERED_S", 0.6)
    monkeypatch.setattr(su_module, "DEADLINE_S", deadline_s)
    with FakeDevice(root=False, su="magisk") as phone:
        phone.su_prompt_s = 0.8
        serial = adb.connect(phone.serial)
        device = AdbDevice(adb, serial, su=True)
        with pytest.raises(DeviceError, match=r"root: nobody answered the prompt .* -> unlock the phone"):
            device.shell(["true"])
        assert sum(argv[0] == "su" for argv in phone.ran) == 1, "the next form would ask again"
        adb.disconnect(serial)


def test_su_that_the_shell_does_not_see(adb: AdbServer) -> None:
    with FakeDevice(root=False) as phone:
        del phone.programs["su"]
        serial = adb.connect(phone.serial)
        with pytest.raises(DeviceError, match="the shell sees no su -> with KernelSU or APatch, allow"):
            AdbDevice(adb, serial, su=True).shell(["true"])
        adb.disconnect(serial)


@pytest.mark.parametrize("su", ["magisk", "aosp"])
def test_su_makes_every_command_root(adb: AdbServer, su: str) -> None:
    with FakeDevice(root=False, su=su) as phone:
        serial = adb.connect(phone.serial)
        with pytest.raises(CommandFailed, match="Permission denied"):
            AdbDevice(adb, serial).write_text("/proc/sys/vm/swappiness", "10")
        rooted = AdbDevice(adb, serial, su=True)
        assert rooted.is_root
        rooted.write_text("/proc/sys/vm/swappiness", "10")
        assert rooted.read_text("/proc/sys/vm/swappiness") == "10\n"
        assert rooted.script("# " + "x" * 9000 + "\nid -u").stdout == "0\n"
        adb.disconnect(serial)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
