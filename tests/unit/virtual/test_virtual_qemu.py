"""How a boot ends, well or badly. QEMU is a small program here that writes a console and stays or goes."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.errors import BootFailed, DeviceLost, HostError, KernelError, ModuleLoadFailed
from foundation.ports import free_port
from harness.virtual import qemu
from harness.virtual.command_line import MachineConfig, arguments
from harness.virtual.qemu import VirtualMachine

_STAND_IN = """\
#!{python}
import os, sys, time
words = dict(zip(sys.argv, sys.argv[1:]))
console = words["-chardev"].split("path=")[1]
{body}
"""

READY = 'open(console, "a").write("[    2.0] suite-init: ready\\n"); time.sleep(60)'


class StandIn:
    """Puts a program named like the emulator first in PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def does(self, body: str) -> None:
        program = self.folder / "qemu-system-x86_64"
        program.write_text(_STAND_IN.format(python=sys.executable, body=textwrap.dedent(body)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return StandIn(folder)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[VirtualMachine]:
    made = VirtualMachine(MachineConfig("x86_64", Path("i"), Path("r"), clock="host"), tmp_path / "vm")
    yield made
    made.stop()


def pid_of(machine: VirtualMachine) -> int:
    assert machine._process is not None
    return machine._process.pid


def is_gone(pid: int) -> bool:
    """Whether the process has ended (a zombie has)."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_good_boot(emulator: StandIn, machine: VirtualMachine) -> None:
    emulator.does(READY)
    machine.start(deadline_s=20)
    assert machine.is_running()
    assert machine.boot_s is not None
    assert machine.serial == f"127.0.0.1:{machine.port}"
    assert machine.crash() is None
    assert machine.cpu_s() >= 0
    pid = pid_of(machine)
    machine.stop()
    machine.stop()
    assert not machine.is_running()
    assert is_gone(pid)
    assert "ready" in machine.console()


def test_a_panic_while_booting(emulator: StandIn, machine: VirtualMachine) -> None:
    emulator.does('open(console, "a").write("[    1.0] Kernel panic - not syncing: VFS: no root\\n")')
    with pytest.raises(BootFailed, match="no root") as caught:
        machine.start(deadline_s=20)
    assert "Kernel panic" in caught.value.log
    assert not machine.is_running()


def test_an_emulator_that_hangs_costs_a_boot_and_is_no_result(
    emulator: StandIn, machine: VirtualMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.virtual.stall.STALL_S", 1.0)
    emulator.does('open(console, "a").write("[    1.0] last words\\n"); time.sleep(60)')
    begin = time.monotonic()
    with pytest.raises(DeviceLost, match=r"used no CPU time .* while it boots") as caught:
        machine.start(deadline_s=50)
    assert time.monotonic() - begin < 40
    assert caught.value.transient
    assert not machine.is_running()


def test_a_machine_that_another_thread_ends_has_no_result(
    emulator: StandIn, machine: VirtualMachine
) -> None:
    emulator.does('open(console, "a").write("[    1.0] first words\\n"); time.sleep(60)')
    threading.Timer(1.0, machine.abort).start()
    with pytest.raises(DeviceLost, match="ended from outside"):
        machine.start(deadline_s=50)
    assert is_gone(pid_of(machine))


def test_a_machine_that_was_ended_before_its_boot_does_not_start(
    emulator: StandIn, machine: VirtualMachine
) -> None:
    emulator.does(READY)
    machine.abort()
    with pytest.raises(DeviceLost, match="ended from outside"):
        machine.start(deadline_s=20)
    assert machine._process is None


def test_a_machine_that_ends_in_silence_of_the_kernel(emulator: StandIn, machine: VirtualMachine) -> None:
    emulator.does('open(console, "a").write("[    1.0] last words\\n")')
    with pytest.raises(BootFailed, match="ended during boot") as caught:
        machine.start(deadline_s=20)
    assert "last words" in caught.value.log


def test_a_reset_before_the_first_word_is_the_kernels_too(
    emulator: StandIn, machine: VirtualMachine
) -> None:
    """With -no-reboot QEMU ends with status 0 when the guest resets; its own failures have another."""
    emulator.does("sys.exit(0)")
    with pytest.raises(BootFailed, match="reset itself before any console output") as caught:
        machine.start(deadline_s=20)
    assert "console stayed empty" in caught.value.log


def test_a_hang_ends_at_the_deadline(emulator: StandIn, machine: VirtualMachine) -> None:
    emulator.does('open(console, "a").write("[    1.0] last words\\n"); time.sleep(60)')
    with pytest.raises(BootFailed, match="deadline") as caught:
        machine.start(deadline_s=1)
    assert "last words" in caught.value.log
    assert not machine.is_running()


@pytest.mark.parametrize(
    ("console", "told"),
    [
        ("", "the kernel refused module zram: Invalid module format"),
        (
            "[ 1.0] zram: disagrees about version of symbol module_layout\\n",
            "kernel log: disagrees about version of symbol module_layout",
        ),
    ],
)
def test_a_refused_module_is_named(
    emulator: StandIn, machine: VirtualMachine, console: str, told: str
) -> None:
    refused = "[    1.1] suite-init: module-error zram.ko: Invalid module format\\n"
    emulator.does(f'open(console, "a").write("{console}{refused}"); {READY}')
    with pytest.raises(ModuleLoadFailed) as caught:
        machine.start(deadline_s=20)
    assert told in caught.value.what
    assert isinstance(caught.value, KernelError)
    assert "module-error" in caught.value.log


def test_a_guest_daemon_that_does_not_start(emulator: StandIn, machine: VirtualMachine) -> None:
    emulator.does(
        'open(console, "a").write("[ 3.0] suite-init: /system/bin/adbd does not start\\n"); time.sleep(60)'
    )
    with pytest.raises(BootFailed, match="/system/bin/adbd does not start"):
        machine.start(deadline_s=20)


def test_a_wrong_image_is_the_hosts_error(emulator: StandIn, machine: VirtualMachine) -> None:
    emulator.does('print("qemu: could not load kernel", file=sys.stderr); sys.exit(1)')
    with pytest.raises(HostError, match="status 1: qemu: could not load kernel"):
        machine.start(deadline_s=20)


def test_a_taken_port_is_tried_again(emulator: StandIn, tmp_path: Path) -> None:
    emulator.does(
        f"""
        port = int(words["-netdev"].split("127.0.0.1:")[1].split("-")[0])
        if port == 1001:
            print("-netdev: Could not set up host forwarding rule 'tcp'", file=sys.stderr)
            sys.exit(1)
        {READY}
        """
    )
    ports = iter([1001, 1001, 1002])
    machine = VirtualMachine(
        MachineConfig("x86_64", Path("i"), Path("r"), clock="host"),
        tmp_path,
        port_source=lambda: next(ports),
    )
    try:
        machine.start(deadline_s=20)
        assert machine.port == 1002
    finally:
        machine.stop()


def test_no_port_at_all(emulator: StandIn, tmp_path: Path) -> None:
    emulator.does('sys.exit("Could not set up host forwarding rule")')
    config = MachineConfig("x86_64", Path("i"), Path("r"), clock="host")
    machine = VirtualMachine(config, tmp_path, port_source=lambda: 1001)
    with pytest.raises(HostError, match="no free port"):
        machine.start(deadline_s=30)


def test_without_qemu_the_package_is_named(
    machine: VirtualMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HostError, match="qemu-system-x86") as caught:
        machine.start()
    assert caught.value.next_step == "install the Debian package qemu-system-x86"


def test_a_crash_after_the_boot_is_found(emulator: StandIn, machine: VirtualMachine) -> None:
    emulator.does(READY)
    machine.start(deadline_s=20)
    with (machine._console).open("a") as console:
        console.write("[   99.0] BUG: Bad page state in process app\r\n")
    crash = machine.crash()
    assert crash is not None
    assert crash.headline == "[   99.0] BUG: Bad page state in process app"


_PARENT = """
import sys, time
from pathlib import Path
from harness.virtual.command_line import MachineConfig
from harness.virtual.qemu import VirtualMachine
machine = VirtualMachine(MachineConfig("x86_64", Path("i"), Path("r"), clock="host"), Path(sys.argv[1]))
machine.start(deadline_s=20)
print(machine._process.pid, flush=True)
time.sleep(60)
"""


def test_it_dies_with_its_parent_however_that_dies(emulator: StandIn, tmp_path: Path) -> None:
    emulator.does(READY)
    root = Path(qemu.__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path / "vm")], stdout=subprocess.PIPE, cwd=root
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.send_signal(signal.SIGKILL)
    assert is_gone(pid)


def test_it_outlives_the_thread_that_asked_for_it(emulator: StandIn, machine: VirtualMachine) -> None:
    from threading import Thread

    emulator.does(READY)
    worker = Thread(target=lambda: machine.start(deadline_s=20))
    worker.start()
    worker.join()
    time.sleep(0.3)
    assert machine.is_running()


def test_the_command_line_by_the_hosts_clock(emulator: StandIn) -> None:
    emulator.does("")
    extra = ("kcompressd.depth=4", "kcompressd.enabled=Y")
    config = MachineConfig(
        "x86_64", Path("/k"), Path("/r"), clock="host", cpus=3, memory_mb=512, arguments=extra
    )
    words = arguments(config, 40123, Path("/c"), ())
    text = " ".join(words)
    assert "-no-reboot" in words
    assert "-cpu qemu64,+invtsc -accel tcg,thread=multi -smp 3 -m 512" in text
    assert "hostfwd=tcp:127.0.0.1:40123-10.0.2.15:5555" in text
    assert "restrict=on" in text
    append = words[words.index("-append") + 1].split()
    assert append[-2:] == [*extra]
    assert {"panic=-1", "oops=panic", "nokaslr", "tsc=reliable", "rootfstype=ramfs"} <= set(append)
    assert "suite.lockstep" not in append
    kvm = MachineConfig("x86_64", Path(), Path(), clock="host", accel="kvm")
    assert "-cpu host -accel kvm" in " ".join(arguments(kvm, 1, Path(), ()))


def test_nothing_of_the_host_is_in_the_command_line_by_the_instruction_clock(emulator: StandIn) -> None:
    emulator.does("")
    config = MachineConfig("x86_64", Path("/k"), Path("/r"))
    words = arguments(config, 40123, Path("/c"), ("-device", "channel"))
    text = " ".join(words)
    assert "-accel tcg,thread=single -icount shift=1,sleep=off" in text
    assert "-rtc base=2026-01-01,clock=vm" in text
    assert "-device channel" in text
    assert "-netdev" not in text
    append = words[words.index("-append") + 1]
    assert "suite.lockstep" in append.split()
    assert "40123" not in text
    other = arguments(config, 50000, Path("/c"), ("-device", "channel"))
    assert words == other


def test_a_free_port_can_be_bound() -> None:
    port = free_port()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
