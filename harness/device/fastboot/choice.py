"""The kernels for a phone, and whether they can be distinguished and undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.errors import UsageError
from harness.device.fastboot.images import Image, ImageSet, load_image_set
from harness.device.fastboot.kernel_payload import KernelFingerprint

SLOTS: Final = ("inactive", "active", "a", "b")
#: ``--known-good`` of a phone whose known-good kernel is in its original slot.
THE_SLOT: Final = "slot"


@dataclass(frozen=True)
class RamKernel:
    """A boot image that is booted from memory; nothing is written."""

    image: Image
    fingerprint: KernelFingerprint

    def hashes(self) -> dict[str, str]:
        """Partition to SHA-256."""
        return {self.image.partition: self.image.sha256}


@dataclass(frozen=True)
class SlotKernel:
    """Images that are written to a slot; ``slot`` is one of `SLOTS`."""

    images: ImageSet
    slot: str

    @property
    def fingerprint(self) -> KernelFingerprint:
        """What identifies the kernel once it runs."""
        return self.images.kernel

    def hashes(self) -> dict[str, str]:
        """Partition to SHA-256."""
        return self.images.hashes()


Kernel = RamKernel | SlotKernel


@dataclass(frozen=True)
class KnownGood:
    """What the phone is rolled back to: a set of images, or None for its original slot."""

    images: ImageSet | None

    def image(self, partition: str) -> Image | None:
        """The image that restores ``partition``, named without its slot."""
        return None if self.images is None else self.images.image(partition)

    def hashes(self) -> dict[str, str]:
        """Partition to SHA-256; empty for the original slot."""
        return {} if self.images is None else self.images.hashes()

    def __str__(self) -> str:
        return THE_SLOT if self.images is None else str(self.images.where)


def known_good_of(text: str) -> KnownGood:
    """Read ``--known-good``: ``slot``, a folder of images, or a TOML file. UsageError."""
    if text == THE_SLOT:
        return KnownGood(None)
    try:
        return KnownGood(load_image_set(Path(text)))
    except UsageError as error:
        raise UsageError(f"--known-good: {error.what}", next_step=error.next_step) from error


def check_together(kernels: Mapping[str, Kernel], known_good: KnownGood | None) -> None:
    """Refuse kernels that could not be proved live or not be undone; touches nothing. UsageError.

    ``kernels`` by variant.
    """
    _check_distinct(kernels)
    flashed = {name: kernel for name, kernel in kernels.items() if isinstance(kernel, SlotKernel)}
    if not flashed:
        return
    name, first = next(iter(flashed.items()))
    if known_good is None:
        raise UsageError(
            f"variant '{name}' writes to the phone, but there is nothing to roll back to",
            next_step="give --known-good SET (the images that are on it now), or --known-good slot",
        )
    for name, kernel in flashed.items():
        if not kernel.images.requires.get("product"):
            raise UsageError(
                f"variant '{name}': {kernel.images.where} does not name its product",
                next_step='add product = "..." to its images.toml (see fastboot getvar product)',
            )
        _check_undone(name, kernel, first, known_good)


def _check_undone(name: str, kernel: SlotKernel, first: SlotKernel, known_good: KnownGood) -> None:
    if known_good.images is None:
        if kernel.slot == "active":
            raise UsageError(
                f"variant '{name}' writes to the active slot, which --known-good slot must keep",
                next_step="give --known-good SET, or write to the inactive slot",
            )
        if kernel.images.partitions != first.images.partitions:
            odd = sorted(kernel.images.partitions ^ first.images.partitions)
            raise UsageError(
                f"the image sets of the variants differ in {', '.join(odd)}: one would run with parts of"
                " another",
                next_step="give every set the same partitions, or a --known-good SET with the missing ones",
            )
        return
    missing = sorted(kernel.images.partitions - known_good.images.partitions)
    if missing:
        raise UsageError(
            f"{known_good.images.where} lacks {', '.join(missing)}, which variant '{name}' writes",
            next_step="the known-good set needs an image for every partition that is written",
        )


def _check_distinct(kernels: Mapping[str, Kernel]) -> None:
    """Two images whose kernels identify themselves alike could be mistaken for each other."""
    listed = list(kernels.items())
    for number, (name, kernel) in enumerate(listed):
        if kernel.fingerprint.release is None:
            raise UsageError(
                f"variant '{name}': its boot image does not identify its kernel",
                next_step=f"give what 'uname -r' prints under it: {name}=...,release=RELEASE",
            )
        for other_name, other in listed[:number]:
            same_boot = kernel.hashes().get("boot") == other.hashes().get("boot")
            if not same_boot and not kernel.fingerprint.differs_from(other.fingerprint):
                raise UsageError(
                    f"variants '{other_name}' and '{name}' cannot be told apart once they run: both are"
                    f" {kernel.fingerprint}",
                    next_step="build one with a different CONFIG_LOCALVERSION",
                )
