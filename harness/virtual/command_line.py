"""QEMU's command line for one boot of the virtual device."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from foundation.contract.arch import Arch
from foundation.errors import HostError

AccelName = Literal["kvm", "tcg"]
#: ``instructions``: the guest's clock is the number of its executed instructions, and the host decides
#: in lock-step what it does. ``host``: it is the host's clock.
Clock = Literal["instructions", "host"]
CLOCKS: Final[tuple[Clock, ...]] = ("instructions", "host")
#: One CPU for cost; what a second one gives shows by the host's clock alone.
USUAL_CPUS: Final[dict[Clock, int]] = {"instructions": 1, "host": 2}

ADBD_PORT: Final = 5555

_PROGRAMS: Final[dict[Arch, tuple[str, str]]] = {
    "x86_64": ("qemu-system-x86_64", "qemu-system-x86"),
    "aarch64": ("qemu-system-aarch64", "qemu-system-arm"),
}

# nokaslr, norandmaps: the same addresses in each boot, and in each run of a program, whose translated
# code the emulator can use again. cma=0: Debian's arm64 would keep a quarter of the memory for movable
# pages, where no trace buffer fits. ramfs: the device's own files are never swapped.
# panic=-1 reboots at once, and QEMU exits instead (-no-reboot); loglevel 5 shows warnings.
_KERNEL_ARGUMENTS: Final = (
    *(
        "loglevel=5",
        "printk.devkmsg=on",
        "nokaslr",
        "norandmaps",
        "cma=0",
        "mitigations=off",
        "rootfstype=ramfs",
    ),
    *("panic=-1", "oops=panic", "rcupdate.rcu_cpu_stall_timeout=120"),
    *("transparent_hugepage=never", "psi=1", "androidboot.serialno=virtual"),
)
# tsc=reliable: otherwise the kernel rejects an emulated TSC, and each timestamp is a slow device read.
_CONSOLE: Final[dict[Arch, tuple[str, ...]]] = {
    "x86_64": ("console=ttyS0", "tsc=reliable"),
    "aarch64": ("console=ttyAMA0",),
}
_LOCKSTEP: Final = "suite.lockstep"

# Two nanoseconds an instruction; an idle guest skips to its next timer.
_INSTRUCTION_CLOCK: Final = (
    *("-accel", "tcg,thread=single", "-icount", "shift=1,sleep=off"),
    *("-seed", "1", "-rtc", "base=2026-01-01,clock=vm"),
)


@dataclass(frozen=True)
class MachineConfig:
    """The parts of a virtual machine.

    ``accel`` is for the host's clock alone; ``arguments`` are words for the kernel's command line.
    """

    arch: Arch
    image: Path
    initramfs: Path
    clock: Clock = "instructions"
    accel: AccelName = "tcg"
    cpus: int = 1
    memory_mb: int = 256
    arguments: tuple[str, ...] = ()


def find_qemu(arch: Arch) -> Path:
    """Path of the emulator. HostError naming the package if it is missing."""
    return find_program(*_PROGRAMS[arch])


def find_program(name: str, package: str) -> Path:
    """Path of a program of this host. HostError naming its Debian package if it is missing."""
    path = shutil.which(name)
    if path is None:
        raise HostError(f"this host lacks {name}", next_step=f"install the Debian package {package}")
    return Path(path)


def arguments(config: MachineConfig, port: int, console: Path, channel: Sequence[str]) -> list[str]:
    """The whole command line; ``channel`` are the options of the link, empty by the host's clock."""
    lockstep = [_LOCKSTEP] if channel else []
    kernel = [*_CONSOLE[config.arch], *_KERNEL_ARGUMENTS, *lockstep, *config.arguments]
    return [
        str(find_qemu(config.arch)),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *_machine(config),
        *("-smp", str(config.cpus), "-m", str(config.memory_mb)),
        *("-kernel", str(config.image), "-initrd", str(config.initramfs), "-append", " ".join(kernel)),
        *("-chardev", f"file,id=console,path={console}", "-serial", "chardev:console"),
        *(channel or _network(port)),
    ]


def _network(port: int) -> tuple[str, ...]:
    """What adb needs. A network card answers in the host's time, so in lock-step there is none."""
    return (
        *("-netdev", f"user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:{ADBD_PORT}"),
        *("-device", "virtio-net-pci,netdev=net0,romfile="),
    )


def _machine(config: MachineConfig) -> list[str]:
    kvm = config.clock == "host" and config.accel == "kvm"
    clock: tuple[str, ...] = _INSTRUCTION_CLOCK
    if config.clock == "host":
        clock = ("-accel", "kvm" if kvm else "tcg,thread=multi")
    if config.arch == "aarch64":
        machine, cpu = "virt,gic-version=3", "cortex-a76"
    else:
        machine, cpu = "pc", "qemu64,+invtsc"
    return ["-machine", machine, "-cpu", "host" if kvm else cpu, *clock]
