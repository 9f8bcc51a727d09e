"""Kernels that a phone gets over fastboot: booted from memory, or flashed to a slot."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final, Literal

from foundation.contract.device import Expectation, Lane
from harness.device.fastboot.choice import SLOTS, Kernel, RamKernel, SlotKernel
from harness.device.fastboot.images import load_boot_image, load_image_set
from harness.variants.on_phone import PhoneKind
from harness.variants.option import compression_thread, one_of, option, path, text

_RELEASE: Final = option(text, "RELEASE", "what `uname -r` prints, if the image does not contain it")
_SLOT: Final = one_of(
    {slot: slot for slot in SLOTS}, "there is no slot '{value}'", f"slots are {', '.join(SLOTS)}"
)

_THREAD: Final = option(
    compression_thread, "NAME", "the compression thread that must run after the warm-up"
)
_WHERE: Final = one_of(
    {"own": "own", "same": "same"},
    "{key}={value} is neither 'own' nor 'same'",
    "zram=own if the patch is in a zram that the variant brings, zram=same if it is in the kernel alone",
)
_ZRAM: Final = option(
    _WHERE,
    "own|same",
    "where the patch is: in a zram that the variant brings, or in the kernel, beside the phone's zram",
)


@dataclass(frozen=True)
class _Images(PhoneKind):
    """What the user says of the patch. `foundation.contract.zram_identity.objection` judges it."""

    page: ClassVar[str] = "docs/phone-kernels.md"

    thread: str | None = field(default=None, metadata=_THREAD, kw_only=True)
    zram: Literal["own", "same"] | None = field(default=None, metadata=_ZRAM, kw_only=True)

    def expectation(self, lane: Lane) -> Expectation:
        """The kernel's release and build id, and the thread."""
        return replace(super().expectation(lane), thread=self.thread)


@dataclass(frozen=True)
class Boot(_Images):
    """A boot image, opened once: a campaign boots what was hashed when it was planned."""

    word: ClassVar[str] = "boot"
    usage: ClassVar[str] = "boot:image=FILE"
    summary: ClassVar[str] = "your own kernel on a phone, booted from memory; nothing is flashed"

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
class Flash(_Images):
    """A set of images for a slot, opened once as for `Boot`."""

    word: ClassVar[str] = "flash"
    usage: ClassVar[str] = "flash:set=DIR"
    summary: ClassVar[str] = "your kernel flashed to a slot of a phone: boot, vendor_boot, modules and more"

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
