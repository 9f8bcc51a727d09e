"""Which published patch a variant runs, by the stable ids of its parts."""

from __future__ import annotations

import itertools
import re

import pytest

from foundation.published_patches import BASES, JOINT, OPTION, PUBLISHED, patch_words, published_in

V1, V2, FORK = PUBLISHED


def words(*ids: str) -> str | None:
    return patch_words({OPTION: JOINT.join(ids)})


def test_each_is_told_by_its_own_ids() -> None:
    for one in PUBLISHED:
        assert words(*one.ids) == f"{one.name} as published ({one.date})"
        assert published_in(one.ids) == (one,)
        assert all(re.fullmatch("[0-9a-f]{40}", part) for part in one.ids)
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", one.date)
        assert one.defects
    ids = list(itertools.chain.from_iterable(one.ids for one in PUBLISHED))
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([V1.ids[1]], "part 2 of 2 of MediaTek v1 (2025-03-07)"),
        ([V1.ids[1], V1.ids[0]], "part 2, 1 of 2 of MediaTek v1 (2025-03-07)"),
        (["0123456789abcdef" * 2 + "01234567"], "unknown patch, id 0123456789ab"),
        (
            ["f" * 40, *V2.ids],
            "unknown patch, id ffffffffffff and MediaTek v2 as published (2025-04-30)",
        ),
        ([*BASES], "the suite's mthp_zswpout"),
        (
            [*BASES, *V2.ids],
            "the suite's mthp_zswpout and MediaTek v2 as published (2025-04-30)",
        ),
        (
            [V1.ids[0], "f" * 40, V1.ids[1]],
            "part 1, 2 of 2 of MediaTek v1 (2025-03-07) and unknown patch, id ffffffffffff",
        ),
    ],
)
def test_what_is_not_the_whole_text_in_its_order_is_told_apart(ids: list[str], said: str) -> None:
    assert words(*ids) == said


def test_a_variant_without_a_patch_has_no_words() -> None:
    assert patch_words({}) is None
    assert patch_words({"content": "12345678"}) is None
