"""What the drawn part of the terminal says about a campaign, as rows that fit. Pure."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from harness.campaign.phase import Phase
from harness.campaign.terminal.progress import LaneState, Progress, span_text

#: Wider rows are harder to read, not fuller.
_WIDTH_MAX: Final = 100
_BAR_MAX: Final = 40
#: Below this the changes of the single pairs are left out.
_RANGES_FROM: Final = 76

PLAIN: Final = ""
BOLD: Final = "1"
DIM: Final = "2"
RED: Final = "31"
YELLOW: Final = "33"


@dataclass(frozen=True)
class Span:
    """Text in one style (SGR parameters)."""

    text: str
    style: str = PLAIN


Row = tuple[Span, ...]


def frame(progress: Progress, width: int, height: int, *, ascii_only: bool = False) -> list[Row]:
    """The rows for a terminal of this size, at most ``height``, each shorter than ``width``."""
    width = max(2, min(width, _WIDTH_MAX + 1))
    head = [_bar(progress, width, ascii_only), _times(progress)]
    lanes = [row for lane in progress.lanes.values() for row in _lane(progress, lane)]
    estimates = _estimates(progress, width)
    foot = _outcomes(progress)
    spare = height - len(head) - len(lanes) - len(foot)
    if estimates and len(estimates) > spare:
        hidden = len(estimates) - spare + 1
        estimates = [*estimates[: max(0, spare - 1)], (Span(f"  and {hidden} more", DIM),)]
    rows = [*head, *lanes, *estimates, *foot][: max(1, height)]
    return [_cut(row, width - 1, "~" if ascii_only else "…") for row in rows]


def _bar(progress: Progress, width: int, ascii_only: bool) -> Row:
    done, total = len(progress.finished), len(progress.blocks)
    size = max(4, min(_BAR_MAX, width - 44))
    filled = size * done // total if total else 0
    full, empty = ("#", "-") if ascii_only else ("█", "░")
    return (
        Span(full * filled + empty * (size - filled)),
        Span(f" {done} of {total} blocks  "),
        Span(progress.name, BOLD),
        Span(f" on {progress.device}" if progress.device else ""),
    )


def _times(progress: Progress) -> Row:
    left = progress.left_s()
    so_far = f"{span_text(progress.elapsed_s)} so far, "
    if left is None:
        return (Span(f"{so_far}time left not known before the first block has ended", DIM),)
    end = time.localtime(time.time() + left)
    until = time.strftime("%H:%M" if left < 20 * 3600 else "%a %H:%M", end)
    return (Span(so_far), Span(f"about {span_text(left)} left", BOLD), Span(f", until {until}"))


def _lane(progress: Progress, lane: LaneState) -> list[Row]:
    block = lane.block
    elapsed = progress.clock() - lane.begun_s
    expected = progress.time_left.expected_s(block.scenario)
    of = f" of about {expected:.0f} s" if expected is not None and lane.phase is not Phase.JUDGE else ""
    place = f"{block.scenario}, pair {block.pair + 1}, {block.variant}"
    phases: list[Span] = [Span(" ")]
    for phase in Phase:
        now = phase is lane.phase
        phases.append(Span(f"[{phase}]" if now else f" {phase} ", BOLD if now else DIM))
    return [
        (Span(f"{block.lane}  "), Span(place, BOLD), Span(f"  (block {block.index + 1})")),
        tuple(phases),
        (Span(f"  {elapsed:.0f} s{of}"), Span(f"  {lane.text}")),
    ]


def _estimates(progress: Progress, width: int) -> list[Row]:
    known = progress.interim
    if not known:
        return []
    several = len({one.variant for one in known}) > 1
    ranges = width >= _RANGES_FROM and any(one.range_text() for one in known)
    table = [
        (
            one.scenario,
            *((one.variant,) if several else ()),
            one.metric,
            one.change_text(),
            f"{one.pairs} of {one.planned} pairs",
            *((one.range_text(),) if ranges else ()),
        )
        for one in known
    ]
    compared = (
        f"against {known[0].baseline}" if several else f"{known[0].variant} against {known[0].baseline}"
    )
    single = "; right: from the least to the greatest single pair" if ranges else ""
    title = (Span("running estimate, NOT YET A VERDICT", YELLOW), Span(f" ({compared}{single})", DIM))
    return [title, *((Span(f"  {line}"),) for line in _aligned(table))]


def _outcomes(progress: Progress) -> list[Row]:
    spans = [
        Span(f"{count} {outcome.replace('_', ' ')}  ", RED if outcome == "kernel_failure" else PLAIN)
        for outcome, count in sorted(progress.outcomes.items())
    ]
    return [(Span("this run: "), *spans)] if spans else []


def _aligned(table: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        yield "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()


def _cut(row: Row, width: int, mark: str) -> Row:
    """``row`` in at most ``width`` columns."""
    spans: list[Span] = []
    left = width
    for span in row:
        text = "".join(char if char.isprintable() else " " for char in span.text)
        if len(text) > left:
            spans.append(Span(text[: max(0, left - 1)] + mark if left else "", span.style))
            break
        spans.append(Span(text, span.style))
        left -= len(text)
    return tuple(spans)


def rows_of(text: str, width: int) -> int:
    """How many rows of a terminal ``text`` fills."""
    return sum(max(1, math.ceil(len(line) / width)) for line in text.split("\n"))
