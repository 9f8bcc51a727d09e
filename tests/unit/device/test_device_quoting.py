"""Shell text for values: what shlex reads back is what went in."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import UsageError
from foundation.quoting import quote, quote_argv

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(word=_TEXT)
def test_word_round_trips(word: str) -> None:
    assert shlex.split(quote(word)) == [word]


@given(argv=st.lists(_TEXT, min_size=1).filter(lambda argv: bool(argv[0])))
def test_argv_round_trips(argv: list[str]) -> None:
    assert shlex.split(quote_argv(argv)) == argv


@pytest.mark.parametrize("plain", ["/sys/block/zram0/reset", "a-b_c.d", "5", "key=value", "am"])
def test_plain_words_stay_readable(plain: str) -> None:
    assert quote(plain) == plain


def test_first_word_is_no_assignment() -> None:
    assert quote_argv(["A=B", "C=D"]) == "'A=B' C=D"


@pytest.mark.parametrize("argv", [[], [""], "ls -l"])
def test_what_is_no_command(argv: list[str] | str) -> None:
    with pytest.raises(UsageError):
        quote_argv(argv)


def test_nul_is_refused() -> None:
    with pytest.raises(UsageError, match="NUL"):
        quote("a\0b")
