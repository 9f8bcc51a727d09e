"""The metrics of one trace for the terminal: what is known, in groups, then why the rest is not."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from analysis.judging.wording import aligned
from analysis.metrics.registry import metric_named
from analysis.metrics.value import MetricValue

WIDTH: Final = 100

#: A reason that differs from metric to metric only by the counter that it names.
_ABSENT: Final = re.compile(r"^\S+ is not in the trace$")
_ONE_FOR_ALL: Final = "the counter is not in the trace"


def metric_list(values: Sequence[MetricValue]) -> str:
    """The known figures by family, each caution once below them; then each reason for none, once.

    ``values`` are of one trace. Lines have at most `WIDTH` columns, but for a long word or a table cell.
    """
    known = [one for one in values if one.value is not None]
    parts = [_known(known)] if known else []
    unknown = [one for one in values if one.value is None]
    if unknown:
        sizes = {family: len(own) for family, own in _by_family(values)}
        parts.append(_unknown(unknown, sizes, some_known=bool(known)))
    return "\n\n".join(parts)


def _known(values: Sequence[MetricValue]) -> str:
    cautions = list(dict.fromkeys(one.reason for one in values if one.reason))
    rows: list[tuple[str, ...]] = []
    heads: dict[int, str] = {}
    for family, own in _by_family(values):
        heads[len(rows)] = family
        rows += [
            (
                f"  {one.metric}",
                f"{one.value:,.6g}",
                one.unit,
                f"({cautions.index(one.reason) + 1})" if one.reason else "",
            )
            for one in own
        ]
    lines: list[str] = []
    for number, line in enumerate(aligned(rows, (False, True))):
        lines += [heads[number]] if number in heads else []
        lines.append(line)
    notes = [_wrapped(f"({number}) {caution}", "    ") for number, caution in enumerate(cautions, 1)]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def _unknown(values: Sequence[MetricValue], sizes: Mapping[str, int], *, some_known: bool) -> str:
    """A paragraph for each reason, with the metrics that it concerns; a whole family by its name."""
    groups: dict[str, list[MetricValue]] = {}
    for one in values:
        reason = one.reason or "no reason is known"
        groups.setdefault(_ONE_FOR_ALL if _ABSENT.match(reason) else reason, []).append(one)
    if len(groups.get(_ONE_FOR_ALL, ())) == 1:
        (one,) = groups.pop(_ONE_FOR_ALL)
        groups[one.reason or ""] = [one]
    lines = [f"{'not known' if some_known else 'nothing is known'}: {len(values)} metrics"]
    for reason, own in groups.items():
        lines.append(_wrapped(f"  {reason}:", "  "))
        whole: list[str] = []
        for family, of_family in _by_family(own):
            if len(of_family) == sizes[family] > 1:
                whole.append(f"all {len(of_family)} of {family}")
                continue
            names = ", ".join(one.metric for one in of_family)
            lines.append(_wrapped(f"    {names}", "    "))
        lines += [_wrapped(f"    {', '.join(whole)}", "    ")] if whole else []
    return "\n".join(lines)


def _by_family(values: Iterable[MetricValue]) -> list[tuple[str, list[MetricValue]]]:
    families: dict[str, list[MetricValue]] = {}
    for one in values:
        families.setdefault(metric_named(one.metric).family, []).append(one)
    return list(families.items())


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(
        text, WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
