"""A phone: as it is, with runtime switches, or with kernels of its own; all of it is put back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from foundation.contract.device import Expectation
from foundation.errors import BootFailed, SuiteError, UsageError
from foundation.progress import Progress, silent
from harness.device import phone_facts, phone_state
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.attach import attach_phone
from harness.device.crash import find_crash
from harness.device.deadline import Deadline, wait_until
from harness.device.fastboot.choice import Kernel
from harness.device.fastboot.opening import FlashOptions, open_kernels
from harness.device.fastboot.phone_kernels import PhoneKernels
from harness.device.lab import NO_LAB, Act, Lab, permit
from harness.device.preconditions.pinned import PinnedState, undo_left
from harness.device.preconditions.pins import FilePin

BOOT_DEADLINE_S: Final = 300.0


def open_phone(
    name: str,
    *,
    serial: str | None = None,
    adb_port: int | None = None,
    su: bool = False,
    reboot_between: bool = False,
    role: str | None = None,
    lab: Lab = NO_LAB,
    kernels: Mapping[str, Kernel] | None = None,
    flash: FlashOptions | None = None,
    say: Progress = silent,
) -> PhoneLane:
    """Find the phone (see `attach_phone`) and open a lane on it. LabError, UsageError, HostError.

    ``kernels`` are those of the campaign, by variant: no others are taken, and these only as
    ``flash`` and ``lab`` allow. ``say`` takes how far the writing of an image is.
    """
    server, device = attach_phone(serial=serial, adb_port=adb_port, su=su, role=role, lab=lab)
    try:
        if reboot_between:
            facts = phone_facts.describe(device)
            permit(
                Act.REBOOT,
                serial=device.serial,
                model=facts.get("model", ""),
                build=facts.get("build", ""),
                opted_in=True,
                lab=lab,
            )
        opened = open_kernels(device, kernels or {}, flash or FlashOptions(), lab, say=say)
        return PhoneLane(name, device, server, reboot_between=reboot_between, kernels=opened)
    except BaseException:
        server.stop()
        raise


class PhoneLane:
    """The suite's Lane on one phone.

    ``boot`` restarts nothing unless ``reboot_between``: it undoes the switches of the
    variant before and sets those of the next, which needs root. With ``kernels`` every `boot`
    is a restart, also one into the kernel that the phone was found with. ``close`` undoes
    switches and kernels.
    """

    emulated = False

    def __init__(
        self,
        name: str,
        device: AdbDevice,
        server: AdbServer,
        *,
        reboot_between: bool = False,
        kernels: PhoneKernels | None = None,
    ) -> None:
        self.name = name
        self._device = device
        self._server = server
        self._reboot_between = reboot_between
        self._kernels = kernels
        self._switches: PinnedState | None = None
        self._boot_id = ""
        self._log_from_s = 0.0
        self._booted = False

    def boot(self, kernel: Kernel | None = None, switches: Sequence[FilePin] = ()) -> AdbDevice:
        """Put ``kernel`` (None: the one it was found with) and ``switches`` in place of those before.

        UsageError for a kernel that the lane was not opened for, StateError, BootFailed (the phone
        is back on its known-good kernel then), and what `PhoneKernels.boot` raises.
        """
        self._check(kernel)
        self._undo()
        # Of a run that was killed, or of a block that lost the phone and could not undo it then.
        undo_left(self._device)
        if self._kernels is not None:
            self._booted = False
            self._kernels.boot(kernel)
        elif self._reboot_between and self._booted:
            self._reboot()
        self._booted = True
        self._wait_until_booted()
        self._boot_id = phone_state.boot_id(self._device)
        self._log_from_s = phone_facts.uptime_s(self._device)
        state = PinnedState(self._device)
        self._switches = state
        state.apply(switches)
        return self._device

    def expectation(self, kernel: Kernel | None = None, switches: Sequence[FilePin] = ()) -> Expectation:
        """The switches must read as set, and ``kernel`` must run.

        Of a phone that is left as it is it cannot be known beforehand which kernel that is.
        """
        parameters = {pin.path: pin.wanted or "" for pin in switches}
        self._check(kernel)
        if self._kernels is None:
            return Expectation(parameters=parameters)
        return replace(self._kernels.expectation(kernel), parameters=parameters)

    def crash_log(self) -> str | None:
        """Signs of a crash since `boot`: in the kernel log, or a restart that nobody asked for.

        Needs a readable kernel log (root, or a debug build); waits for a phone that restarts.
        """
        if not self._booted:
            return None
        try:
            if not self._device.reconnect(deadline_s=BOOT_DEADLINE_S):
                return None
            if phone_state.boot_id(self._device) != self._boot_id:
                restart = phone_facts.last_restart(self._device)
                log = f"the phone restarted by itself; reason: {restart.reason}\n{restart.last_words}"
                return None if restart.was_requested else log
            crash = find_crash(self.console())
        except SuiteError:
            return None
        return crash.log if crash is not None else None

    def console(self) -> str:
        """The kernel log since `boot`; empty where it may not be read."""
        try:
            return phone_facts.kernel_log(self._device, since_s=self._log_from_s)
        except SuiteError:
            return ""

    def device_cpu_s(self) -> float | None:
        """None: a phone uses none of the host's CPUs."""
        return None

    def describe(self) -> dict[str, str]:
        """Model, build, kernel, CPUs, memory and state of the phone."""
        return {
            "serial": self._device.serial,
            "adb_port": str(self._server.port),
            "rebooted_between_blocks": "yes" if self._reboot_between or self._kernels else "no",
            **phone_facts.describe(self._device),
            **(self._kernels.describe() if self._kernels else {}),
        }

    def close(self) -> None:
        """Undo switches and kernels, and end an own adb server; may be called twice.

        StateError if the phone could not be put back.
        """
        kernels, self._kernels = self._kernels, None
        try:
            self._undo()
        finally:
            try:
                if kernels is not None:
                    kernels.put_back()
            finally:
                self._server.stop()

    def _check(self, kernel: Kernel | None) -> None:
        if kernel is not None and self._kernels is None:
            raise UsageError(
                "the variant brings a kernel, and this lane was opened for none",
                device=self._device.serial,
                next_step="name it among the variants of the campaign",
            )

    def _undo(self) -> None:
        switches, self._switches = self._switches, None
        if switches is not None:
            switches.restore()

    def _reboot(self) -> None:
        before = phone_state.boot_id(self._device)
        self._device.reboot()
        deadline = Deadline(BOOT_DEADLINE_S)

        def rebooted() -> bool:
            try:
                left_s = max(1.0, deadline.left_s)
                return self._device.reconnect(deadline_s=left_s) and (
                    phone_state.boot_id(self._device) != before
                )
            except SuiteError:
                return False

        if not wait_until(rebooted, deadline, every_s=1.0):
            raise BootFailed(
                f"the phone did not come back within {BOOT_DEADLINE_S:g} s after a restart",
                device=self._device.serial,
                next_step="look at its screen",
            )

    def _wait_until_booted(self) -> None:
        deadline = Deadline(BOOT_DEADLINE_S)

        def booted() -> bool:
            return self._device.shell(["getprop", "sys.boot_completed"]).stdout.strip() == "1"

        if not wait_until(booted, deadline, every_s=1.0):
            raise BootFailed(
                f"Android did not start within {BOOT_DEADLINE_S:g} s (sys.boot_completed is not 1)",
                device=self._device.serial,
                next_step="look at its screen, and at 'adb logcat'",
            )
