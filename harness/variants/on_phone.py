"""Kinds for a phone: each may bring a kernel, and set switches in the one that runs."""

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
    """A kind for a phone. A new one defines `kernel` or `switches`; the lane puts both back."""

    device: ClassVar[str] = PHONE
    page: ClassVar[str] = "docs/phones.md"

    def kernel(self) -> Kernel | None:
        """The kernel that this kind brings; None where it takes the phone's own. UsageError."""
        return None

    def switches(self) -> list[FilePin]:
        """What is set once the kernel runs, and read back."""
        return []

    def check(self) -> None:
        self.kernel()

    def apply(self, lane: Lane, name: str) -> Booted:
        phone = self._phone(lane)
        device = phone.boot(self.kernel(), self.switches())
        return Booted(device, self.expectation(lane))

    def expectation(self, lane: Lane) -> Expectation:
        return self._phone(lane).expectation(self.kernel(), self.switches())

    def hashes(self) -> Mapping[str, str]:
        kernel = self.kernel()
        return {} if kernel is None else kernel.hashes()

    def _phone(self, lane: Lane) -> PhoneLane:
        from harness.device.lane_phone import PhoneLane

        if not isinstance(lane, PhoneLane):
            raise self.wrong_device()
        return lane
