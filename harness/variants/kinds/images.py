"""Kernels that a phone gets over fastboot: booted from memory, or flashed to a slot."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

from harness.device.fastboot.choice import SLOTS, Kernel, RamKernel, SlotKernel
from harness.device.fastboot.images import load_boot_image, load_image_set
from harness.variants.on_phone import PhoneKind
from harness.variants.option import one_of, option, path, text

_RELEASE: Final = option(text, "RELEASE", "what `uname -r` prints, if the image does not contain it")
_SLOT: Final = one_of(
    {slot: slot for slot in SLOTS}, "there is no slot '{value}'", f"slots are {', '.join(SLOTS)}"
)


@dataclass(frozen=True)
class Boot(PhoneKind):
    """A boot image, opened once: a campaign boots what was hashed when it was planned."""

    word: ClassVar[str] = "boot"
    usage: ClassVar[str] = "boot:image=FILE"
    summary: ClassVar[str] = "your own kernel on a phone, booted from memory; nothing is flashed"
    page: ClassVar[str] = "docs/phone-kernels.md"

    image: Path = field(metadata=option(path, "FILE", "the boot image"))
    release: str | None = field(default=None, metadata=_RELEASE)

    @cached_property
    def _kernel(self) -> RamKernel:
        image, found = load_boot_image(self.image)
        return RamKernel(image, found.with_release(self.release))

    def kernel(self) -> Kernel:
        """The image, to be booted from memory. UsageError."""
        return self._kernel


@dataclass(frozen=True)
class Flash(PhoneKind):
    """A set of images for a slot, opened once as for `Boot`."""

    word: ClassVar[str] = "flash"
    usage: ClassVar[str] = "flash:set=DIR"
    summary: ClassVar[str] = "your kernel flashed to a slot of a phone: boot, vendor_boot, modules and more"
    page: ClassVar[str] = "docs/phone-kernels.md"

    images: Path = field(
        metadata=option(path, "DIR", "a folder of images, or a TOML file that lists them", key="set")
    )
    slot: str = field(
        default="inactive",
        metadata=option(_SLOT, "|".join(SLOTS), "`active` is the slot that the phone runs at the start"),
    )
    release: str | None = field(default=None, metadata=_RELEASE)

    @cached_property
    def _kernel(self) -> SlotKernel:
        return SlotKernel(load_image_set(self.images).with_release(self.release), self.slot)

    def kernel(self) -> Kernel:
        """The images, to be written to the slot. UsageError."""
        return self._kernel
