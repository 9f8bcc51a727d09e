"""Kinds for a phone: each may bring a kernel, and set switches in the running one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from foundation.contract.device import Expectation, Lane
from harness.device.fastboot.choice import Kernel
from harness.device.preconditions.pins import FilePin
from harness.variants.kind import PHONE, Booted, VariantKind

if TYPE_CHECKING:
    from harness.device.lane_phone import PhoneLane


@dataclass(frozen=True)
class PhoneKind(VariantKind):
    """A kind for a phone. A subclass defines `kernel` or `switches`; the lane restores both."""

    device: ClassVar[str] = PHONE
    page: ClassVar[str] = "docs/phones.md"

    def kernel(self) -> Kernel | None:
        """The kernel that this kind brings, or None for the phone's own. UsageError."""
        return None

    def switches(self) -> list[FilePin]:
        """Settings to write and read back once the kernel runs."""
        return []

    def check(self) -> None:
        """Open the images. UsageError."""
        self.kernel()

    def apply(self, lane: Lane, name: str) -> Booted:
        """Boot the phone into `kernel` and set `switches`. DeviceError, StateError."""
        device = self._phone(lane).boot(self.kernel(), self.switches())
        return Booted(device, self.expectation(lane))

    def expectation(self, lane: Lane) -> Expectation:
        """The kernel's release and the values of the switches."""
        return self._phone(lane).expectation(self.kernel(), self.switches())

    def hashes(self) -> Mapping[str, str]:
        """SHA-256 of the kernel's images, by partition. UsageError."""
        kernel = self.kernel()
        return {} if kernel is None else kernel.hashes()

    def _phone(self, lane: Lane) -> PhoneLane:
        from harness.device.lane_phone import PhoneLane

        if not isinstance(lane, PhoneLane):
            raise self.wrong_device()
        return lane
