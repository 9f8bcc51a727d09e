"""Kernels that a phone gets over fastboot: started from memory, or written to a slot."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

from harness.device.fastboot.choice import SLOTS, Kernel, RamKernel, SlotKernel
from harness.device.fastboot.images import load_boot_image, load_image_set
from harness.variants.on_phone import PhoneKind
from harness.variants.option import one_of, option, path, text

_RELEASE: Final = option(text, "RELEASE", "what `uname -r` prints, where the image does not say it")
_SLOT: Final = one_of(
    {slot: slot for slot in SLOTS}, "there is no slot '{value}'", f"slots are {', '.join(SLOTS)}"
)


@dataclass(frozen=True)
class Boot(PhoneKind):
    """The image is opened once: a campaign boots what was hashed when it was planned."""

    word: ClassVar[str] = "boot"
    usage: ClassVar[str] = "boot:image=FILE"
    summary: ClassVar[str] = "a kernel of your own on a phone, started from memory; nothing is written"
    page: ClassVar[str] = "docs/phone-kernels.md"

    image: Path = field(metadata=option(path, "FILE", "the boot image"))
    release: str | None = field(default=None, metadata=_RELEASE)

    @cached_property
    def _kernel(self) -> RamKernel:
        image, found = load_boot_image(self.image)
        return RamKernel(image, found.with_release(self.release))

    def kernel(self) -> Kernel:
        return self._kernel


@dataclass(frozen=True)
class Flash(PhoneKind):
    """The images are opened once, as for `Boot`."""

    word: ClassVar[str] = "flash"
    usage: ClassVar[str] = "flash:set=DIR"
    summary: ClassVar[str] = (
        "a kernel of your own from a slot of a phone: boot, vendor_boot, modules and more"
    )
    page: ClassVar[str] = "docs/phone-kernels.md"

    images: Path = field(
        metadata=option(path, "DIR", "a folder of images, or a TOML file that names them", key="set")
    )
    slot: str = field(
        default="inactive",
        metadata=option(_SLOT, "|".join(SLOTS), "as seen from the slot that the phone was found in"),
    )
    release: str | None = field(default=None, metadata=_RELEASE)

    @cached_property
    def _kernel(self) -> SlotKernel:
        return SlotKernel(load_image_set(self.images).with_release(self.release), self.slot)

    def kernel(self) -> Kernel:
        return self._kernel
