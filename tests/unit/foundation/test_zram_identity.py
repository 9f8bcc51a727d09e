"""Which zram compresses, and which comparisons that forbids."""

from __future__ import annotations

import pytest

from foundation.contract.records import VariantRecord
from foundation.contract.zram_identity import (
    ModuleIdentity,
    ZramIdentity,
    advice,
    engine_of,
    objection,
    zram_modules,
    zram_of,
)

FOUND = ZramIdentity("module", {"zram": ModuleIdentity("AA", "11"), "zsmalloc": ModuleIdentity("BB", "22")})
PATCHED = ZramIdentity(
    "module", {"zram": ModuleIdentity("CC", "33"), "zsmalloc": ModuleIdentity("BB", "22")}
)
REBUILT = ZramIdentity(
    "module", {"zram": ModuleIdentity("AA", "44"), "zsmalloc": ModuleIdentity("BB", "55")}
)
HIDDEN = ZramIdentity("module", {"zram": ModuleIdentity(), "zsmalloc": ModuleIdentity()})
BUILT_IN = ZramIdentity("built in")


def record(kind: str, **options: str) -> VariantRecord:
    return VariantRecord("patched", kind, options, f"patched={kind}")


BASELINE = VariantRecord("found", "as-is", {}, "found=as-is")


@pytest.mark.parametrize(
    ("variant", "zram", "said"),
    [
        (record("boot", image="b"), FOUND, "'found' and 'patched' compress with the same zram: zram (srcv"),
        (record("flash", set="d"), FOUND, "compress with the same zram"),
        (record("boot", image="b", zram="own"), FOUND, "compress with the same zram"),
        (record("boot", image="b", zram="own", thread="kcompressd0"), FOUND, "compress with the same zram"),
        (record("module", zram="zram.ko", zsmalloc="zsmalloc.ko"), FOUND, "compress with the same zram"),
        (record("boot", image="b"), HIDDEN, "nothing shows that 'patched' compresses with another zram"),
        (record("boot", image="b"), ZramIdentity("unknown"), "nothing shows that"),
        (
            record("boot", image="b", zram="same"),
            PATCHED,
            "says zram=same, but its zram is built from other",
        ),
    ],
)
def test_what_is_refused(variant: VariantRecord, zram: ZramIdentity, said: str) -> None:
    why = objection(BASELINE, variant, FOUND, zram)
    assert why is not None
    assert said in why
    assert "\n" not in why + advice(variant)


@pytest.mark.parametrize(
    ("variant", "zram"),
    [
        (record("boot", image="b", zram="same"), FOUND),
        (record("boot", image="b", zram="same"), HIDDEN),
        (record("flash", set="d", zram="same"), REBUILT),
        (record("boot", image="b", thread="kcompressd0"), FOUND),
        (record("flash", set="d"), PATCHED),
        (record("flash", set="d", zram="own"), PATCHED),
        (record("flash", set="d", zram="own"), REBUILT),
        (record("flash", set="d"), BUILT_IN),
        (record("boot", image="b"), BUILT_IN),
        (record("module", own="own"), FOUND),
        (record("sysctl", **{"vm.kcompressd": "0"}), FOUND),
        (record("kcompressd"), FOUND),
        (record("as-is"), FOUND),
        # Of a folder that did not record it.
        (record("boot", image="b"), None),
    ],
)
def test_what_may_be_compared(variant: VariantRecord, zram: ZramIdentity | None) -> None:
    assert objection(BASELINE, variant, FOUND, zram) is None


def test_a_kernel_against_itself_may_use_one_zram() -> None:
    one = VariantRecord("one", "boot", {"image": "b"}, "one=boot:image=b")
    assert objection(one, record("boot", image="b"), FOUND, FOUND) is None
    assert objection(one, record("boot", image="c"), FOUND, FOUND) is not None


def test_builds() -> None:
    assert FOUND.same_as(FOUND) is True
    assert FOUND.same_as(PATCHED) is False
    assert FOUND.same_as(REBUILT) is False
    assert FOUND.same_as(HIDDEN) is None
    assert FOUND.same_as(BUILT_IN) is False
    assert BUILT_IN.same_as(BUILT_IN) is None
    only_sources = ZramIdentity("module", {"zram": ModuleIdentity("AA"), "zsmalloc": ModuleIdentity("BB")})
    assert FOUND.same_as(only_sources) is True
    pixels = ZramIdentity("module", {"zram_gs": ModuleIdentity("AA", "11")})
    assert FOUND.same_as(pixels) is False


def test_modules_of_vendors_are_found_with_what_uses_them() -> None:
    text = (
        "vendor_helper 4096 0 - Live 0x0\nzcomp_eh 4096 0 - Live 0x0\n"
        "zram_gs 36864 3 zcomp_eh,vendor_helper, Live 0x0\nzsmalloc 4096 1 zram_gs, Live 0x0\n"
        "snd 1 0 - Live 0x0\n"
    )
    assert zram_modules(text) == ("vendor_helper", "zcomp_eh", "zram_gs", "zsmalloc")
    assert zram_modules("") == ()


def test_older_blocks_have_none() -> None:
    assert zram_of({}) is None
    stored = {"form": "module", "modules": {"zram": {"srcversion": "AA", "build_id": None}}}
    assert zram_of({"zram": stored}) == ZramIdentity("module", {"zram": ModuleIdentity("AA")})


def test_engines() -> None:
    assert "Emerald Hill" in str(engine_of("lz77eh"))
    assert engine_of("lz4") is None
    for mode in ("hwonly", "hybrid", "kcompressd:hw"):
        assert "comp_mode" in str(engine_of("lz4", mode))
    for mode in ("swonly", "kcompressd", ""):
        assert engine_of("lz4", mode) is None
