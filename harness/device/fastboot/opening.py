"""From the kernels of a campaign to a phone that may receive them, or the reason why it may not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    """Command line options about kernels on a phone.

    ``allowed`` is ``--allow-flash``. ``serial`` is the phone's name in fastboot; None: its own
    serial number.
    """

    allowed: bool = False
    known_good: str | None = None
    serial: str | None = None
    boot_deadline_s: float = BOOT_DEADLINE_S


def check_kernels(kernels: Mapping[str, Kernel], options: FlashOptions) -> KnownGood | None:
    """What to roll back to after ``kernels`` (by variant); touches nothing. UsageError."""
    known_good = known_good_of(options.known_good) if options.known_good is not None else None
    flashes = any(isinstance(kernel, SlotKernel) for kernel in kernels.values())
    if known_good is not None and not flashes:
        raise UsageError(
            "--known-good is given, but no variant writes to the phone",
            next_step="omit it, or use a variant NAME=flash:set=DIR",
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
    """Ready the phone for ``kernels`` (by variant); None if there are none.

    UsageError, LabError, HostError before anything is done.
    """
    known_good = check_kernels(kernels, options)
    phone = _identify(device)
    pending = pending_restore.load(phone["serialno"])
    if pending is not None:
        if not kernels:
            raise LabError(
                f"a killed run left another kernel on it; its original kernel is {pending.kernel}",
                device=device.serial,
                next_step=f"restore it: {pending_restore.RESTORE}",
            )
        known_good = _same_known_good(pending, known_good, device.serial)
    if not kernels:
        return None
    _refuse_download_mode(device, phone)
    acts = {
        Act.FLASH if isinstance(kernel, SlotKernel) else Act.FASTBOOT_BOOT for kernel in kernels.values()
    }
    _permit(sorted(acts, key=lambda act: act.value), device, phone, options, lab)
    fastboot = _fastboot(options, phone, say)
    return PhoneKernels(device, fastboot, kernels, known_good, boot_deadline_s=options.boot_deadline_s)


def pending_kernels(device: AdbDevice, options: FlashOptions, lab: Lab | None) -> PhoneKernels | None:
    """What a killed run left on the phone, ready to be restored; None if it left nothing.

    ``lab`` None: only to list the commands, which needs no permission. UsageError, LabError and
    HostError as of `open_kernels`.
    """
    phone = _identify(device)
    pending = pending_restore.load(phone["serialno"])
    if pending is None:
        return None
    if lab is not None:
        _permit([Act.FLASH] if pending.written else [], device, phone, options, lab)
    known_good = _same_known_good(pending, None, device.serial)
    fastboot = _fastboot(options, phone, silent)
    return PhoneKernels(device, fastboot, {}, known_good, boot_deadline_s=options.boot_deadline_s)


def _identify(device: AdbDevice) -> dict[str, str]:
    answers = ask_all(
        device,
        {
            "serialno": "getprop ro.serialno",
            "model": "getprop ro.product.model",
            "build": "getprop ro.build.fingerprint",
            "maker": "getprop ro.product.manufacturer",
        },
    )
    facts = {key: answer.text for key, answer in answers.items()}
    return facts | {"serialno": facts["serialno"] or device.serial}


def _refuse_download_mode(device: AdbDevice, phone: Mapping[str, str]) -> None:
    """UsageError for a phone that ``adb reboot bootloader`` would strand."""
    if phone["maker"].casefold() == "samsung":
        raise UsageError(
            f"[{device.serial}] Samsung's bootloaders do not speak fastboot: the phone would wait in its"
            " download mode until a person restarts it",
            next_step="compare by a switch (sysctl:, param:) or by modules, or flash by hand with Odin"
            " or Heimdall and measure as-is",
        )


def _permit(
    acts: Iterable[Act], device: AdbDevice, phone: Mapping[str, str], options: FlashOptions, lab: Lab
) -> None:
    for act in (Act.REBOOT_BOOTLOADER, *acts):
        permit(
            act,
            serial=device.serial,
            model=phone["model"],
            build=phone["build"],
            opted_in=options.allowed,
            lab=lab,
        )


def _fastboot(options: FlashOptions, phone: Mapping[str, str], say: Progress) -> Fastboot:
    fastboot = Fastboot(options.serial or phone["serialno"], say=say)
    # Raises if the program is missing.
    fastboot.version()
    return fastboot


def _same_known_good(pending: OriginalState, given: KnownGood | None, device: str) -> KnownGood | None:
    """What the killed run would have rolled back to: nothing else is known to be good."""
    if pending.known_good is None:
        return given
    known_good = known_good_of(pending.known_good)
    if given is not None and given.hashes() != known_good.hashes():
        raise UsageError(
            f"[{device}] a killed run has to roll this phone back to {known_good}, not to {given}",
            next_step=f"give --known-good {known_good}, or first run: {pending_restore.RESTORE}",
        )
    return known_good
