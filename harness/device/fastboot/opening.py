"""From the kernels of a campaign to a phone that may be given them, or the reason why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from foundation.contract.batch import ask_all
from foundation.errors import LabError, UsageError
from foundation.progress import Progress, silent
from harness.device.adb.adb_device import AdbDevice
from harness.device.fastboot import pending_restore
from harness.device.fastboot.choice import Kernel, KnownGood, SlotKernel, check_together, known_good_of
from harness.device.fastboot.client import Fastboot
from harness.device.fastboot.pending_restore import OriginalState
from harness.device.fastboot.phone_kernels import BOOT_DEADLINE_S, PhoneKernels
from harness.device.lab import Act, Lab, permit


@dataclass(frozen=True)
class FlashOptions:
    """What the command line says about kernels on a phone.

    ``allowed`` is ``--allow-flash``. ``serial`` is what fastboot calls the phone; None: what
    the phone calls itself.
    """

    allowed: bool = False
    known_good: str | None = None
    serial: str | None = None
    boot_deadline_s: float = BOOT_DEADLINE_S


def check_kernels(kernels: Mapping[str, Kernel], options: FlashOptions) -> KnownGood | None:
    """What is rolled back to after ``kernels`` (by variant); touches nothing. UsageError."""
    known_good = known_good_of(options.known_good) if options.known_good is not None else None
    flashes = any(isinstance(kernel, SlotKernel) for kernel in kernels.values())
    if known_good is not None and not flashes:
        raise UsageError(
            "--known-good names what is rolled back to, and no variant writes to the phone",
            next_step="leave it out, or use a variant NAME=flash:set=DIR",
        )
    check_together(kernels, known_good)
    return known_good


def open_kernels(
    device: AdbDevice,
    kernels: Mapping[str, Kernel],
    options: FlashOptions,
    lab: Lab,
    *,
    say: Progress = silent,
) -> PhoneKernels | None:
    """Ready to bring ``kernels`` (by variant); None where there are none.

    UsageError, LabError, HostError before anything is done.
    """
    known_good = check_kernels(kernels, options)
    phone = _phone_facts(device)
    pending = pending_restore.load(phone["serialno"])
    if pending is not None:
        if not kernels:
            raise LabError(
                f"a run that was killed has left another kernel on it: it was found with {pending.kernel}",
                device=device.serial,
                next_step=f"put it back: {pending_restore.RESTORE}",
            )
        known_good = _same_known_good(pending, known_good, device.serial)
    if not kernels:
        return None
    for act in _acts(kernels):
        _permit(act, device, phone, options, lab)
    return _kernels(device, phone, kernels, known_good, options, say)


def pending_kernels(device: AdbDevice, options: FlashOptions, lab: Lab) -> PhoneKernels | None:
    """What a killed run left on the phone, to be put back; None if it left nothing.

    UsageError, LabError and HostError as of `open_kernels`.
    """
    phone = _phone_facts(device)
    pending = pending_restore.load(phone["serialno"])
    if pending is None:
        return None
    acts = [Act.REBOOT_BOOTLOADER, Act.FLASH] if pending.written else [Act.REBOOT_BOOTLOADER]
    for act in acts:
        _permit(act, device, phone, options, lab)
    known_good = _same_known_good(pending, None, device.serial)
    return _kernels(device, phone, {}, known_good, options, lambda text: None)


def pending_commands(device: AdbDevice, options: FlashOptions) -> list[str]:
    """The commands with which `pending_kernels` would put the phone back; runs none of them."""
    phone = _phone_facts(device)
    pending = pending_restore.load(phone["serialno"])
    if pending is None:
        return []
    known_good = _same_known_good(pending, None, device.serial)
    return _kernels(device, phone, {}, known_good, options, lambda text: None).by_hand()


def _phone_facts(device: AdbDevice) -> dict[str, str]:
    answers = ask_all(
        device,
        {
            "serialno": "getprop ro.serialno",
            "model": "getprop ro.product.model",
            "build": "getprop ro.build.fingerprint",
        },
    )
    facts = {key: answer.text for key, answer in answers.items()}
    return facts | {"serialno": facts["serialno"] or device.serial}


def _permit(act: Act, device: AdbDevice, phone: Mapping[str, str], options: FlashOptions, lab: Lab) -> None:
    permit(
        act,
        serial=device.serial,
        model=phone["model"],
        build=phone["build"],
        opted_in=options.allowed,
        lab=lab,
    )


def _kernels(
    device: AdbDevice,
    phone: Mapping[str, str],
    kernels: Mapping[str, Kernel],
    known_good: KnownGood | None,
    options: FlashOptions,
    say: Progress,
) -> PhoneKernels:
    fastboot = Fastboot(options.serial or phone["serialno"], say=say)
    fastboot.version()
    return PhoneKernels(device, fastboot, kernels, known_good, boot_deadline_s=options.boot_deadline_s)


def _same_known_good(pending: OriginalState, given: KnownGood | None, device: str) -> KnownGood | None:
    """What the killed run would have rolled back to; nothing else is known to be right now."""
    if pending.known_good is None:
        return given
    known_good = known_good_of(pending.known_good)
    if given is not None and given.hashes() != known_good.hashes():
        raise UsageError(
            f"[{device}] a run that was killed has left this phone to be rolled back to {known_good},"
            f" not to {given}",
            next_step=f"give --known-good {known_good}, or first restore the phone: {pending_restore.RESTORE}",
        )
    return known_good


def _acts(kernels: Mapping[str, Kernel]) -> list[Act]:
    own = {
        Act.FLASH if isinstance(kernel, SlotKernel) else Act.FASTBOOT_BOOT for kernel in kernels.values()
    }
    return [Act.REBOOT_BOOTLOADER, *sorted(own, key=lambda act: act.value)]
