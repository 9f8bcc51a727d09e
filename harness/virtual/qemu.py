"""One boot of the virtual device: QEMU, its console, and the port for adb."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from foundation.contract.arch import Arch
from foundation.errors import BootFailed, DeviceLost, HostError, ModuleLoadFailed, SuiteError
from foundation.ports import free_port
from harness.device.crash import Crash, find_crash
from harness.native.build import still_host
from harness.virtual.command_line import MachineConfig, arguments, find_program, find_qemu
from harness.virtual.link.channel import Channel, open_channel
from harness.virtual.stall import StallWatch

READY: Final = "suite-init: ready"
_MODULE_ERROR: Final = re.compile(r"suite-init: module-error ([\w-]+)\.ko: (.*)")
_DAEMON_BROKEN: Final = re.compile(r"suite-init: (\S+) does not start")
_PORT_TAKEN: Final = "Could not set up host forwarding rule"
_POLL_S: Final = 0.05
_ABORTED: Final = "the machine was ended from outside"

# PR_SET_PDEATHSIG fires when the thread that started the child exits, so that thread must live as long
# as this process.
_launcher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qemu-launcher")


def qemu_version(arch: Arch) -> str:
    """First line of ``qemu --version``."""
    done = subprocess.run(
        [find_qemu(arch), "--version"], capture_output=True, text=True, timeout=20, check=False
    )
    return done.stdout.splitlines()[0] if done.stdout else "unknown"


class VirtualMachine:
    """A virtual machine; it boots once and never outlives this process.

    ``workdir`` holds its console and QEMU's messages. By the instruction clock the guest stands still
    after its boot, and ``channel`` carries orders to it; None by the host's clock.
    """

    def __init__(self, config: MachineConfig, workdir: Path, *, port_source: Callable[[], int] = free_port):
        self.config = config
        self.port = 0
        self.boot_s: float | None = None
        self._port_source = port_source
        self._workdir = workdir.absolute()
        self._console = self._workdir / "console.log"
        self._messages = self._workdir / "qemu.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._cpu_s = 0.0
        self._aborted = False
        self._launching = threading.Lock()
        self.channel: Channel | None = None
        workdir.mkdir(parents=True, exist_ok=True)

    @property
    def serial(self) -> str:
        """The device's serial for adb."""
        return f"127.0.0.1:{self.port}"

    def start(self, *, deadline_s: float = 120.0) -> None:
        """Boot and wait until the guest's adb daemon listens.

        ``deadline_s`` counts QEMU's CPU time by the instruction clock, the host's time by the host's.
        BootFailed (with the console's tail as log), ModuleLoadFailed (with the kernel's own message),
        DeviceLost if QEMU hangs or `abort` ended it, HostError if QEMU itself does not run.
        """
        if self._process is not None:
            raise RuntimeError("a machine boots once")
        begin = time.monotonic()
        try:
            for _ in range(5):
                self._launch()
                if not self._wait_until_up(deadline_s):
                    continue
                if self.channel is not None:
                    self.channel.wait(limit_s=deadline_s)
                self.boot_s = time.monotonic() - begin
                return
        except BaseException:
            self.stop()
            raise
        raise HostError("no free port for the virtual device in 5 tries", next_step="try again")

    def abort(self) -> None:
        """End QEMU from another thread than the one that uses the machine, which gets DeviceLost."""
        self._aborted = True
        with self._launching:
            if self.is_running() and self._process is not None:
                self._process.kill()

    def is_running(self) -> bool:
        """Whether QEMU still runs; a panic or a reboot of the guest ends it."""
        return self._process is not None and self._process.poll() is None

    def console(self) -> str:
        """All output of the guest's serial console."""
        try:
            return self._console.read_bytes().decode(errors="replace").replace("\r\n", "\n")
        except FileNotFoundError:
            return ""

    def crash(self) -> Crash | None:
        """The first panic, oops, lockup or hung task on the console."""
        return find_crash(self.console())

    def cpu_s(self) -> float:
        """Host CPU seconds (user and system) of QEMU; after its end the last known value."""
        if self._process is not None and self._process.returncode is None:
            try:
                stat = Path(f"/proc/{self._process.pid}/stat").read_text()
            except OSError:
                return self._cpu_s
            fields = stat.rpartition(")")[2].split()
            self._cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return self._cpu_s

    def stop(self) -> None:
        """End QEMU and wait for it; may be called twice."""
        self._end()
        channel, self.channel = self.channel, None
        if channel is not None:
            channel.close()

    def _end(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self.cpu_s()
        if self.channel is not None:
            # While the guest stands still, QEMU handles no signal.
            self._process.kill()
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(30)

    def _launch(self) -> None:
        self.port = self._port_source()
        self._console.write_bytes(b"")
        if self.config.clock == "instructions" and self.channel is None:
            self.channel = open_channel(self.config.arch, self._workdir, self._loss, self.cpu_s)
        options = self.channel.arguments() if self.channel is not None else []
        qemu = arguments(self.config, self.port, self._console, options)
        setpriv = str(find_program("setpriv", "util-linux"))
        command = [setpriv, "--pdeathsig", "KILL", "--", *qemu]
        with self._launching:
            if self._aborted:
                raise DeviceLost(_ABORTED, device=self.serial)
            self._process = _launcher.submit(self._popen, command).result()

    def _popen(self, command: list[str]) -> subprocess.Popen[bytes]:
        environment = dict(os.environ)
        if self.config.clock == "instructions":
            preloaded = [str(still_host()), environment.get("LD_PRELOAD")]
            environment["LD_PRELOAD"] = ":".join(filter(None, preloaded))
        with self._messages.open("wb") as messages:
            # In its own session: Ctrl-C reaches us, and we stop the machine.
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                cwd=self._workdir,
                env=environment,
                start_new_session=True,
            )

    def _wait_until_up(self, deadline_s: float) -> bool:
        """False if another process took the port meanwhile."""
        watch, begin, seen = StallWatch(self.cpu_s), time.monotonic(), 0
        while True:
            running = self.is_running()
            if self._aborted:
                raise DeviceLost(_ABORTED, device=self.serial)
            console = self.console()
            if len(console) > seen:
                seen = len(console)
                watch.progress()
            self._raise_module_error(console, ended=READY in console or not running)
            if READY in console and running:
                return True
            broken = _DAEMON_BROKEN.search(console)
            if broken:
                raise self._boot_failed(
                    f"the guest's {broken.group(1)} does not start",
                    _tail(console),
                    "give the device more memory, or read the console log",
                )
            if not running:
                if _PORT_TAKEN in self._qemu_text():
                    return False
                raise self._why_ended(console)
            hung = watch.hung()
            if hung is not None:
                raise DeviceLost(f"{hung} while it boots", device=self.serial)
            by_cpu = self.config.clock == "instructions"
            if (watch.used_s() if by_cpu else time.monotonic() - begin) > deadline_s:
                raise self._boot_failed(
                    "the kernel did not come up before the deadline",
                    _tail(console),
                    "read the console log; on a busy host give the boot more time",
                )
            time.sleep(_POLL_S)

    def _boot_failed(self, what: str, log: str, next_step: str = "read the console log") -> BootFailed:
        return BootFailed(what, log=log, device=self.serial, next_step=next_step)

    def _raise_module_error(self, console: str, *, ended: bool) -> None:
        failed = _MODULE_ERROR.search(console)
        if not failed or not ended:
            return
        name, reason = failed.groups()
        # The kernel spells module names with underscores.
        line = re.compile(rf"\b{re.escape(name).replace('_', '[-_]')}: (.+)")
        messages = [m.group(1).strip() for m in line.finditer(console[: failed.start()])]
        detail = f"{reason.strip()} (kernel log: {messages[-1]})" if messages else reason.strip()
        raise ModuleLoadFailed(
            f"the kernel refused module {name}: {detail}",
            log=_tail(console),
            device=self.serial,
            next_step=(
                "correct the module's parameters"
                if "parameter" in detail
                else "build the module with exactly this kernel's headers and configuration"
            ),
        )

    def _why_ended(self, console: str) -> SuiteError:
        crash = find_crash(console)
        if crash:
            return self._boot_failed(f"the kernel crashed during boot: {crash.headline}", _tail(console))
        if console.strip():
            return self._boot_failed("the machine ended during boot", _tail(console))
        messages = self._qemu_text().strip()
        last = messages.rpartition("\n")[2] or "no message"
        status = self._process.returncode if self._process else None
        if status == 0:
            # Not an error of QEMU: with -no-reboot it exits when the guest resets.
            return self._boot_failed(
                "the machine reset itself before any console output",
                f"The console stayed empty.\n{messages}",
                "check that the image is a complete kernel for this machine, with a serial console",
            )
        return HostError(
            f"QEMU ended with status {status}: {last}",
            next_step="check the kernel image, the memory size and free memory of this host",
        )

    def _loss(self) -> str | None:
        """Why the guest cannot answer any more, or None while QEMU and the guest's programs run."""
        if self.is_running():
            broken = _DAEMON_BROKEN.search(self.console())
            return f"the guest's {broken[1]} does not start" if broken else None
        if self._aborted:
            return _ABORTED
        crash = self.crash()
        return f"the kernel crashed: {crash.headline}" if crash else "the machine ended"

    def _qemu_text(self) -> str:
        return self._messages.read_text(errors="replace") if self._messages.exists() else ""


def _tail(console: str, lines: int = 200) -> str:
    return "\n".join(console.splitlines()[-lines:])
