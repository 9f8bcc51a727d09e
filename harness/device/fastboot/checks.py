"""Checks before anything is written to a phone, and before an image is booted on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from foundation.errors import LabError, SuiteError, UsageError
from foundation.quoting import quote
from harness.device.adb.adb_device import AdbDevice
from harness.device.fastboot.choice import Kernel, KnownGood, SlotKernel
from harness.device.fastboot.images import HASHTREE_DISABLED, VERIFICATION_DISABLED, Image, ImageSet
from harness.device.fastboot.kernel_payload import KernelFingerprint
from harness.device.fastboot.steps import Inspect, PhoneNames

#: Values of ``ro.boot.veritymode`` under which dynamic partitions are not enforced.
_VERITY_OFF: Final = ("disabled", "logging")
_HASH_DEADLINE_S: Final = 300.0


def check_bootloader(
    variables: Mapping[str, str], step: Inspect, phone: PhoneNames, *, serialno: str
) -> None:
    """Refuse a bootloader that is another phone's, is locked, or cannot take the images of ``step``.

    Called before anything is written. LabError for the phone, UsageError for the images.
    """
    reported = variables.get("serialno", "")
    # A bootloader may have a number of its own: it is known by the name that it was given then, and by
    # not answering while the phone runs Android.
    if reported != serialno and phone.fastboot_serial == serialno:
        raise LabError(
            f"the bootloader at {phone.fastboot_serial} reports serial number {reported or 'nothing'}, but"
            f" the phone on adb is {serialno}",
            device=phone.adb_serial,
            next_step="give the --fastboot-serial of the same phone: fastboot devices",
        )
    if (step.writes or step.boots) and variables.get("unlocked") == "no":
        raise LabError(
            "its bootloader is locked, so it accepts no other kernel",
            device=phone.adb_serial,
            next_step="unlock it, which wipes the phone: fastboot flashing unlock",
        )
    for partition, image in step.writes:
        _check_partition(variables, partition, image, phone)
    if step.boots is not None:
        limit = _number(variables.get("max-download-size"), base=0)
        _check_fits(step.boots, limit, "its bootloader downloads at most", phone)
    if step.images is not None:
        _check_requires(variables, step.images, phone)
    if step.images is not None or step.boots is not None or step.slot:
        # Not for a rollback, which must go ahead.
        _check_fit_for_change(variables, step, phone)
    if step.slot:
        _check_slot(variables, step, phone)


def _check_fit_for_change(variables: Mapping[str, str], step: Inspect, phone: PhoneNames) -> None:
    if variables.get("battery-soc-ok") == "no":
        raise LabError(
            "its bootloader reports that the battery is too low",
            device=phone.adb_serial,
            next_step="charge it",
        )
    if step.writes and variables.get(f"slot-unbootable:{phone.original_slot}") == "yes":
        raise LabError(
            f"slot {phone.original_slot}, the one to roll back to, is marked unbootable",
            device=phone.adb_serial,
            next_step="repair the phone first: flash its factory image",
        )

    update = variables.get("snapshot-update-status") or "none"
    if update != "none":
        raise LabError(
            f"an update of its system is not finished (snapshot-update-status is {update}), so a restart"
            " may change its slots",
            device=phone.adb_serial,
            next_step="start Android and leave the phone alone until 'fastboot getvar"
            " snapshot-update-status' says none; a downloaded update needs one restart more",
        )


def _check_slot(variables: Mapping[str, str], step: Inspect, phone: PhoneNames) -> None:
    """Refuse a slot without a system: a kernel that cannot start there has not failed."""
    slot = step.slot
    written = {partition for partition, _ in step.writes}
    lacking = []
    for name, logical in variables.items():
        own = name.removeprefix("is-logical:")
        if own == name or logical != "yes" or not own.endswith(f"_{phone.original_slot}"):
            continue
        partition = phone.partition(phone.base(own), slot)
        size = _number(variables.get(f"partition-size:{partition}"), base=16)
        if (
            _number(variables.get(f"partition-size:{own}"), base=16)
            and not size
            and partition not in written
        ):
            lacking.append(phone.base(own))
    if lacking:
        what = f"slot {slot} has no system: nothing is in its {', '.join(sorted(lacking))}"
    elif variables.get(f"slot-unbootable:{slot}") == "yes":
        what = f"slot {slot} is marked unbootable"
    elif variables.get(f"slot-successful:{slot}") == "no":
        what = f"slot {slot} has never started successfully"
    else:
        return
    raise LabError(
        f"{what}, so no kernel can be judged in it",
        device=phone.adb_serial,
        next_step="write to the slot that runs: slot=active with --known-good SET",
    )


def _check_requires(variables: Mapping[str, str], images: ImageSet, phone: PhoneNames) -> None:
    for name, values in images.requires.items():
        reported = variables.get(name)
        if reported not in values:
            raise UsageError(
                f"[{phone.adb_serial}] {images.where} is for {name} {' or '.join(values)}, but the phone"
                f" reports {reported or 'nothing'}",
                next_step="use the images for this phone and its bootloader",
            )


def _check_partition(variables: Mapping[str, str], partition: str, image: Image, phone: PhoneNames) -> None:
    slotted = variables.get(f"has-slot:{image.partition}")
    if phone.original_slot and slotted == "no":
        raise UsageError(
            f"[{phone.adb_serial}] partition {image.partition} exists once, not once per slot: writing it"
            " would change both slots",
            next_step=f"remove {image.partition} from the image set",
        )
    if not phone.original_slot and slotted == "yes":
        raise LabError(
            "its bootloader has slots, but Android does not report which one it runs from"
            " (ro.boot.slot_suffix)",
            device=phone.adb_serial,
            next_step="it cannot be flashed safely; use boot:image= instead",
        )
    if image.dynamic:
        # The bootloader does not see it; fastbootd resizes it to the image while super has room.
        return
    size = _number(variables.get(f"partition-size:{partition}"), base=16)
    if f"partition-size:{partition}" not in variables:
        raise UsageError(
            f"[{phone.adb_serial}] it has no partition {partition}",
            next_step=f"remove {image.partition} from the image set, or use the images for this phone",
        )
    _check_fits(image, size, f"partition {partition} holds", phone)


def _number(text: str | None, *, base: Literal[0, 16]) -> int | None:
    """Bytes; None if it is not a number. ``base`` 0: decimal unless it begins with 0x.

    As the client reads them (system/core/fastboot/fastboot.cpp): ``max-download-size`` by its prefix
    (get_uint_var), and ``partition-size`` always in hex, since some bootloaders omit the 0x
    (fb_fix_numeric_var).
    """
    try:
        return int(text or "", base)
    except ValueError:
        return None


def _check_fits(image: Image, bytes_max: int | None, what: str, phone: PhoneNames) -> None:
    if bytes_max is not None and image.size > bytes_max:
        raise UsageError(
            f"[{phone.adb_serial}] {image.path} has {image.size} bytes, {what} {bytes_max}",
            next_step="use the images for this phone",
        )


def check_verity(kernels: Mapping[str, Kernel], veritymode: str, device: str) -> None:
    """Refuse dynamic partitions that dm-verity would reject. UsageError. ``kernels`` by variant."""
    for name, kernel in kernels.items():
        if not isinstance(kernel, SlotKernel) or veritymode in _VERITY_OFF:
            continue
        images = kernel.images
        dynamic = sorted(image.partition for image in images.images if image.dynamic)
        if dynamic and images.vbmeta_flags is None:
            raise UsageError(
                f"[{device}] variant '{name}' writes {', '.join(dynamic)} without vbmeta, but the phone"
                f" verifies them (ro.boot.veritymode is {veritymode or 'empty'})",
                next_step="add the vbmeta.img that matches them, or one with verification disabled (avbtool"
                " make_vbmeta_image --flags 3)",
            )


def flags_text(flags: int | None) -> str:
    """``vbmeta_flags`` in words."""
    if flags is None:
        return "no vbmeta"
    words = {HASHTREE_DISABLED: "hashtree disabled", VERIFICATION_DISABLED: "verification disabled"}
    return ", ".join(word for bit, word in words.items() if flags & bit) or "verified"


def prove_known_good(
    device: AdbDevice,
    known_good: KnownGood,
    partitions: Mapping[str, Image],
    running: KernelFingerprint,
    *,
    own_slot: bool,
) -> str:
    """Check that ``known_good`` is what the phone holds now; returns in words how that was proved.

    ``partitions`` maps those that will be written to the image that restores each. With root
    their content is compared; without it the ``running`` kernel with the set's, which proves
    nothing about a slot that does not run (``own_slot`` False). UsageError for a difference.
    """
    if known_good.images is None:
        return "the original slot"
    if device.is_root:
        return _prove_by_content(device, known_good, partitions)
    if not own_slot:
        return "not proved: only root can read a slot that does not run"
    if known_good.images.kernel.release is None or known_good.images.kernel.differs_from(running):
        raise UsageError(
            f"[{device.serial}] {known_good} holds the kernel {known_good.images.kernel},"
            f" but the phone runs {running}",
            next_step="give the images that are on the phone now",
        )
    return "the running kernel is the set's"


def _prove_by_content(device: AdbDevice, known_good: KnownGood, partitions: Mapping[str, Image]) -> str:
    skipped = []
    for partition, image in partitions.items():
        held = None if image.sparse else partition_sha256(device, partition, image)
        if held is None:
            skipped.append(partition)
        elif held != image.sha256:
            raise UsageError(
                f"[{device.serial}] partition {partition} does not hold {image.path}, so writing it back"
                " would not restore the phone",
                next_step="give the images that are on the phone now, or flash the known-good set first",
            )
    return "content compared" + (f", except {', '.join(skipped)}" if skipped else "")


def partition_sha256(device: AdbDevice, partition: str, image: Image) -> str | None:
    """SHA-256 of the first ``image.size`` bytes of a partition; None if it cannot be read. Needs root."""
    folder = "/dev/block/mapper" if image.dynamic else "/dev/block/by-name"
    path = quote(f"{folder}/{partition}")
    try:
        result = device.script(
            f"head -c {image.size} {path} | sha256sum", deadline_s=_HASH_DEADLINE_S, check=False
        )
    except SuiteError:
        return None
    words = result.stdout.split()
    return words[0] if result.exit_status == 0 and words and not result.stderr.strip() else None
