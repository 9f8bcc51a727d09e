"""A finding as plain text of 72 columns, to be pasted into a mail to a mailing list."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from itertools import groupby
from typing import Final

from analysis.judging.judgement import (
    Judgement,
    VerdictRow,
    percent,
    short,
)
from analysis.report.answers import answers, question
from analysis.report.floor import floor_text
from analysis.report.one_sided import one_sided
from analysis.report.side_by_side import side_by_side

WIDTH: Final = 72

_COLUMNS: Final = 4

#: Shown after the primaries, in this order, where they are known on both sides.
COMPANIONS: Final = (
    "compression_cpu_ms",
    "reclaim_cpu_ms",
    "direct_reclaim_wall_ms",
    "direct_reclaim_p99_ms",
    "psi_memory_some_ms",
    "psi_cpu_some_ms",
    "kswapd_runnable_wait_ms",
    "pswpout",
    "pgsteal_anon_per_s",
    "pgsteal_direct",
    "pgrotated",
    "reclaim_efficiency",
    "switch_latency_hot_p50_ms",
    "kills",
)

#: Shown after them where the baseline has a compression thread as well.
OF_THE_THREAD: Final = (
    "queue_wait_p50_us",
    "queue_wait_p99_us",
    "queue_fallback_share",
    "queue_inflight_mean_pages",
    "queue_stall_max_ms",
    "queue_same_filled_trip_us",
    "compression_wakeups_per_page",
    "compression_wake_to_run_p99_us",
)


def mail_text(judgement: Judgement) -> str:
    """The finding: answer, method in six lines, figures, what they cannot tell, how to recompute.

    At most 72 columns and ASCII only, as mailing lists want it. Writes nothing.
    """
    parts = [_filled(question(judgement))]
    parts += [_filled(line) for line in _warnings(judgement)]
    parts += [_filled(answer.sentence) for answer in answers(judgement)]
    parts.append("Method\n" + "\n".join(_method(judgement)))
    for scenario in judgement.campaign.scenarios:
        for variant in judgement.campaign.variants[1:]:
            parts.append(_figures(judgement, scenario, variant.name))
    parts += _queues(judgement)
    parts += _side_by_side(judgement)
    parts.append(_filled(_limits(judgement)))
    parts.append("Recompute, with the results folder:\n  python -m analysis report RESULTS")
    return "\n\n".join(parts)


def _warnings(judgement: Judgement) -> Iterable[str]:
    if not judgement.campaign.complete:
        yield (
            f"UNFINISHED: {len(judgement.campaign.blocks)} of {len(judgement.campaign.schedule)} blocks."
        )
    for failure in judgement.kernel_failures:
        yield f"KERNEL FAILURE in {failure.block}: {failure.text}"
    for row in judgement.false_alarms:
        yield (
            f"A/A FAILED: {row.metric}, {row.scenario}: {row.variant} is the same kernel as {row.baseline}"
            f" and came out {row.verdict}. Trust no verdict of this set-up."
        )


def _method(judgement: Judgement) -> list[str]:
    """Six lines; each must fit."""
    campaign = judgement.campaign
    floor = "; noise as A/A" if judgement.noise_floor else ""
    lower = any(row.lower_level for row in judgement.rows if row.primary)
    level = "intervals" if lower else "95 % interval"
    where = "an emulated device (QEMU)" if campaign.emulated else "a phone"
    lines = [
        f"- {campaign.workload}, profile {campaign.profile.name}, on {where}.",
        f"- Block: one boot, warm-up, {campaign.reps} measured repetition(s), one value.",
        f"- {campaign.pairs} pairs of adjacent blocks a scenario, balanced order, seed {campaign.seed}.",
        f"- Hodges-Lehmann of paired log ratios, exact {level}{floor}.",
        f"- Exact sign-flip test, Holm over {len(campaign.primaries)} primaries (marked *).",
        f"- {_voids(judgement)}; void rules never look at a metric.",
    ]
    return [textwrap.shorten(line, WIDTH, placeholder=" ..") for line in lines]


def _voids(judgement: Judgement) -> str:
    pairs = sum(void.what.startswith("pair ") for void in judgement.voids)
    repetitions = sum("/rep-" in void.what for void in judgement.voids)
    return f"Void: {repetitions} repetitions, {pairs} pairs"


def _figures(judgement: Judgement, scenario: str, variant: str) -> str:
    campaign = judgement.campaign
    rows = [row for row in judgement.rows if (row.scenario, row.variant) == (scenario, variant)]
    shown = [row for row in rows if row.primary]
    shown += [
        row
        for name in COMPANIONS
        for row in rows
        if row.metric == name and not row.primary and row.baseline_median is not None
    ]
    shown += [row for name in OF_THE_THREAD for row in rows if row.metric == name and row.baseline_median]
    pairs = max((row.pairs for row in rows), default=0)
    head = f"{scenario}: {variant} against {campaign.baseline.name}, {pairs} pairs"
    interval = "interval" if any(row.lower_level for row in shown) else "95 % interval"
    lines = [head, f" {'':26}{'change':>8} {interval:>20} {'A/A':>7} {'p':>6}"]
    for row in shown:
        lines += _row(judgement, row)
    return "\n".join(lines)


def _row(judgement: Judgement, row: VerdictRow) -> list[str]:
    if row.ratio is not None:
        change = f"{_percent(row.ratio)}%"
        ends = [None if end is None else _percent(end) for end in (row.ci_low, row.ci_high)]
    else:
        change = short(row.difference, sign=True)
        ends = [
            None if end is None else short(end, sign=True)
            for end in (row.difference_ci_low, row.difference_ci_high)
        ]
    interval = "-" if None in ends else f"[{ends[0]}, {ends[1]}]"
    p = row.p_holm if row.p_holm is not None else row.p
    p_text = "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"
    name = f"{'*' if row.primary else ' '}{row.metric}"[:26]
    line = f" {name:<26}{change:>8} {interval:>20} {floor_text(judgement, row):>7} {p_text:>6}"
    sides = f"{short(row.baseline_median)} -> {short(row.variant_median)} {row.unit}"
    notes = [*([] if row.primary else ["exploratory"]), *([row.lower_level] if row.lower_level else [])]
    told = f" ({', '.join(notes)})" if notes else ""
    return [line.rstrip(), f"    {sides}: {row.verdict}{told}"]


def _percent(ratio: float) -> str:
    """A relative change in at most seven characters."""
    return percent(ratio) if ratio < 100 else short((ratio - 1) * 100, sign=True)


def _queues(judgement: Judgement) -> list[str]:
    """Medians over the valid blocks of each variant that has a compression thread."""
    rows = one_sided(judgement)
    head = "".join(f"{scenario:>12}" for scenario in judgement.campaign.scenarios)
    width = WIDTH - 3 - len(head)
    parts = []
    for variant in dict.fromkeys(row.variant for row in rows):
        lines = [f"Queue and thread of {variant}, median of blocks", f"  {'':{width}} {head}"]
        for row in rows:
            if row.variant == variant:
                name = f"{row.metric.name} [{row.metric.unit}]"[:width]
                cells = (short(value) for value in row.medians.values())
                lines.append(f"  {name:<{width}} " + "".join(f"{cell:>12}" for cell in cells))
        parts.append("\n".join(lines))
    return parts


def _side_by_side(judgement: Judgement) -> list[str]:
    """A table for each family and scenario, variants in columns as far as they have room."""
    parts = []
    for (title, scenario), group in groupby(side_by_side(judgement), lambda row: (row.title, row.scenario)):
        rows = list(group)
        variants = list(rows[0].medians)
        for first in range(0, len(variants), _COLUMNS):
            shown = variants[first : first + _COLUMNS]
            width = WIDTH - 3 - 9 * len(shown)
            head = "".join(f"{name[:8]:>9}" for name in shown)
            lines = [f"{title}, {scenario}, median of blocks", f"  {'':{width}} {head}"]
            for row in rows:
                name = f"{row.metric.name} [{row.metric.unit}]"
                name = name if len(name) <= width else row.metric.name[:width]
                cells = "".join(f"{short(row.medians[one]):>9}" for one in shown)
                lines.append(f"  {name:<{width}} {cells}")
            parts.append("\n".join(lines))
    return parts


def _limits(judgement: Judgement) -> str:
    exploratory = "Rows without a star are exploratory: not adjusted for their number."
    if judgement.traced:
        exploratory += f" {judgement.traced}"
    if not judgement.campaign.emulated:
        return exploratory
    return (
        f"{exploratory} The device was emulated: directions and ratios mean something, absolute times"
        " do not, and caches, frequencies, energy and heat are not in it."
    )


def _filled(text: str) -> str:
    """Wrapped; a figure and its sign of per cent stay together."""
    joined = text.replace(" %", "%")
    return textwrap.fill(joined, WIDTH, break_on_hyphens=False, break_long_words=False)
