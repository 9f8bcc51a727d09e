"""The variants of a campaign that names none."""

from __future__ import annotations

from harness.variants.kind import VIRTUAL, Bindings

_MODULE_SERIES = "6.1"


def default_variants(device_kind: str, bindings: Bindings) -> tuple[str, ...]:
    """Our compression thread against the same kernel without it; empty for a phone.

    The thread is in the zram module of the stock kernel of 6.1, and in a kernel built here of other
    series. A kernel that replaces stock is the baseline.
    """
    if device_kind != VIRTUAL:
        return ()
    is_stock = bindings.kernel is not None or bindings.base.series == _MODULE_SERIES
    return (f"baseline={'stock' if is_stock else 'built'}", "patched=kcompressd")
