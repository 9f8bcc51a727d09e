"""Variants as a user types them."""

from __future__ import annotations

import pytest

from foundation.errors import UsageError
from harness.campaign.settings import OPTIONS
from harness.variants.variant import parse_variant, parse_variants


def test_a_spec_round_trips() -> None:
    variant = parse_variant("patched=kcompressd:threads=2,depth=24", device_kind="virtual")
    assert (variant.name, variant.kind.word) == ("patched", "kcompressd")
    assert dict(variant.options) == {"threads": "2", "depth": "24"}
    assert parse_variant(variant.spec, device_kind="virtual") == variant


def test_a_sysctl_switch_keeps_its_key() -> None:
    variant = parse_variant("on=sysctl:vm.kcompressd=24", device_kind="phone")
    assert dict(variant.options) == {"vm.kcompressd": "24"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("baseline", "NAME=KIND"),
        ("baseline=", "NAME=KIND"),
        ("bad name=stock", "file name"),
        ("../x=stock", "file name"),
        ("p=kcompresd", "did you mean 'kcompressd'"),
        ("p=kcompressd:thread=2", "did you mean 'threads'"),
        ("p=kcompressd:threads", "KEY=VALUE"),
        ("p=kcompressd:threads=1,threads=2", "twice"),
        ("p=stock:threads=1", "takes no options"),
        ("p=kernel:image=/x", "needs image=FILE and modules=DIR"),
        ("p=sysctl", "no kind 'sysctl'"),
    ],
)
def test_a_bad_spec_is_one_line_that_says_what_to_do(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_variant(text, device_kind="virtual")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_phone_switch_without_a_key_is_refused() -> None:
    with pytest.raises(UsageError, match="needs KEY=VALUE"):
        parse_variant("on=sysctl", device_kind="phone")


def test_two_variants_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two variants have the name 'a'"):
        parse_variants(["a=stock", "a=kcompressd"], device_kind="virtual")


def test_one_variant_is_no_comparison() -> None:
    with pytest.raises(UsageError, match="A/A"):
        parse_variants(["a=stock"], device_kind="virtual")


def test_an_a_a_campaign_is_two_names_of_one_kernel() -> None:
    first, second = parse_variants(["a=stock", "b=stock"], device_kind="virtual")
    assert (first.kind.word, second.kind.word) == ("stock", "stock")


def test_scenarios_are_known_names() -> None:
    (scenarios,) = (option for option in OPTIONS if option.flag == "--scenario")
    assert scenarios.read("idle, busy,idle") == ("idle", "busy")
    with pytest.raises(UsageError, match="did you mean 'idle'"):
        scenarios.read("idel")
    with pytest.raises(UsageError, match="no scenario"):
        scenarios.read(",")
