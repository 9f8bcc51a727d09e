"""Kinds for a phone: their switches, kernels, hashes, and what a dry run shows of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import UsageError
from harness.variants.kinds.switches import Param, Sysctl
from harness.variants.on_phone import PhoneKind
from harness.variants.variant import compares_compression, refuse_engine
from tests.stand_ins.bootloader.images import FakeKernel, boot_image
from tests.variants import phone_variant


def kind(text: str) -> PhoneKind:
    found = phone_variant(text).kind
    assert isinstance(found, PhoneKind)
    return found


def test_switches() -> None:
    assert kind("a=as-is").switches() == []
    assert kind("a=boot:image=boot.img").switches() == []
    (pin,) = kind("a=sysctl:vm.kcompressd=0").switches()
    assert (pin.path, pin.wanted) == ("/proc/sys/vm/kcompressd", "0")
    path = "/sys/module/kcompressd/parameters/kcompressd_enabled"
    (pin,) = kind(f"a=param:{path}=N").switches()
    assert (pin.path, pin.wanted) == (path, "N")


def test_switches_are_set_in_the_order_in_which_they_are_typed() -> None:
    switches = kind("a=sysctl:vm.swappiness=200,vm.kcompressd=0").switches()
    assert [(pin.path, pin.wanted) for pin in switches] == [
        ("/proc/sys/vm/swappiness", "200"),
        ("/proc/sys/vm/kcompressd", "0"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "v=kernel",
            "a phone device has no kind 'kernel' -> known: as-is, boot, flash, module, param, sysctl",
        ),
        ("v=flahs:set=x", "did you mean 'flash'?"),
        ("v=sysclt:vm.x=1", "did you mean 'sysctl'?"),
        ("v=as-is:a=b", "kind 'as-is' has no option 'a' -> 'as-is' takes no options"),
        ("v=sysctl", "needs KEY=VALUE -> write v=sysctl:vm.kcompressd=0"),
        ("v=param", "needs KEY=VALUE -> write v=param:/sys/module/NAME/parameters/KEY=0"),
        ("v=sysctl:../../x=1", "is not a sysctl"),
        ("v=sysctl:swappiness=1", "is not a sysctl"),
        ("v=param:/data/x=1", "is not a file below /sys or /proc/sys"),
        ("v=param:/sys/../data/x=1", "is not a file below /sys"),
    ],
)
def test_variants_that_a_phone_refuses(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        phone_variant(text)
    assert said in str(caught.value)
    assert "variant 'v'" in str(caught.value)


def test_typed_once() -> None:
    assert kind("a=sysctl:vm.x=1") == Sysctl((Sysctl.pin("vm.x", "1"),))
    assert kind("a=param:/sys/x=1") == Param((Param.pin("/sys/x", "1"),))


def test_an_image_is_opened_once(tmp_path: Path) -> None:
    """A campaign boots what was hashed when it was planned, or proves that it is another kernel."""
    path = tmp_path / "boot.img"
    path.write_bytes(boot_image(FakeKernel("6.6.30-one")))
    planned = kind(f"a=boot:image={path}")
    hashes = dict(planned.hashes())
    path.write_bytes(boot_image(FakeKernel("6.6.30-two")))
    assert planned.hashes() == hashes
    assert kind(f"a=boot:image={path}").hashes() != hashes


def test_a_file_that_is_missing_is_reported_with_the_variant(tmp_path: Path) -> None:
    for text in (f"v=boot:image={tmp_path}/none.img", f"v=flash:set={tmp_path}/none"):
        with pytest.raises(UsageError, match="variant 'v': cannot read"):
            phone_variant(text).check()


def test_what_compares_compression(tmp_path: Path) -> None:
    path = tmp_path / "boot.img"
    path.write_bytes(boot_image(FakeKernel("6.6.30-one")))
    for texts, wanted in (
        (("a=as-is", f"b=boot:image={path}"), True),
        (("a=sysctl:vm.kcompressd=0", "b=sysctl:vm.kcompressd=24"), True),
        (("a=sysctl:vm.swappiness=100", "b=sysctl:vm.swappiness=200"), False),
        (("a=as-is", "b=as-is"), False),
        ((f"a=boot:image={path}", f"b=boot:image={path}"), False),
    ):
        variants = [phone_variant(text) for text in texts]
        assert compares_compression(variants) == wanted
        refuse_engine(variants, None)
        if wanted:
            with pytest.raises(UsageError, match=r'in hardware, with X: on no side .* "lz4"'):
                refuse_engine(variants, "X")
        else:
            refuse_engine(variants, "X")


@pytest.mark.parametrize("options", ["zram=same", "zram=own", "thread=kcompressd0"])
def test_where_the_patch_is(options: str) -> None:
    assert phone_variant(f"v=boot:image=b.img,{options}").spec == f"v=boot:image=b.img,{options}"


def test_a_thread_that_no_metric_counts() -> None:
    with pytest.raises(UsageError, match="thread=mine is no compression thread that the metrics know"):
        phone_variant("v=flash:set=x,thread=mine")
    with pytest.raises(UsageError, match="zram=mm is neither 'own' nor 'same'"):
        phone_variant("v=boot:image=b.img,zram=mm")
