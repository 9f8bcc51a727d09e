"""Text forms of figures: effects with their intervals, p, the noise floor, aligned tables.

The page has room for ``-28.1 % [-30.2, -26.0]`` and units; the terminal and the mail use at most
seven characters for a figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from analysis.stats.effect import LEVEL, Change
from analysis.stats.noise_floor import NoiseFloor
from foundation.comparison import Scale


def number(value: float, *, sign: bool = False) -> str:
    """A figure with three or four significant digits, never in powers of ten."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:{'+' if sign else ''},.{min(digits, 6)}f}"


def short(value: float | None, *, sign: bool = False) -> str:
    """At most seven characters, with k, M, G or T if needed; ``-`` for None."""
    if value is None:
        return "-"
    plus = "+" if sign and value > 0 else ""
    size, suffix = abs(value), ""
    for suffix, unit in (("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12)):
        size = abs(value) / unit
        if size < (1e5 if not suffix else 1e3):
            break
    digits = 0 if size >= 1000 or size == 0 else max(0, 2 - math.floor(math.log10(size)))
    text = f"{size:.{min(digits, 4)}f}{suffix}"
    return f"{plus}{'-' if value < 0 else ''}{text}"


def percent(ratio: float) -> str:
    """A ratio as a relative change in %, without the percent sign."""
    change = round((ratio - 1.0) * 100.0, 1)
    return f"{change:+,.1f}" if change else "0.0"


def change_text(change: Change | None, unit: str) -> str:
    """An effect with its interval: a relative change in %, or a difference in ``unit``."""
    if change is None:
        return "not known"
    if change.scale == "ratio":
        text = f"{percent(change.value)} %"
        ends = _ends(change, percent)
    else:
        text = f"{number(change.value, sign=True)} {unit}"
        ends = _ends(change, lambda value: number(value, sign=True))
    level = lower_level(change)
    return f"{text}{f' {ends}' if ends else ''}{f' ({level})' if level else ''}"


def lower_level(change: Change | None) -> str:
    """The level of the interval if there are too few pairs for 95 %; else empty."""
    if change is None or change.level is None or change.level >= LEVEL:
        return ""
    return f"{100 * change.level:.3g} % interval"


def short_change(change: Change | None) -> str:
    """An effect without its interval; ``-`` for None."""
    return "-" if change is None else short_value(change.value, change.scale)


def short_interval(change: Change | None) -> str:
    """The interval of `short_change`; empty without one."""
    return "" if change is None else _ends(change, lambda value: _short(value, change.scale))


def short_value(value: float, scale: Scale) -> str:
    """A ratio as a change in % with its sign, or a difference without its unit."""
    return f"{_short(value, scale)}%" if scale == "ratio" else _short(value, scale)


def _short(value: float, scale: Scale) -> str:
    if scale == "difference":
        return short(value, sign=True)
    return percent(value) if value < 100 else short((value - 1) * 100, sign=True)


def _ends(change: Change, show: Callable[[float], str]) -> str:
    if change.low is None or change.high is None:
        return ""
    return f"[{show(change.low)}, {show(change.high)}]"


def p_text(value: float | None) -> str:
    """A p value with three decimals; ``-`` for None."""
    return "-" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def floor_text(floor: NoiseFloor | None) -> str:
    """The typical pair difference of an A/A comparison, in % or in the unit; empty for None."""
    if floor is None:
        return ""
    if floor.scale == "difference":
        return short(floor.typical)
    change = math.expm1(floor.typical) * 100
    return f"{change:.1f}%" if change < 1e4 else f"{short(change)}%"


def aligned(
    rows: Sequence[Sequence[str]], right: Sequence[bool] = (), *, width: int | None = None, gives: int = 1
) -> list[str]:
    """Lines of a table; columns marked in ``right`` are aligned to the right.

    If lines are longer than ``width``, the gap narrows and then column ``gives`` is cut.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    flush = (*right, *(False for _ in widths[len(right) :]))
    gap = "  "
    if width is not None:
        if sum(widths) + 2 * (len(widths) - 1) > width:
            gap = " "
        spare = sum(widths) + len(gap) * (len(widths) - 1) - width
        widths[gives] = max(8, widths[gives] - spare) if spare > 0 else widths[gives]
    return [
        gap.join(
            _cut(cell, size).rjust(size) if to_right else _cut(cell, size).ljust(size)
            for cell, size, to_right in zip(row, widths, flush, strict=True)
        ).rstrip()
        for row in rows
    ]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}~"
