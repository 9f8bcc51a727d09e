"""Variants for tests, as a user types them."""

from __future__ import annotations

from foundation.contract.device import Device, Lane
from harness.variants.kind import Bindings
from harness.variants.variant import Variant, parse_variant
from harness.virtual.base import DEFAULT_BASE, Base


def virtual_variant(text: str, base: Base = DEFAULT_BASE) -> Variant:
    """A variant for a virtual device of ``base``."""
    return parse_variant(text, device_kind="virtual", bindings=Bindings(base=base))


def phone_variant(text: str) -> Variant:
    """A variant for a phone."""
    return parse_variant(text, device_kind="phone")


def boot_into(lane: Lane, variant: Variant) -> Device:
    """The device of ``lane``, booted into ``variant``."""
    return variant.boot(lane).device
