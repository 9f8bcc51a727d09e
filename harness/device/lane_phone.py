"""The lane of a phone: unchanged, with runtime switches, or with other kernels; restored at the end."""

from __future__ import annotations

import contextlib
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
from harness.device.modules.fit import OwnModules, PairFiles
from harness.device.phone_swap import PhoneSwap
from harness.device.preconditions.pinned import PinnedState, undo_left
from harness.device.preconditions.pins import FilePin
from harness.device.preconditions.zram_modules import ZramModulesPin, modules_pin

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
    modules: bool = False,
    reset_backed_zram: bool = False,
    say: Progress = silent,
) -> PhoneLane:
    """Find the phone (see `attach_phone`) and open a lane on it. LabError, UsageError, HostError.

    ``kernels`` are those of the campaign, by variant: no others can be booted, and these only as
    ``flash`` and ``lab`` allow. ``modules``: the campaign exchanges modules, which ``lab`` must allow.
    A zram with a backing device is unloaded with its module only with ``reset_backed_zram``. ``say`` takes
    the progress of a write.
    """
    server, device = attach_phone(serial=serial, adb_port=adb_port, su=su, role=role, lab=lab)
    try:
        acts = [Act.REBOOT] * reboot_between + [Act.LOAD_MODULE] * modules
        facts = phone_facts.describe(device) if acts else {}
        for act in acts:
            permit(
                act,
                serial=device.serial,
                model=facts.get("model", ""),
                build=facts.get("build", ""),
                # The option of one is --reboot-between, of the other the variant itself.
                opted_in=True,
                lab=lab,
            )
        opened = open_kernels(device, kernels or {}, flash or FlashOptions(), lab, say=say)
        return PhoneLane(
            name,
            device,
            server,
            reboot_between=reboot_between,
            kernels=opened,
            reset_backed_zram=reset_backed_zram,
            say=say,
        )
    except BaseException:
        server.stop()
        raise


class PhoneLane:
    """The suite's Lane on one phone.

    `boot` does not reboot unless ``reboot_between``: it undoes the switches of the previous
    variant and sets those of the next, which needs root; the same with modules. With ``kernels`` every
    `boot` is a reboot, even into the original kernel. `close` undoes switches, modules and kernels.
    """

    emulated = False
    host_time = True

    def __init__(
        self,
        name: str,
        device: AdbDevice,
        server: AdbServer,
        *,
        reboot_between: bool = False,
        kernels: PhoneKernels | None = None,
        reset_backed_zram: bool = False,
        say: Progress = silent,
    ) -> None:
        self.name = name
        self._device = device
        self._server = server
        self._reboot_between = reboot_between
        self._kernels = kernels
        self._reset_backed_zram = reset_backed_zram
        self._swap = PhoneSwap(device, say)
        self._switches: PinnedState | None = None
        self._modules: ZramModulesPin | None = None
        self._boot_id = ""
        self._log_from_s = 0.0
        self._booted = False

    def boot(
        self,
        kernel: Kernel | None = None,
        switches: Sequence[FilePin] = (),
        modules: PairFiles | OwnModules | None = None,
    ) -> AdbDevice:
        """Replace the previous kernel and switches by ``kernel`` (None: the original) and ``switches``.

        ``modules`` are loaded in place of the phone's zsmalloc and zram, or these again (`OwnModules`);
        None leaves them alone. UsageError for a kernel that the lane was not opened for or for modules
        that do not fit, StateError, ModuleLoadFailed, BootFailed (the phone is back on its known-good
        kernel then), and what `PhoneKernels.boot` raises.
        """
        self._check(kernel)
        self._undo()
        # Left by a killed run, or by a block that lost the phone before it could undo it.
        undo_left(self._device)
        if not self._swap.found:
            self._wait_until_booted()
            self._swap.find()
        restarts = self._kernels is not None or (self._reboot_between and self._booted)
        if self._kernels is not None:
            self._booted = False
            self._kernels.boot(kernel)
        elif restarts:
            self._reboot()
        self._booted = True
        self._wait_until_booted()
        if restarts:
            self._swap.wait_until_set_up()
        self._boot_id = phone_state.boot_id(self._device)
        self._log_from_s = phone_facts.uptime_s(self._device)
        state = PinnedState(self._device)
        self._switches = state
        with contextlib.ExitStack() as stack:
            # A phone whose new module was refused has no swap: it is put back at once.
            stack.push(state)
            self._modules = None if modules is None else self._modules_pin(modules)
            state.apply([*([] if self._modules is None else [self._modules]), *switches])
            stack.pop_all()
        return self._device

    def expectation(
        self,
        kernel: Kernel | None = None,
        switches: Sequence[FilePin] = (),
        thread: str | None = None,
    ) -> Expectation:
        """The switches must read as set, and ``kernel``, the modules of the last `boot` and ``thread`` run.

        Without kernels, any kernel will do: the phone's own is not known beforehand.
        """
        self._check(kernel)
        expected = Expectation() if self._kernels is None else self._kernels.expectation(kernel)
        build_ids, sources = ({}, {}) if self._modules is None else self._modules.expected()
        return replace(
            expected,
            build_ids={**expected.build_ids, **build_ids},
            parameters={**sources, **{pin.path: pin.wanted or "" for pin in switches}},
            thread=thread,
        )

    def crash_log(self) -> str | None:
        """Signs of a crash since `boot`: in the kernel log, or an unrequested reboot.

        Needs a readable kernel log (root, or a debug build); waits for a phone that reboots.
        """
        if not self._booted:
            return None
        try:
            if not self._device.reconnect(deadline_s=BOOT_DEADLINE_S):
                return None
            if phone_state.boot_id(self._device) != self._boot_id:
                restart = phone_facts.last_restart(self._device)
                log = f"the phone rebooted by itself; reason: {restart.reason}\n{restart.last_words}"
                return None if restart.was_requested else log
            crash = find_crash(self.console())
        except SuiteError:
            return None
        return crash.log if crash is not None else None

    def console(self) -> str:
        """The kernel log since `boot`; empty if reading it is not allowed."""
        try:
            return phone_facts.kernel_log(self._device, since_s=self._log_from_s)
        except SuiteError:
            return ""

    def device_cpu_s(self) -> float | None:
        """None: a phone does not use the host's CPUs."""
        return None

    def parts(self) -> dict[str, str]:
        """Empty: identity and images prove what a phone runs."""
        return {}

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
        """Undo switches and kernels, and end the suite's own adb server; may be called twice.

        A phone that had swap has it then. StateError if the phone could not be restored.
        """
        kernels, self._kernels = self._kernels, None
        with contextlib.ExitStack() as stack:
            stack.callback(self._server.stop)
            if kernels is not None:
                # The restart that this takes sets up the phone's swap.
                stack.callback(kernels.put_back)
            elif self._booted:
                stack.callback(self._swap.check)
            self._undo()
            self._booted = False

    def _check(self, kernel: Kernel | None) -> None:
        if kernel is not None and self._kernels is None:
            raise UsageError(
                "the variant has a kernel, but this lane was opened without kernels",
                device=self._device.serial,
                next_step="name it among the variants of the campaign",
            )

    def _modules_pin(self, modules: PairFiles | OwnModules) -> ZramModulesPin:
        return modules_pin(self._device, modules, reset_backed=self._reset_backed_zram)

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
                f"the phone did not come back within {BOOT_DEADLINE_S:g} s after a reboot",
                device=self._device.serial,
                next_step="check its screen",
            )

    def _wait_until_booted(self) -> None:
        def booted() -> bool:
            return self._device.shell(["getprop", "sys.boot_completed"]).stdout.strip() == "1"

        if not wait_until(booted, Deadline(BOOT_DEADLINE_S), every_s=1.0):
            raise BootFailed(
                f"Android did not start within {BOOT_DEADLINE_S:g} s (sys.boot_completed is not 1)",
                device=self._device.serial,
                next_step="check its screen, and 'adb logcat'",
            )
