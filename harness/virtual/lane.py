"""A lane whose device is a virtual machine, a new one for each boot."""

from __future__ import annotations

import contextlib
import platform
import tempfile
from pathlib import Path
from typing import Final

from foundation.contract.device import Device
from foundation.errors import BootFailed, HostError, KernelCrash, LabError, UsageError
from foundation.files import sha256_of
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.virtual.accel import Acceleration, choose
from harness.virtual.base import DEFAULT_BASE, Base
from harness.virtual.command_line import USUAL_CPUS, Clock, MachineConfig
from harness.virtual.initramfs import build_initramfs
from harness.virtual.kernels import stock_bundle
from harness.virtual.link.lockstep_device import LockstepDevice
from harness.virtual.qemu import VirtualMachine, qemu_version
from harness.virtual.recipe import Recipe
from harness.virtual.userland import userland

_CPUS_MAX: Final = 64
_MEMORY_MIN_MB: Final = 96
_MEMORY_MAX_MB: Final = 1024 * 1024
#: From here on a device holds its root file system twice while it boots.
_ROOMY_MB: Final = 192


def check_sizes(cpus: int, memory_mb: int) -> None:
    """UsageError for an impossible number of CPUs or memory size."""
    if not 1 <= cpus <= _CPUS_MAX:
        raise UsageError(f"a virtual device cannot have {cpus} CPUs", next_step=f"give 1 to {_CPUS_MAX}")
    if not _MEMORY_MIN_MB <= memory_mb <= _MEMORY_MAX_MB:
        raise UsageError(
            f"a virtual device cannot have {memory_mb} MB of memory",
            next_step=f"give {_MEMORY_MIN_MB} to {_MEMORY_MAX_MB}",
        )


class VirtualLane:
    """A virtual device, booted again for each block (see the protocol ``Lane``).

    ``workdir`` keeps the console of each boot (None: a temporary folder). By the instruction clock its
    devices are in lock-step (`LockstepDevice`), by the host's they are behind adb. ``cpus`` None is the
    usual number of the clock. ``accel``, by the host's clock alone, is kvm, tcg or None: by environment
    or probe. Nothing boots before `boot`.
    """

    emulated = True

    def __init__(
        self,
        name: str = "virtual-0",
        cpus: int | None = None,
        memory_mb: int = 256,
        workdir: Path | None = None,
        *,
        base: Base = DEFAULT_BASE,
        clock: Clock = "instructions",
        accel: str | None = None,
        boot_deadline_s: float = 120.0,
    ) -> None:
        cpus = USUAL_CPUS[clock] if cpus is None else cpus
        check_sizes(cpus, memory_mb)
        self.name = name
        self.base = base
        self._clock = clock
        #: Whether the host's load shows in the device's figures.
        self.host_time = clock == "host"
        self._cpus = cpus
        self._memory_mb = memory_mb
        self._wanted_accel = accel
        self._boot_deadline_s = boot_deadline_s
        self._closing = contextlib.ExitStack()
        self._workdir = workdir or Path(
            self._closing.enter_context(tempfile.TemporaryDirectory(prefix="virtual-device-"))
        )
        try:
            self._workdir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HostError(
                f"{self._workdir} cannot be created: {error.strerror}",
                next_step="give a folder for the consoles",
            ) from error
        self._boots = 0
        self._parts: dict[str, str] = {}
        self._aborted = False
        self._machine: VirtualMachine | None = None
        self._server: AdbServer | None = None
        self._acceleration: Acceleration | None = None

    def boot(self, recipe: Recipe) -> Device:
        """End the running machine, boot ``recipe``, and wait until it takes commands.

        BootFailed, ModuleLoadFailed (with the console as log), UsageError for a kernel of another base,
        HostError (QEMU, adb).
        """
        self._end_machine()
        if recipe.bundle.base != self.base:
            raise UsageError(
                f"the kernel {recipe.bundle.name} is for {recipe.bundle.base}, the device for {self.base}",
                next_step=f"give --virtual-base {recipe.bundle.base}, or another kernel",
            )
        config = MachineConfig(
            arch=self.base.arch,
            image=recipe.bundle.image,
            initramfs=build_initramfs(recipe.bundle, compressed=self._memory_mb < _ROOMY_MB),
            clock=self._clock,
            accel=self._accel().name if self.host_time else "tcg",
            cpus=self._cpus,
            memory_mb=self._memory_mb,
            arguments=recipe.bundle.arguments,
        )
        self._parts = {
            "image": sha256_of(config.image),
            "initramfs": sha256_of(config.initramfs),
            "arguments": " ".join(config.arguments),
            "packages": "; ".join(map(str, recipe.bundle.packages)),
        }
        self._boots += 1
        machine = VirtualMachine(config, self._workdir / f"boot-{self._boots:03d}")
        self._machine = machine
        if self._aborted:
            raise LabError("the lane was closed", device=self.name)
        machine.start(deadline_s=self._boot_deadline_s)
        if machine.channel is not None:
            return LockstepDevice(machine.channel, self.name)
        return self._device_behind_adb(machine)

    def _device_behind_adb(self, machine: VirtualMachine) -> AdbDevice:
        server = self._adb()
        try:
            serial = server.connect(machine.serial, deadline_s=30.0)
        except LabError as error:
            crash = machine.crash()
            raise BootFailed(
                f"the device booted but did not answer adb: {crash.headline if crash else error.what}",
                log=crash.log if crash else machine.console(),
                device=machine.serial,
                next_step="read the console log",
            ) from error
        return AdbDevice(server, serial, emulated=True)

    def crash_log(self) -> str | None:
        """Console text of a panic, oops, lockup or hung task since the last boot, or None."""
        crash = self._machine.crash() if self._machine else None
        return crash.log if crash else None

    def check_alive(self) -> None:
        """KernelCrash (with its log) if the kernel crashed since the last boot."""
        crash = self._machine.crash() if self._machine else None
        if crash:
            raise KernelCrash(
                f"{crash.kind}: {crash.headline}",
                log=crash.log,
                device=self._machine.serial if self._machine else None,
                next_step="the log is the result; fix the kernel under test",
            )

    def console(self) -> str:
        """All console text since the last boot."""
        return self._machine.console() if self._machine else ""

    def device_cpu_s(self) -> float | None:
        """Host CPU seconds of the machine since its boot; None before the first boot."""
        return self._machine.cpu_s() if self._machine else None

    def is_running(self) -> bool:
        """Whether the machine runs; a panic or reboot of the guest ends it."""
        return self._machine is not None and self._machine.is_running()

    def boot_s(self) -> float | None:
        """Seconds of the last boot, from the start of QEMU until the guest's adb daemon listens."""
        return self._machine.boot_s if self._machine else None

    def parts(self) -> dict[str, str]:
        """SHA-256 of kernel image and initramfs, the kernel's arguments, and its Debian packages."""
        return dict(self._parts)

    def describe(self) -> dict[str, str]:
        """Facts for the report. By the host's clock it may probe KVM, once a week for some seconds."""
        accel = self._accel() if self.host_time else Acceleration("tcg", "the instruction clock needs it")
        return {
            "model": f"virtual-{self.base.arch}",
            "emulated": "true",
            "clock": self._clock,
            "base": str(self.base),
            "page_kb": str(self.base.page_kb),
            "accelerator": accel.name,
            "accelerator_reason": accel.reason,
            "cpus": str(self._cpus),
            "memory_mb": str(self._memory_mb),
            "qemu": qemu_version(self.base.arch),
            "packages": "; ".join(map(str, userland(self.base.arch).packages)),
            "host_kernel": platform.release(),
        }

    def abort(self) -> None:
        """End the machine from another thread, and boot no other: whoever uses it gets a LabError."""
        self._aborted = True
        if self._machine is not None:
            self._machine.abort()

    def close(self) -> None:
        """End the machine and the adb server; may be called twice."""
        self._end_machine()
        if self._server is not None:
            self._server.stop()
            self._server = None
        self._closing.close()

    def _end_machine(self) -> None:
        if self._machine is None:
            return
        if self._server is not None:
            self._server.disconnect(self._machine.serial)
        self._machine.stop()

    def _adb(self) -> AdbServer:
        if self._server is not None and not self._server.alive:
            self._server.stop()
            self._server = None
        if self._server is None:
            self._server = AdbServer.start()
        return self._server

    def _accel(self) -> Acceleration:
        if self._acceleration is None:
            bundle = stock_bundle(self.base)
            config = MachineConfig(
                self.base.arch, bundle.image, build_initramfs(bundle), clock="host", accel="kvm", cpus=2
            )
            self._acceleration = choose(config, wanted=self._wanted_accel)
        return self._acceleration
