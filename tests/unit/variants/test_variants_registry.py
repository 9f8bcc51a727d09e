"""The kinds are found in one folder, and everything that lists them reads them from there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.errors import UsageError
from harness.campaign.dry_run import dry_run_text
from harness.campaign.merging import settings_of
from harness.variants import kinds
from harness.variants.kind import DEVICES, VariantKind
from harness.variants.reference import reference
from harness.variants.registry import all_kinds
from tests.unit.docs.docs_pages import fences_of
from tests.variants import phone_variant, virtual_variant

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "variants.md"
_ROW = re.compile(r"^\| (`NAME=.*?) \| ", re.MULTILINE)


def test_no_two_kinds_of_a_device_have_one_word() -> None:
    words = [(kind.device, kind.word) for kind in all_kinds()]
    assert len(set(words)) == len(words)
    assert {device for device, _ in words} == set(DEVICES)


@pytest.mark.parametrize("kind", all_kinds(), ids=lambda kind: f"{kind.device}-{kind.word}")
def test_what_is_said_of_a_kind_can_be_typed(kind: type[VariantKind]) -> None:
    assert re.split(r"[:\[]", kind.usage)[0] == kind.word
    assert (ROOT / kind.page).exists()
    assert kind.bare is None or kind.bare in kind.options()
    for option in kind.options().values():
        assert option.help
        assert not option.help.endswith(".")
        bare = option.key == kind.bare and "=" not in kind.usage
        required = f"{option.key}=" in kind.usage or bare
        assert option.required == required, option.key


def test_the_page_of_kinds_is_that_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "run: python -m harness.variants > docs/variants.md"
    )


@pytest.mark.parametrize("page", ["README.md", "docs/adding-a-variant.md"])
def test_a_table_of_variants_names_kinds_that_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`NAME=([a-z-]+)[^`]*`", text))
    assert named <= {kind.word for kind in all_kinds()}
    usages = {kind.usage for kind in all_kinds()}
    if page == "README.md":
        shown = {usage for row in _ROW.findall(text) for usage in re.findall(r"`NAME=([^`]+)`", row)}
        assert shown == usages


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The kind that docs/adding-a-variant.md writes is there, in one file."""
    (fence,) = [
        fence
        for fence in fences_of(ROOT / "docs" / "adding-a-variant.md")
        if fence.title == "harness/variants/kinds/zram.py"
    ]
    (tmp_path / "zram.py").write_text(fence.text, encoding="utf-8")
    monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(tmp_path)])
    all_kinds.cache_clear()
    yield
    all_kinds.cache_clear()


@pytest.mark.usefixtures("added")
def test_a_kind_is_added_by_one_file(tmp_path: Path) -> None:
    assert virtual_variant("two=zram:num_devices=2").kind.word == "zram"
    with pytest.raises(UsageError, match="did you mean 'zram'"):
        virtual_variant("two=zrma:num_devices=2")
    with pytest.raises(UsageError, match="a phone device has no kind 'zram'"):
        phone_variant("two=zram:num_devices=2")
    with pytest.raises(UsageError, match=r"needs num_devices=1\.\.8 -> write two=zram:num_devices=N"):
        virtual_variant("two=zram")
    given = {
        "variants": ("one=stock", "two=zram:num_devices=2"),
        "scenarios": ("idle",),
        "pairs": 1,
        "seed": 1,
        "results": tmp_path / "results",
    }
    assert "  two=zram:num_devices=2\n" in dry_run_text([settings_of(given)])
    assert "`NAME=zram:num_devices=N`: the stock kernel with several zram devices" in reference()


def test_a_kind_that_was_taken_out_is_gone() -> None:
    with pytest.raises(UsageError, match="no kind 'zram'"):
        virtual_variant("two=zram:num_devices=2")
