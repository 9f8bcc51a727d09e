"""The drawn part of the terminal as rows that fit."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final

from rich.text import Text

from harness.campaign.phase import Phase
from harness.campaign.terminal.progress import Progress, RunningBlock, span_text

#: Wider rows are harder to read.
_WIDTH_MAX: Final = 100
_BAR_MAX: Final = 40
#: Narrower screens omit the changes of single pairs.
_RANGES_FROM: Final = 76


def frame(progress: Progress, width: int, height: int, *, ascii_only: bool = False) -> list[Text]:
    """The rows for a terminal of this size, at most ``height``, each shorter than ``width``."""
    width = max(2, min(width, _WIDTH_MAX + 1))
    head = [_bar(progress, width, ascii_only), _times(progress)]
    running = progress.running_now()
    rows_of = _block if len(running) == 1 else _block_in_a_row
    blocks = [row for one in running for row in rows_of(progress, one)]
    estimates = _estimates(progress, width)
    foot = _outcomes(progress)
    spare = height - len(head) - len(blocks) - len(foot)
    if estimates and len(estimates) > spare:
        hidden = len(estimates) - spare + 1
        estimates = [*estimates[: max(0, spare - 1)], Text(f"  and {hidden} more", "dim")]
    rows = [*head, *blocks, *estimates, *foot][: max(1, height)]
    for row in rows:
        row.plain = printable(row.plain)
        row.truncate(width - 1, overflow="crop" if ascii_only else "ellipsis")
    return rows


def _bar(progress: Progress, width: int, ascii_only: bool) -> Text:
    done, total = len(progress.finished), len(progress.blocks)
    size = max(4, min(_BAR_MAX, width - 44))
    filled = size * done // total if total else 0
    full, empty = ("#", "-") if ascii_only else ("█", "░")
    return Text.assemble(
        full * filled + empty * (size - filled),
        f" {done} of {total} blocks  ",
        (progress.name, "bold"),
        f" on {progress.device}" if progress.device else "",
    )


def _times(progress: Progress) -> Text:
    left = progress.left_s()
    so_far = f"{span_text(progress.elapsed_s)} so far, "
    if left is None:
        return Text(f"{so_far}time left unknown until the first block ends", "dim")
    end = time.localtime(time.time() + left)
    until = time.strftime("%H:%M" if left < 20 * 3600 else "%a %H:%M", end)
    return Text.assemble(so_far, (f"about {span_text(left)} left", "bold"), f", until {until}")


def _block(progress: Progress, one: RunningBlock) -> list[Text]:
    block = one.block
    phases = [(f"[{phase}]", "bold") if phase is one.phase else (f" {phase} ", "dim") for phase in Phase]
    return [
        Text.assemble(f"{block.lane}  ", (_place(one), "bold"), f"  (block {block.index + 1})"),
        Text.assemble(" ", *phases),
        Text(f"  {_time(progress, one)}  {one.text}"),
    ]


def _block_in_a_row(progress: Progress, one: RunningBlock) -> list[Text]:
    where = f"[{one.block.index + 1}] "
    return [
        Text.assemble(where, (_place(one), "bold"), f"  {one.phase}  {_time(progress, one)}  {one.text}")
    ]


def _place(one: RunningBlock) -> str:
    return f"{one.block.scenario}, pair {one.block.pair + 1}, {one.block.variant}"


def _time(progress: Progress, one: RunningBlock) -> str:
    expected = progress.time_left.expected_s(one.block.scenario)
    of = f" of about {expected:.0f} s" if expected is not None and one.phase is not Phase.JUDGE else ""
    return f"{progress.clock() - one.begun_s:.0f} s{of}"


def _estimates(progress: Progress, width: int) -> list[Text]:
    estimates = progress.interim
    if not estimates:
        return []
    several = len({one.variant for one in estimates}) > 1
    ranges = width >= _RANGES_FROM and any(one.range_text() for one in estimates)
    table = [
        (
            one.scenario,
            *((one.variant,) if several else ()),
            one.metric,
            one.change_text(),
            f"{one.pairs} of {one.planned} pairs",
            *((one.range_text(),) if ranges else ()),
        )
        for one in estimates
    ]
    variant, baseline = estimates[0].variant, estimates[0].baseline
    compared = f"against {baseline}" if several else f"{variant} against {baseline}"
    single = "; right: smallest to largest single pair" if ranges else ""
    title = Text.assemble(
        ("running estimate, NOT YET A VERDICT", "yellow"), (f" ({compared}{single})", "dim")
    )
    return [title, *(Text(f"  {line}") for line in _aligned(table))]


def _outcomes(progress: Progress) -> list[Text]:
    counts = [
        (f"{count} {outcome.replace('_', ' ')}  ", "red" if outcome == "kernel_failure" else "")
        for outcome, count in sorted(progress.outcomes.items())
    ]
    return [Text.assemble("this run: ", *counts)] if counts else []


def _aligned(table: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        yield "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()


def printable(line: str) -> str:
    """``line`` without control characters, which a device may print and a terminal would obey."""
    return "".join(char if char.isprintable() else " " for char in line)
