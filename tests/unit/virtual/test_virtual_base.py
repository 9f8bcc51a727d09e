"""Bases and their text."""

from __future__ import annotations

import pytest

from foundation.errors import UsageError
from harness.virtual.base import BASES, DEFAULT_BASE, Base, debian_arch, parse_base


@pytest.mark.parametrize("base", BASES, ids=str)
def test_text_and_back(base: Base) -> None:
    assert parse_base(str(base)) == base


def test_texts() -> None:
    assert [str(base) for base in BASES] == [
        "6.12-arm64",
        "6.12-arm64-16k",
        "6.12-amd64",
        "6.1-amd64",
        "newest-arm64",
        "newest-arm64-16k",
        "newest-amd64",
    ]
    assert str(Base("6.6", "aarch64", 64)) == "6.6-arm64-64k"
    assert DEFAULT_BASE in BASES


def test_debian_names() -> None:
    assert (debian_arch("x86_64"), debian_arch("aarch64")) == ("amd64", "arm64")


@pytest.mark.parametrize(
    ("text", "near"),
    [("6.12-arm64-4k", "6.12-arm64"), ("6.1-arm64", "6.12-arm64"), ("newest-amd46", "newest-amd64")],
)
def test_another_base_is_refused_with_the_nearest(text: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"there is no base '{text}' -> did you mean '{near}"):
        parse_base(text)
