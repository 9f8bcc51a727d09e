"""What must hold before anything is written to a phone, and before an image is started on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from foundation.errors import LabError, SuiteError, UsageError
from foundation.quoting import quote
from harness.device.adb.adb_device import AdbDevice
from harness.device.fastboot.choice import Kernel, KnownGood, SlotKernel
from harness.device.fastboot.images import HASHTREE_DISABLED, VERIFICATION_DISABLED, Image, ImageSet
from harness.device.fastboot.kernel_payload import KernelFingerprint
from harness.device.fastboot.steps import Inspect, PhoneNames

#: A word of ``ro.boot.veritymode`` for a phone that does not check its dynamic partitions.
_VERITY_OFF: Final = ("disabled", "logging")
_HASH_DEADLINE_S: Final = 300.0


def check_bootloader(
    variables: Mapping[str, str], step: Inspect, phone: PhoneNames, *, serialno: str
) -> None:
    """Refuse a bootloader that is not this phone's, is locked, or cannot take what comes.

    LabError for the phone, UsageError for the images; both before anything is written.
    """
    found = variables.get("serialno", "")
    if found != serialno:
        raise LabError(
            f"the bootloader at {phone.fastboot} says serial number {found or 'nothing'}, the phone on adb"
            f" is {serialno}",
            device=phone.adb,
            next_step="give --fastboot-serial of the same phone: fastboot devices",
        )
    if (step.writes or step.boots) and variables.get("unlocked") == "no":
        raise LabError(
            "its bootloader is locked: it takes no other kernel",
            device=phone.adb,
            next_step="unlock it, which wipes the phone: fastboot flashing unlock",
        )
    for partition, image in step.writes:
        _check_partition(variables, partition, image, phone)
    if step.boots is not None:
        _check_fits(step.boots, variables.get("max-download-size"), "its bootloader downloads", phone)
    if step.images is not None:
        _check_requires(variables, step.images, phone)
    if step.images is not None or step.boots is not None:
        # Not where the phone is put back: that must go on.
        _check_fit_for_change(variables, step, phone)


def _check_fit_for_change(variables: Mapping[str, str], step: Inspect, phone: PhoneNames) -> None:
    if variables.get("battery-soc-ok") == "no":
        raise LabError(
            "its bootloader says that the battery is too low", device=phone.adb, next_step="charge it"
        )
    if step.writes and variables.get(f"slot-unbootable:{phone.found}") == "yes":
        raise LabError(
            f"slot {phone.found}, to which it is rolled back, is marked unbootable",
            device=phone.adb,
            next_step="repair the phone first: flash its factory image",
        )


def _check_requires(variables: Mapping[str, str], images: ImageSet, phone: PhoneNames) -> None:
    for name, values in images.requires.items():
        found = variables.get(name)
        if found not in values:
            raise UsageError(
                f"[{phone.adb}] {images.where} is for {name} {' or '.join(values)}, the phone says"
                f" {found or 'nothing'}",
                next_step="take the images of this phone, and of its bootloader",
            )


def _check_partition(variables: Mapping[str, str], partition: str, image: Image, phone: PhoneNames) -> None:
    slotted = variables.get(f"has-slot:{image.partition}")
    if phone.found and slotted == "no":
        raise UsageError(
            f"[{phone.adb}] partition {image.partition} is there once, not once a slot: to write it would"
            " change both",
            next_step=f"leave {image.partition} out of the image set",
        )
    if not phone.found and slotted == "yes":
        raise LabError(
            "its bootloader has slots, and Android does not say which one it runs from"
            " (ro.boot.slot_suffix)",
            device=phone.adb,
            next_step="it cannot be flashed safely; use boot:image= instead",
        )
    if image.dynamic:
        # Not seen by the bootloader; fastbootd resizes it to the image, while super has room.
        return
    size = variables.get(f"partition-size:{partition}")
    if size is None:
        raise UsageError(
            f"[{phone.adb}] it has no partition {partition}",
            next_step=f"leave {image.partition} out of the image set, or take the images of this phone",
        )
    _check_fits(image, size, f"partition {partition} holds", phone)


def _check_fits(image: Image, limit: str | None, what: str, phone: PhoneNames) -> None:
    if limit is None:
        return
    bytes_max = _number(limit)
    if bytes_max is not None and image.size > bytes_max:
        raise UsageError(
            f"[{phone.adb}] {image.path} has {image.size} bytes, {what} {bytes_max}",
            next_step="take the images of this phone",
        )


def _number(text: str) -> int | None:
    """Sizes come as 0x..., and some bootloaders leave the 0x out."""
    try:
        return int(text, 16)
    except ValueError:
        return None


def check_verity(kernels: Mapping[str, Kernel], veritymode: str, device: str) -> None:
    """dm-verity would refuse modules that it does not know. UsageError."""
    for name, kernel in kernels.items():
        if not isinstance(kernel, SlotKernel) or veritymode in _VERITY_OFF:
            continue
        images = kernel.images
        dynamic = sorted(image.partition for image in images.images if image.dynamic)
        if dynamic and images.vbmeta_flags is None:
            raise UsageError(
                f"[{device}] variant '{name}' brings {', '.join(dynamic)} without vbmeta, and the phone"
                f" verifies them (ro.boot.veritymode is {veritymode or 'empty'})",
                next_step="add the vbmeta.img made for them, or one with verification disabled (avbtool"
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
    found: KernelFingerprint,
    *,
    own_slot: bool,
) -> str:
    """Check that ``known_good`` is what the phone holds now; how that was proved, in words.

    ``partitions`` are those that will be written, with the image that puts each back. With
    root their content is compared; without, the running kernel with that of the set, which
    says nothing of a slot that does not run (``own_slot`` False). UsageError for a difference.
    """
    if known_good.images is None:
        return "the slot it was found in"
    if device.is_root:
        return _prove_by_content(device, known_good, partitions)
    if not own_slot:
        return "not proved: the content of a slot that does not run can only be read as root"
    if known_good.images.kernel.release is None or known_good.images.kernel.differs_from(found):
        raise UsageError(
            f"[{device.serial}] {known_good} holds the kernel {known_good.images.kernel},"
            f" the phone runs {found}",
            next_step="give the images that are on the phone now",
        )
    return "the running kernel is that of the set"


def _prove_by_content(device: AdbDevice, known_good: KnownGood, partitions: Mapping[str, Image]) -> str:
    skipped = []
    for partition, image in partitions.items():
        if image.sparse:
            skipped.append(partition)
            continue
        found = partition_sha256(device, partition, image)
        if found is None:
            skipped.append(partition)
        elif found != image.sha256:
            raise UsageError(
                f"[{device.serial}] partition {partition} does not hold {image.path}: to put that back"
                " would not leave the phone as it was found",
                next_step="give the images that are on the phone now, or flash the known-good set first",
            )
    return "content compared" + (f", but not of {', '.join(skipped)}" if skipped else "")


def partition_sha256(device: AdbDevice, partition: str, image: Image) -> str | None:
    """SHA-256 of as much of a partition as ``image`` has; None where it cannot be read. Needs root."""
    folder = "/dev/block/mapper" if image.dynamic else "/dev/block/by-name"
    path = quote(f"{folder}/{partition}")
    try:
        said = device.script(
            f"head -c {image.size} {path} | sha256sum", deadline_s=_HASH_DEADLINE_S, check=False
        )
    except SuiteError:
        return None
    words = said.stdout.split()
    return words[0] if said.exit_status == 0 and words and not said.stderr.strip() else None
