"""The nearest word to a mistyped one."""

from __future__ import annotations

import pytest

from foundation.words import did_you_mean, nearest


@pytest.mark.parametrize(
    ("word", "expected"),
    [("thread", "threads"), ("dpeth", "depth"), ("threads", "threads"), ("xyz", None), ("", None)],
)
def test_the_nearest_word(word: str, expected: str | None) -> None:
    assert nearest(word, ("threads", "depth")) == expected


def test_words_are_taken_from_any_iterable() -> None:
    assert nearest("dept", {"depth": 1}.keys()) == "depth"
    assert nearest("dept", (word for word in ["depth"])) == "depth"
    assert nearest("dept", ()) is None


def test_the_next_step_for_a_mistyped_word() -> None:
    assert did_you_mean("dept", iter(["threads", "depth"])) == "did you mean 'depth'?"
    assert did_you_mean("xyz", iter(["threads", "depth"])) == "known: threads, depth"
    assert did_you_mean("xyz", ["threads"], "list them") == "list them"
    assert did_you_mean("thread", ["threads"], "list them") == "did you mean 'threads'?"
