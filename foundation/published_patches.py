"""The published patches of the compression thread, known by their stable patch ids.

A stable patch id (``git patch-id --stable``) changes with the lines that a patch adds and removes and
their context, and with nothing else: not with mail headers, white space or line numbers. So a text with
one of these ids is the published one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

#: The option of a variant that holds the ids of its patch, and what stands between two of them.
OPTION: Final = "patch-ids"
JOINT: Final = "+"


@dataclass(frozen=True)
class Published:
    """A patch or series as it was posted.

    ``ids`` are the stable patch ids of its parts in order, ``date`` is ISO 8601, ``where`` a message id
    or the project that publishes it, ``kernel`` the series that it applies to. ``changes`` says what it
    does, ``defects`` what is known to be wrong in it, each with its consequence for a measurement.
    """

    name: str
    title: str
    date: str
    where: str
    kernel: str
    ids: tuple[str, ...]
    changes: str
    defects: tuple[str, ...]


PUBLISHED: Final = (
    Published(
        name="MediaTek v1",
        title="[PATCH 0/2] Improve Zram by separating compression context from kswapd",
        date="2025-03-07",
        where="20250307120141.1566673-1-qun-wei.lin@mediatek.com",
        kernel="6.12",
        ids=("76ce5aa86b77bd155c6256e610a95033fdd60aa8", "c85c40272a65a5faf282c81ad9f85d19c199c313"),
        changes=(
            "zram writes asynchronously and hands kswapd's pages to up to four threads (kcompressd:0 to 3)"
            " with 4096 entries each"
        ),
        defects=(
            "compiled in, it takes the synchronous write path from all swap-out, direct reclaim too: its"
            " thread switched off is not the kernel without it",
            "the handlers of its module parameters test their result the wrong way round: a write returns"
            " EINVAL and leaves the thread off",
            "its array of threads is not cleared: boot with init_on_alloc=1, on both sides",
        ),
    ),
    Published(
        name="MediaTek v2",
        title="[PATCH] mm: Add Kcompressd for accelerated memory compression",
        date="2025-04-30",
        where="20250430082651.3152444-1-qun-wei.lin@mediatek.com",
        kernel="6.15",
        ids=("3f7ae7ee59155c73150a76aa8b990b827fe29219",),
        changes=(
            "above zram and zswap, in mm/page_io.c: one thread a node (kcompressd0), a queue of 256"
            " locked folios"
        ),
        defects=(
            "counts MTHP_STAT_ZSWPOUT, which 6.12 lacks: both sides need a patch that adds it",
            "its thread lacks PF_MEMALLOC and reclaims for itself: allocstall counts its own stalls too",
            "a queued folio is locked: a fault on it waits for the queue",
        ),
    ),
    Published(
        name="firelzrd 0.5 for 6.12.44",
        title="Kcompressd-Unofficial v0.5",
        date="2025-06-24",
        where="https://github.com/firelzrd/kcompressd-unofficial",
        kernel="6.12",
        ids=("280204de9263370ba2b3b75bee5f32b40859d34d",),
        changes=(
            "as MediaTek v2, with the switch vm.kcompressd (0 to 256, 24 by default); when the queue is"
            " full kswapd compresses its oldest folio"
        ),
        defects=(
            "its thread has PF_MEMALLOC and can use up the reserves: zram's write errors and kills by the"
            " OOM killer are outcomes of it",
        ),
    ),
)

#: The suite's own patches that make a base for a published one, by id: files of kernels/built/published.
BASES: Final = {"f0de644e2794fcccc744fca4a42313236923a8c9": "the suite's mthp_zswpout"}


def patch_words(options: Mapping[str, str]) -> str | None:
    """What the patch of a variant with ``options`` is, for a reader; None for a variant without one.

    "MediaTek v2 as mailed (2025-04-30)", "part 2 of MediaTek v1", "unknown patch, id 3f7ae7ee5915";
    several are joined by " and ".
    """
    text = options.get(OPTION)
    return " and ".join(_words(text.split(JOINT))) if text else None


def published_in(ids: Sequence[str]) -> tuple[Published, ...]:
    """The published patches of which ``ids`` hold at least one part."""
    return tuple(one for one in PUBLISHED if set(one.ids) & set(ids))


def _words(ids: Sequence[str]) -> list[str]:
    left = list(ids)
    words: list[tuple[int, str]] = []
    for one in published_in(ids):
        places = [left.index(part) for part in one.ids if part in left]
        if places == list(range(places[0], places[0] + len(one.ids))):
            said = f"{one.name} as published ({one.date})"
        else:
            parts = ", ".join(str(one.ids.index(left[place]) + 1) for place in sorted(places))
            said = f"part {parts} of {len(one.ids)} of {one.name} ({one.date})"
        words.append((min(places), said))
    known = {part for one in PUBLISHED for part in one.ids}
    others = [(place, part) for place, part in enumerate(left) if part not in known]
    words += [(place, BASES.get(part, f"unknown patch, id {part[:12]}")) for place, part in others]
    return [said for _, said in sorted(words)]
