"""The kind module: its pair of files, what they must say, and what it may be compared with."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import UsageError
from harness.device.modules.elf import parse_module
from harness.device.modules.fit import misfits
from harness.device.modules.loaded import ModuleId, parse_modules, the_pair
from harness.variants.variant import exchange_modules, parse_variants, pin_contents
from tests.stand_ins.device.module_model import CHECKSUMS, pair
from tests.stand_ins.elf import module
from tests.variants import phone_variant, virtual_variant


def files(folder: Path, contents: tuple[bytes, bytes]) -> str:
    for name, content in zip(("zsmalloc.ko", "zram.ko"), contents, strict=True):
        (folder / name).write_bytes(content)
    return f"zsmalloc={folder}/zsmalloc.ko,zram={folder}/zram.ko"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("module", "needs zsmalloc=FILE and zram=FILE -> write v=module:zsmalloc=FILE,zram=FILE"),
        ("module:zram=zram.ko", "needs zsmalloc=FILE and zram=FILE -> write v=module:"),
        ("module:own,zram=zram.ko", "'own' is the device's pair, and zram another"),
        ("module:own=yes", "own=yes is not 'own'"),
        ("module:own,thread=kworker", "thread=kworker is no compression thread that the metrics know"),
        ("module:zsmaloc=a.ko", "did you mean 'zsmalloc'?"),
    ],
)
def test_what_is_refused_when_it_is_parsed(text: str, said: str) -> None:
    for parse in (phone_variant, virtual_variant):
        with pytest.raises(UsageError) as caught:
            parse(f"v={text}")
        assert said in str(caught.value)
        assert "variant 'v'" in str(caught.value)


def test_the_phones_own_pair_is_one_word() -> None:
    variant = phone_variant("a=module:own")
    assert variant.spec == "a=module:own"
    assert phone_variant(variant.spec) == variant
    variant.check()


@pytest.mark.parametrize("device", ["phone", "virtual"])
def test_the_device_as_it_is_pays_the_exchange_too(device: str, tmp_path: Path) -> None:
    module_text = f"b=module:{files(tmp_path, pair(2))}"
    variants = parse_variants(["a=as-is", module_text], device_kind=device)
    assert [variant.kind.word for variant in variants] == ["module", "module"]
    assert variants[0].spec == "a=module:own"
    assert exchange_modules(variants)
    untouched = parse_variants(["a=as-is", "b=as-is"], device_kind=device)
    assert [variant.kind.word for variant in untouched] == ["as-is", "as-is"]
    assert not exchange_modules(untouched)


def test_modules_are_compared_with_modules(tmp_path: Path) -> None:
    texts = ["a=sysctl:vm.kcompressd=0", f"b=module:{files(tmp_path, pair(2))}"]
    with pytest.raises(
        UsageError, match="variant 'a': modules are compared with modules, not with 'sysctl'"
    ):
        parse_variants(texts, device_kind="phone")


def test_an_edited_file_is_another_campaign(tmp_path: Path) -> None:
    text = f"b=module:{files(tmp_path, pair(2))}"
    (planned,) = pin_contents([phone_variant(text)])
    pin_contents([planned])
    files(tmp_path, pair(3))
    with pytest.raises(UsageError, match="have content"):
        pin_contents([planned])


@pytest.mark.parametrize(
    ("contents", "options", "said"),
    [
        (tuple(reversed(pair(2))), "", "is the module zram, not zsmalloc"),
        ((pair(2)[0], pair(2, flags="SMP mod_unload")[1]), "", "give a pair of one build"),
        ((module("zsmalloc", build_id=None), pair(2)[1]), "", "nothing would prove that it is loaded"),
        (pair(2), ",parameters=threads=2", "has no parameter threads"),
        ((b"#!", pair(2)[1]), "", "is not a 64-bit ELF file"),
    ],
)
def test_files_that_are_no_pair_are_refused_without_a_device(
    contents: tuple[bytes, bytes], options: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        phone_variant(f"v=module:{files(tmp_path, contents)}{options}").check()
    assert said in str(caught.value)
    assert "variant 'v'" in str(caught.value)


def test_what_a_module_says_of_itself() -> None:
    info = parse_module(pair(2)[1] + b"~Module signature appended~\n", "zram.ko")
    assert info.arch == "aarch64"
    assert info.srcversion == f"{2:024X}"
    assert info.checksums == CHECKSUMS
    assert info.vermagic.endswith("mod_unload modversions aarch64")
    assert info.signed
    assert not parse_module(pair(2)[1], "zram.ko").signed


def test_without_checksums_the_release_decides() -> None:
    """As same_magic of kernel/module/version.c."""
    own, other = (
        [
            parse_module(module("zram", release=release, checksums=checksums), "zram.ko")
            for checksums in (None, {"kmalloc": 1})
        ]
        for release in ("6.1.75", "6.1.99")
    )
    assert not list(misfits(own[0], own[0]))
    assert "its vermagic is '6.1.99" in next(misfits(other[0], own[0]))
    assert not list(misfits(other[1], own[1]))


def test_the_pair_among_the_modules_of_a_phone() -> None:
    lines = (
        "zcomp_eh 20480 0 - Live 0x0 (O)\n"
        "zram_gs 45056 2 zcomp_eh, Live 0x0 (O)\n"
        "zram_stats 45056 0 - Live 0x0 (O)\n"
        "zsmalloc 36864 2 zram_gs, Live 0x0\n"
    )
    modules = parse_modules(lines)
    zsmalloc, zram = the_pair(modules)
    assert zsmalloc is not None
    assert zram is not None
    assert (zram.name, zram.users, zram.other_references) == ("zram_gs", ("zcomp_eh",), 1)
    assert (zsmalloc.users, zsmalloc.other_references) == (("zram_gs",), 1)
    assert parse_modules("zram 45056 - - Live 0x0\n")["zram"].references is None


def test_a_module_as_text() -> None:
    for one in (ModuleId("zram", None, "ab"), ModuleId("zram", "AB", None)):
        assert ModuleId.parse(str(one)) == one
