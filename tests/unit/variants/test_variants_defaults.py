"""What is compared if nobody says."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.variants.defaults import default_variants
from harness.variants.kind import Bindings
from harness.variants.variant import parse_variants
from harness.virtual.base import BASES, NEWEST, Base, parse_base


@pytest.mark.parametrize("base", [base for base in BASES if base.series != NEWEST], ids=str)
def test_the_thread_against_the_same_kernel_without_it(base: Base) -> None:
    bindings = Bindings(base=base)
    texts = default_variants("virtual", bindings)
    baseline, patched = parse_variants(texts, device_kind="virtual", bindings=bindings)
    assert baseline.spec == ("baseline=stock" if base.series == "6.1" else "baseline=built")
    assert patched.spec == "patched=kcompressd"
    patched.check()


def test_a_kernel_that_replaces_stock_is_the_baseline() -> None:
    own = Bindings(kernel=(Path("image"), Path("modules")), base=parse_base("6.12-arm64"))
    assert default_variants("virtual", own)[0] == "baseline=stock"


def test_a_phone_has_no_kernels_of_ours() -> None:
    assert default_variants("phone", Bindings()) == ()
