"""One boot of the virtual device: QEMU, its console, and the port by which adb reaches it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from foundation.errors import BootFailed, HostError, ModuleLoadFailed
from foundation.ports import free_port
from harness.device.crash import Crash, find_crash

AccelName = Literal["kvm", "tcg"]

QEMU: Final = "qemu-system-x86_64"
ADBD_PORT: Final = 5555
READY: Final = "suite-init: ready"
_MODULE_ERROR: Final = re.compile(r"suite-init: module-error ([\w-]+)\.ko: (.*)")
_DAEMON_BROKEN: Final = re.compile(r"suite-init: (\S+) does not start")
_PORT_TAKEN: Final = "Could not set up host forwarding rule"
_POLL_S: Final = 0.05

# nokaslr: addresses are the same in each boot. tsc=reliable: else an emulated CPU's clock is distrusted
# and each time stamp becomes a slow device read. ramfs: the device's own files are never swapped.
# panic=-1 reboots at once, and QEMU ends instead of rebooting (-no-reboot); loglevel 5 shows warnings.
_KERNEL_ARGUMENTS: Final = (
    "console=ttyS0 loglevel=5 printk.devkmsg=on nokaslr mitigations=off tsc=reliable rootfstype=ramfs "
    "panic=-1 oops=panic rcupdate.rcu_cpu_stall_timeout=120 transparent_hugepage=never psi=1"
)

# The kernel ends a child with the thread that started it (PR_SET_PDEATHSIG), so the thread must live
# as long as this process does.
_launcher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qemu-launcher")


@dataclass(frozen=True)
class MachineConfig:
    """What a virtual machine is made of. ``variant`` becomes the property ``ro.boot.variant``."""

    image: Path
    initramfs: Path
    accel: AccelName = "tcg"
    cpus: int = 2
    memory_mb: int = 256
    variant: str = "stock"


def find_qemu() -> Path:
    """Path of the emulator. HostError naming the package if it is missing."""
    found = shutil.which(QEMU)
    if not found:
        raise HostError(
            f"{QEMU} is not on this host", next_step="install the Debian package qemu-system-x86"
        )
    return Path(found)


def qemu_version() -> str:
    """First line of ``qemu --version``."""
    done = subprocess.run(
        [find_qemu(), "--version"], capture_output=True, text=True, timeout=20, check=False
    )
    return done.stdout.splitlines()[0] if done.stdout else "unknown"


def arguments(config: MachineConfig, port: int, console: Path) -> list[str]:
    """The command line of QEMU."""
    cpu = "host" if config.accel == "kvm" else "qemu64,+invtsc"
    variant = re.sub(r"[^A-Za-z0-9._-]", "_", config.variant)
    return [
        str(find_qemu()),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", "pc", "-accel", "kvm" if config.accel == "kvm" else "tcg,thread=multi"),
        *("-cpu", cpu, "-smp", str(config.cpus), "-m", str(config.memory_mb)),
        *("-kernel", str(config.image), "-initrd", str(config.initramfs)),
        *(
            "-append",
            f"{_KERNEL_ARGUMENTS} androidboot.variant={variant} androidboot.serialno=virtual-{port}",
        ),
        *("-chardev", f"file,id=console,path={console}", "-serial", "chardev:console"),
        *("-netdev", f"user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:{ADBD_PORT}"),
        *("-device", "virtio-net-pci,netdev=net0,romfile="),
    ]


class VirtualMachine:
    """A running (or ended) virtual machine; it never outlives this process.

    ``workdir`` holds its console and QEMU's own messages. A machine boots once.
    """

    def __init__(self, config: MachineConfig, workdir: Path, *, port_source: Callable[[], int] = free_port):
        self.config = config
        self.port = 0
        self.boot_s: float | None = None
        self._port_source = port_source
        self._console = workdir / "console.log"
        self._messages = workdir / "qemu.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._cpu_s = 0.0
        workdir.mkdir(parents=True, exist_ok=True)

    @property
    def serial(self) -> str:
        """The name by which adb knows the device."""
        return f"127.0.0.1:{self.port}"

    def start(self, *, deadline_s: float = 120.0) -> None:
        """Boot and wait until the guest's adb daemon listens.

        BootFailed (with the console's tail as log), ModuleLoadFailed (with the kernel's own
        message), HostError if QEMU itself does not run.
        """
        if self._process is not None:
            raise RuntimeError("a machine boots once")
        begin = time.monotonic()
        try:
            for _ in range(5):
                self._launch()
                if not self._wait_until_up(begin + deadline_s):
                    continue
                self.boot_s = time.monotonic() - begin
                return
        except BaseException:
            self.stop()
            raise
        raise HostError("no free port for the virtual device in 5 tries", next_step="try again")

    def is_running(self) -> bool:
        """Whether QEMU still runs; a panic or a reboot of the guest ends it."""
        return self._process is not None and self._process.poll() is None

    def console(self) -> str:
        """All that the guest's serial console said."""
        try:
            return self._console.read_bytes().decode(errors="replace").replace("\r\n", "\n")
        except FileNotFoundError:
            return ""

    def crash(self) -> Crash | None:
        """The first panic, oops, lockup or hung task on the console."""
        return find_crash(self.console())

    def cpu_s(self) -> float:
        """Host CPU seconds (user and system) that QEMU has used; the last value known after its end."""
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
        if self._process is None or self._process.poll() is not None:
            return
        self.cpu_s()
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(30)

    def _launch(self) -> None:
        find_qemu()
        self.port = self._port_source()
        self._console.write_bytes(b"")
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise HostError(
                "setpriv is not on this host", next_step="install the Debian package util-linux"
            )
        command = [setpriv, "--pdeathsig", "KILL", "--", *arguments(self.config, self.port, self._console)]
        self._process = _launcher.submit(self._popen, command).result()

    def _popen(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self._messages.open("wb") as messages:
            # A session of its own: Ctrl-C is for us, and we stop the machine in good order.
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                start_new_session=True,
            )

    def _wait_until_up(self, deadline: float) -> bool:
        """False if another process took the port meanwhile."""
        while True:
            running = self.is_running()
            console = self.console()
            self._raise_module_error(console, ended=READY in console or not running)
            if READY in console and running:
                return True
            broken = _DAEMON_BROKEN.search(console)
            if broken:
                raise BootFailed(
                    f"the guest's {broken.group(1)} does not start",
                    log=_tail(console),
                    device=self.serial,
                    next_step="give the device more memory, or read the console log",
                )
            if not running:
                if _PORT_TAKEN in self._qemu_text():
                    return False
                self._raise_ended(console)
            if time.monotonic() > deadline:
                raise BootFailed(
                    "the kernel did not come up before the deadline",
                    log=_tail(console),
                    device=self.serial,
                    next_step="read the console log; on a busy host give the boot more time",
                )
            time.sleep(_POLL_S)

    def _raise_module_error(self, console: str, *, ended: bool) -> None:
        failed = _MODULE_ERROR.search(console)
        if not failed or not ended:
            return
        name, reason = failed.groups()
        # The kernel names modules with underscores.
        word = re.compile(rf"\b{re.escape(name).replace('_', '[-_]')}: (.+)")
        said = [m.group(1).strip() for m in word.finditer(console[: failed.start()])]
        detail = f"{reason.strip()} (the kernel says: {said[-1]})" if said else reason.strip()
        raise ModuleLoadFailed(
            f"module {name} was refused: {detail}",
            log=_tail(console),
            device=self.serial,
            next_step=(
                "correct the module's parameters"
                if "parameter" in detail
                else "build the module against exactly this kernel's headers and configuration"
            ),
        )

    def _raise_ended(self, console: str) -> None:
        crash = find_crash(console)
        if crash:
            raise BootFailed(
                f"the kernel crashed while it booted: {crash.headline}",
                log=_tail(console),
                device=self.serial,
                next_step="read the console log",
            )
        if console.strip():
            raise BootFailed(
                "the machine ended while it booted",
                log=_tail(console),
                device=self.serial,
                next_step="read the console log",
            )
        said = self._qemu_text().strip().splitlines()
        status = self._process.returncode if self._process else None
        if status == 0:
            # QEMU itself is content: with -no-reboot a reset by the guest ends it.
            raise BootFailed(
                "the machine reset itself before the kernel said a word",
                log="The console stayed empty.\n" + "\n".join(said),
                device=self.serial,
                next_step="check that the image is a whole kernel for this machine, with a serial console",
            )
        raise HostError(
            f"QEMU ended with status {status}: {said[-1] if said else 'no message'}",
            next_step="check the kernel image, the memory size and free memory of this host",
        )

    def _qemu_text(self) -> str:
        return self._messages.read_text(errors="replace") if self._messages.exists() else ""


def _tail(console: str, lines: int = 200) -> str:
    return "\n".join(console.splitlines()[-lines:])
