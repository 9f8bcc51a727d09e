"""Kernels on one phone: booted, proved, rolled back, and undone at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Expectation
from foundation.errors import BootFailed, LabError, StateError, SuiteError
from foundation.signals import signals_held
from harness.device import phone_facts, phone_state
from harness.device.adb.adb_device import AdbDevice
from harness.device.deadline import Deadline
from harness.device.fastboot import checks, pending_restore
from harness.device.fastboot.boot_locator import BootLocator
from harness.device.fastboot.choice import Kernel, KnownGood, RamKernel, SlotKernel
from harness.device.fastboot.client import REBOOT_TO, Fastboot, Place
from harness.device.fastboot.images import Image
from harness.device.fastboot.kernel_payload import KernelFingerprint
from harness.device.fastboot.pending_restore import OriginalState
from harness.device.fastboot.steps import (
    AwaitAndroid,
    BootFromRam,
    Flash,
    Inspect,
    PhoneNames,
    Reboot,
    SetActive,
    Situation,
    Step,
    after,
    is_original,
    steps_back,
    steps_to,
)
from harness.device.identity import VMLINUX, read_identity
from harness.device.preconditions.journal import process_of

BOOT_DEADLINE_S: Final = 300.0
BOOTLOADER_S: Final = 60.0
_LAST_LOG: Final = "--- what the kernel before this one left"
#: Questions to the phone in its original state.
FACTS: Final = {
    "serialno": "getprop ro.serialno",
    "slot": "getprop ro.boot.slot_suffix",
    "verity": "getprop ro.boot.veritymode",
    "verified": "getprop ro.boot.verifiedbootstate",
    "virtual_ab": "getprop ro.virtual_ab.enabled",
}


class PhoneKernels:
    """Boots kernels on one phone, and restores the original one.

    Create it while the phone runs Android. ``kernels`` are those of the campaign, by variant. Side
    effects: reboots; writes to partitions for variants of kind flash only, undone by `put_back`.
    """

    def __init__(
        self,
        device: AdbDevice,
        fastboot: Fastboot,
        kernels: Mapping[str, Kernel],
        known_good: KnownGood | None,
        *,
        boot_deadline_s: float = BOOT_DEADLINE_S,
    ) -> None:
        self._device = device
        self._fastboot = fastboot
        self._locator = BootLocator(device, fastboot)
        self._kernels = kernels
        self._known_good = known_good
        self._boot_deadline_s = boot_deadline_s
        facts = {key: answer.text for key, answer in ask_all(device, FACTS).items()}
        self._serialno = facts["serialno"] or device.serial
        self._facts = facts
        slot = facts["slot"].lstrip("_")
        pending = pending_restore.load(self._serialno)
        original = pending or OriginalState(slot, **vars(self._running()))
        good = str(known_good) if known_good is not None else original.known_good
        self._original = replace(original, known_good=good, owner=process_of(os.getpid()))
        other = {"a": "b", "b": "a"}.get(original.slot, "")
        virtual_ab = facts["virtual_ab"] == "true"
        self._names = PhoneNames(device.serial, fastboot.serial, original.slot, other, virtual_ab)
        self._now = Situation("android", slot, dict(self._original.written))
        self._likely: Place = "android"
        self._boot_id = phone_state.boot_id(device)
        self._changed = pending is not None
        self._original_runs = pending is None
        self._lines: list[str] = []
        self._proof = self._check_before(first_time=pending is None)

    @property
    def original(self) -> KernelFingerprint:
        """The phone's original kernel."""
        return self._original.kernel

    def boot(self, kernel: Kernel | None) -> None:
        """Boot ``kernel`` (None: the phone's original kernel), even if it runs already.

        BootFailed if it does not come up: the phone is back on its known-good kernel then, and
        ``log`` has the console output. DeviceLost, CommandFailed, CommandTimeout, LabError and
        UsageError leave the phone where it is; the next call continues from there.
        """
        self._lines = []
        try:
            self._go(kernel)
        except BootFailed as failure:
            assert kernel is not None
            log = self._after_failure(failure, kernel)
            raise BootFailed(
                failure.what, log=log, device=self._device.serial, next_step=failure.next_step
            ) from failure

    def expectation(self, kernel: Kernel | None) -> Expectation:
        """What proves that ``kernel`` runs; with its build id if the phone allows reading that."""
        wanted = self.original if kernel is None else kernel.fingerprint
        ids = {VMLINUX: wanted.build_id} if wanted.build_id and self._running().build_id else {}
        return Expectation(release=wanted.release, version=wanted.version, build_ids=ids)

    def put_back(self) -> None:
        """Restore slot and images, and read them back. StateError names what was left and how to undo it.

        May be called twice. Ctrl-C is delayed until it is done.
        """
        if not self._changed:
            return
        with signals_held():
            try:
                if not (self._original_runs and is_original(self._now, self._names, self._known_good)):
                    self._go(None, final=True)
                self._check_content()
            except SuiteError as error:
                raise StateError(
                    f"the phone could not be restored: {error.what}",
                    device=self._device.serial,
                    next_step=f"run: {'; '.join(self.by_hand()) or 'fastboot reboot'}; or, once the cause"
                    f" is fixed, {pending_restore.RESTORE}",
                ) from error
            pending_restore.clear(self._serialno)
            self._changed = False

    def describe(self) -> dict[str, str]:
        """Facts for the report."""
        facts = {
            "fastboot": self._fastboot.version(),
            "fastboot_serial": self._fastboot.serial,
            "verified_boot": self._facts["verified"] or "unknown",
            "verity": self._facts["verity"] or "unknown",
            "kernel_found": str(self.original),
        }
        if self._names.original_slot:
            facts["slot_found"] = self._names.original_slot
        if self._known_good is not None:
            facts |= {"known_good": str(self._known_good), "known_good_proved": self._proof}
        for name, kernel in self._kernels.items():
            facts[f"kernel_{name}"] = str(kernel.fingerprint)
            if isinstance(kernel, SlotKernel):
                facts[f"vbmeta_{name}"] = checks.flags_text(kernel.images.vbmeta_flags)
        return facts

    def by_hand(self) -> list[str]:
        """The commands that would restore the phone from where it is now."""
        now = replace(self._now, place=self._now.place or "bootloader")
        steps = steps_back(now, self._names, self._known_good)
        return [
            line.partition("  #")[0]
            for step in steps
            if isinstance(step, (Reboot, Flash, SetActive))
            for line in step.commands(self._names)[:1]
        ]

    def _running(self) -> KernelFingerprint:
        seen = read_identity(self._device, Expectation(build_ids={VMLINUX: ""}))
        return KernelFingerprint(seen.release, seen.version, seen.build_ids.get(VMLINUX))

    def _check_before(self, *, first_time: bool) -> str:
        """Refuse what can be refused before anything is done; returns how known-good was proved."""
        checks.check_verity(self._kernels, self._facts["verity"], self._device.serial)
        flashed = [kernel for kernel in self._kernels.values() if isinstance(kernel, SlotKernel)]
        slots = {self._names.slot_of(kernel) for kernel in flashed}
        if self._known_good is None:
            return ""
        own = self._names.original_slot
        if self._known_good.images is None and own in slots:
            raise LabError(
                f"a variant writes to slot {own or '(it has none)'}, the known-good one",
                device=self._device.serial,
                next_step="give --known-good SET, or write to the other slot",
            )
        if not first_time:
            return "proved by the previous run"
        restores: dict[str, Image] = {}
        for kernel in flashed:
            slot = self._names.slot_of(kernel)
            for image in kernel.images.images:
                if good := self._known_good.image(image.partition):
                    restores[self._names.partition(image.partition, slot)] = good
        own_slot = slots <= {own}
        return checks.prove_known_good(
            self._device, self._known_good, restores, self.original, own_slot=own_slot
        )

    def _go(self, kernel: Kernel | None, *, final: bool = False) -> None:
        if self._now.place is None:
            self._now = replace(self._now, place=self._locator.locate(self._likely))
        self._original_runs = False
        self._record_written(self._now.written)
        if final:
            steps = steps_back(self._now, self._names, self._known_good)
        else:
            steps = steps_to(kernel, self._now, self._names, self._known_good)
        for step in steps:
            self._lines += step.commands(self._names)
            place = self._now.place
            self._likely = place or self._likely
            # Until the step has succeeded, it is unknown where the phone is.
            self._now = replace(self._now, place=None)
            self._do(step)
            self._now = after(step, replace(self._now, place=place))
        self._original_runs = kernel is None

    def _record_written(self, written: Mapping[str, str]) -> None:
        """Store it before it happens: the suite may be killed at any moment."""
        self._original = replace(self._original, written=dict(written))
        pending_restore.save(self._serialno, self._original)
        self._changed = True

    def _do(self, step: Step) -> None:
        match step:
            case Reboot(to, over):
                self._reboot(to, over)
            case Inspect():
                self._inspect(step)
            case Flash(partition, image):
                self._now = replace(self._now, written={**self._now.written, partition: ""})
                self._record_written(self._now.written)
                with signals_held():
                    self._fastboot.flash(partition, image.path)
                self._record_written({**self._now.written, partition: image.sha256})
            case SetActive(slot):
                with signals_held():
                    self._fastboot.set_active(slot)
            case BootFromRam(image):
                self._fastboot.boot(image.path)
            case AwaitAndroid(slot, kernel):
                self._await_android(slot, kernel)

    def _reboot(self, to: Place, over: Place) -> None:
        if over == "android":
            self._refuse_another_phone()
            self._device.reboot(REBOOT_TO[to])
        else:
            self._fastboot.reboot(to)
        if to != "android":
            self._fastboot.await_place(to, deadline_s=BOOTLOADER_S)

    def _refuse_another_phone(self) -> None:
        """LabError if the bootloader that the user named answers although this phone runs Android."""
        name = self._fastboot.serial
        if name != self._serialno and self._fastboot.present():
            raise LabError(
                f"the bootloader at {name} answers while the phone runs Android: it is another phone's",
                device=self._device.serial,
                next_step="give the --fastboot-serial of this phone: fastboot devices",
            )

    def _inspect(self, step: Inspect) -> None:
        variables = self._fastboot.getvar_all()
        checks.check_bootloader(variables, step, self._names, serialno=self._serialno)
        slot = variables.get("current-slot", "").lstrip("_")
        if slot:
            # The bootloader changes it by itself if a slot does not boot.
            self._now = replace(self._now, active=slot)

    def _await_android(self, slot: str, kernel: Kernel | None) -> None:
        deadline = Deadline(self._boot_deadline_s)
        arrived = self._locator.await_boot(self._boot_id, deadline)
        if arrived == "bootloader":
            self._now = replace(self._now, place="bootloader")
            raise self._failed(kernel, "it is back in its bootloader")
        if arrived == "nowhere":
            raise self._failed(kernel, f"it did not come up within {self._boot_deadline_s:g} s")
        self._boot_id = self._locator.boot_id() or ""
        self._now = replace(self._now, place="android")
        if not self._locator.await_started(deadline):
            raise self._failed(
                kernel, f"its kernel came up, but Android did not start within {self._boot_deadline_s:g} s"
            )
        self._check_running(slot, kernel)

    def _check_running(self, slot: str, kernel: Kernel | None) -> None:
        active = self._locator.property("ro.boot.slot_suffix").lstrip("_")
        if active != slot:
            self._now = replace(self._now, active=active)
            raise self._failed(kernel, f"it came up in slot {active or 'none'} instead of {slot}")
        running = self._running()
        is_original = not running.differs_from(self.original)
        if kernel is None and not is_original:
            raise self._failed(kernel, f"it runs {running}, not {self.original}")
        if kernel is not None and is_original and running.differs_from(kernel.fingerprint):
            raise self._failed(kernel, "it is back on its original kernel")

    def _check_content(self) -> None:
        """Read back what was written, if the shell is root."""
        if self._known_good is None or not self._now.written or not self._device.is_root:
            return
        for partition in self._now.written:
            image = self._known_good.image(self._names.base(partition))
            if image is None or image.sparse:
                continue
            if checks.partition_sha256(self._device, partition, image) not in (None, image.sha256):
                raise StateError(
                    f"partition {partition} does not hold {image.path}", device=self._device.serial
                )

    def _failed(self, kernel: Kernel | None, what: str) -> SuiteError:
        """A failure of a kernel under test is a result; the original kernel has to come up."""
        serial = self._device.serial
        if kernel is None:
            return LabError(
                f"the phone was rebooted into its original kernel, but {what}",
                device=serial,
                next_step="look at its screen; the commands that restore it are in docs/phone-kernels.md",
            )
        how = "from memory" if isinstance(kernel, RamKernel) else f"from {kernel.images.where}"
        name = next((name for name, own in self._kernels.items() if own == kernel), "the variant")
        return BootFailed(
            f"'{name}' was booted {how}, but {what}", device=serial, next_step="read kernel.log"
        )

    def _after_failure(self, failure: BootFailed, kernel: Kernel) -> str:
        """Roll the phone back; the log of the kernel that failed, as far as it can be read."""
        parts = [str(failure), "--- commands", *self._lines]
        with signals_held():
            try:
                self._now = replace(self._now, place=self._locator.locate(self._likely))
                log, rolled_back = self._log_of(kernel)
                parts += log
                if rolled_back and is_original(self._now, self._names, self._known_good, running=True):
                    self._original_runs = True
                else:
                    self._go(None)
                parts.append("--- rolled back to the original kernel")
                # After one more reboot the phone would keep the log of another kernel.
                parts += [] if rolled_back else [_LAST_LOG, self._kernel_log(of_the_last=True)]
            except SuiteError as error:
                parts.append(f"--- not rolled back: {error}")
        return "\n".join(parts) + "\n"

    def _log_of(self, kernel: Kernel) -> tuple[list[str], bool]:
        """The log of ``kernel``, which runs or has left it; whether the original kernel runs again."""
        if self._now.place != "android":
            return [], False
        running = self._running()
        if not running.differs_from(kernel.fingerprint):
            return ["--- its kernel log", self._kernel_log()], False
        if running.differs_from(self.original):
            return [f"--- the phone runs {running}"], False
        return [_LAST_LOG, self._kernel_log(of_the_last=True)], True

    def _kernel_log(self, *, of_the_last: bool = False) -> str:
        """The log of the running kernel, or what the one before it left; else why it cannot be read."""
        try:
            if not of_the_last:
                return phone_facts.kernel_log(self._device, since_s=0.0)
            restart = phone_facts.last_restart(self._device)
        except SuiteError as error:
            return f"(could not be read: {error.what})"
        return f"reason of the reboot: {restart.reason}\n{restart.last_words}"
