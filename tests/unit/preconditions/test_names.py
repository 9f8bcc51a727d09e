"""The names of preconditions, for ``--suppress`` and in the manual."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import UsageError
from harness.device.preconditions.names import PRECONDITIONS, parse_suppressed

PAGE = Path(__file__).parents[3] / "docs" / "phone-measuring.md"


def test_every_name_is_documented() -> None:
    page = PAGE.read_text()
    assert all(f"`{name}`" in page for name in PRECONDITIONS)


def test_names_to_suppress() -> None:
    assert parse_suppressed(["thermal, zram", "thermal"]) == ("thermal", "zram")
    assert parse_suppressed([]) == ()
    with pytest.raises(UsageError, match="there is no precondition 'termal' -> did you mean 'thermal'"):
        parse_suppressed(["termal"])
