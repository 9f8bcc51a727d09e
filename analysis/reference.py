"""The reference of all metrics as Markdown, generated from their definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from analysis.metrics import PRIMARIES
from foundation.contract.metric import Metric

_HEAD: Final = """# Metrics

Generated from the definitions in `analysis/metrics/` by `python -m analysis reference`. Each value
covers one repetition: its measured window, or the whole trace if another recorder made it. An unknown
value is empty and has a reason; it is never 0.

**threshold**: a smaller change, as a share of the baseline, does not matter to a user or a reviewer.
**compared as**: a ratio if both sides are above 0, a difference if one of them can be 0.
**(primary)**: judged with Holm's correction in app switching; all others are exploratory.
**(with --trace-...)**: needs events of every page or fault, which cost CPU time; recorded only with that
option.
"""


def reference(metrics: Mapping[str, Metric]) -> str:
    """A page with a section for each family, in the order of reports."""
    families: dict[str, list[Metric]] = {}
    for metric in metrics.values():
        families.setdefault(metric.family, []).append(metric)
    parts = [_HEAD]
    for family, members in families.items():
        parts += [f"## {family[0].upper()}{family[1:]}\n", *map(_entry, members)]
    return "\n".join(parts)


def _entry(metric: Metric) -> str:
    marks = " (primary)" if metric.name in PRIMARIES else ""
    marks += f" (with --trace-{metric.request})" if metric.request else ""
    better = {"lower": "lower is better", "higher": "higher is better", "none": "describes the work"}
    needs = metric.needs
    wanted = [
        *(f"`{event}`" for event in sorted(needs.ftrace_events)),
        *(f"calls of `{probe.symbols[0]}`" for probe in sorted(needs.probes)),
        *(f"vmstat `{key}`" for key in sorted(needs.vmstat)),
        *(f"meminfo `{key}`" for key in sorted(needs.meminfo)),
        *(f"PSI `{line}`" for line in sorted(needs.psi)),
        *(["zram statistics"] if needs.zram else []),
        *(["schedstat of the threads"] if needs.schedstat else []),
        *(["app switches"] if needs.switches else []),
    ]
    return (
        f"### {metric.name}\n\n"
        f"{_sentence(metric.definition)}\n\n"
        f"- unit: {metric.unit}; {better[metric.direction]}{marks}\n"
        f"- threshold {metric.threshold:.0%}, compared as {metric.scale},"
        f" {metric.reduce} of a block's repetitions\n"
        f"- source: {metric.source}\n"
        f"- needs: {', '.join(wanted) or 'only a trace'}\n"
    )


def _sentence(text: str) -> str:
    """With a capital, unless it starts with an identifier."""
    head = text.partition(" ")[0]
    return f"{text if '_' in head else text[0].upper() + text[1:]}."
