"""The result of a campaign as plain text of 72 columns, to paste into a mail to a list."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from itertools import groupby
from typing import Final

from analysis.judging.judgement import Judgement, VerdictRow
from analysis.judging.wording import floor_text, lower_level, p_text, short, short_change, short_interval
from analysis.report.answers import answers, question
from analysis.report.measured_on_words import clock_words
from analysis.report.medians import Medians, one_sided, side_by_side
from analysis.report.patch_words import defects_of, patches_of
from analysis.report.terminal import companions
from foundation.contract.measured_on import measured_on

WIDTH: Final = 72

#: Most columns of a table of medians; the rest go into another table below it.
_MAX_COLUMNS: Final = 4


def mail_text(judgement: Judgement) -> str:
    """Answer, method in six lines, results, their limits, and how to recompute them.

    At most 72 columns and ASCII only, as mailing lists want it. Writes nothing.
    """
    parts = [_filled(question(judgement))]
    parts += [_filled(line) for line in [*_warnings(judgement), *patches_of(judgement.campaign)]]
    parts += [_filled(answer.sentence) for answer in answers(judgement)]
    parts.append("Method\n" + "\n".join(_method(judgement)))
    for scenario in judgement.campaign.scenarios:
        for variant in judgement.campaign.variants[1:]:
            parts.append(_figures(judgement, scenario, variant.name))
    parts += _medians(judgement)
    parts.append(_filled(_limits(judgement)))
    parts += [_filled(f"Known of the patch: {line}") for line in defects_of(judgement.campaign)]
    parts.append("To recompute from the results folder:\n  python -m analysis report RESULTS")
    return "\n\n".join(parts)


def _warnings(judgement: Judgement) -> Iterable[str]:
    campaign = judgement.campaign
    if not campaign.complete:
        yield f"UNFINISHED: {len(campaign.blocks)} of {len(campaign.schedule)} blocks are done."
    for failure in judgement.kernel_failures:
        yield f"KERNEL FAILURE in {failure.block}: {failure.text}"
    for row in judgement.false_alarms:
        yield f"A/A FAILED: {row.alarm()}"


def _method(judgement: Judgement) -> list[str]:
    """Six lines, cut at the width, and one more if the campaign tells base, page size or clock."""
    campaign = judgement.campaign
    on = measured_on(campaign)
    drawn = "pairs of adjacent blocks per scenario, balanced"
    if on.in_instructions:
        drawn = "pairs per scenario, each one seed on both kernels"
    floor = "; A/A: noise" if judgement.noise_floor else ""
    lower = any(lower_level(row.change) for row in judgement.rows if row.primary)
    level = "intervals" if lower else "95 % interval"
    repetitions = "repetition" if campaign.reps == 1 else "repetitions"
    emulators = {str(lane.get("emulator", "QEMU")) for lane in campaign.lanes.values()}
    where = f"an emulated device ({', '.join(emulators)})" if campaign.emulated else "a phone"
    voids = [void.kind for void in judgement.voids]
    lines = [
        f"- {campaign.workload}, profile {campaign.profile.name}, on {where}.",
        f"- Block: one boot, warm-up, {campaign.reps} {repetitions}; one value per metric.",
        f"- {campaign.pairs} {drawn}; seed {campaign.seed}.",
        f"- Hodges-Lehmann of paired log ratios, exact {level}{floor}.",
        f"- Exact sign-flip test, Holm's method over {len(campaign.primaries)} primaries (marked *).",
        f"- Void: {voids.count('repetition')} repetitions, {voids.count('pair')} pairs;"
        " void rules never look at a metric.",
    ]
    if on.text():
        lines.insert(1, f"- Measured on {on.text()}.")
    return [textwrap.shorten(line, WIDTH, placeholder=" ..") for line in lines]


def _figures(judgement: Judgement, scenario: str, variant: str) -> str:
    campaign = judgement.campaign
    rows = [row for row in judgement.rows if (row.scenario, row.variant) == (scenario, variant)]
    shown = [row for row in rows if row.primary]
    # Metrics of the compression thread only if the baseline has one too.
    shown += [
        row
        for row in companions(rows, "mail")
        if row.compared and (row.compared.baseline_median or not row.question.metric.shown.one_sided)
    ]
    pairs = max((row.pairs for row in rows), default=0)
    head = f"{scenario}: {variant} against {campaign.baseline.name}, {pairs} pairs"
    interval = "interval" if any(lower_level(row.change) for row in shown) else "95 % interval"
    lines = [head, f" {'':26}{'change':>8} {interval:>20} {'A/A':>7} {'p':>6}"]
    for row in shown:
        lines += _row(judgement, row)
    return "\n".join(lines)


def _row(judgement: Judgement, row: VerdictRow) -> list[str]:
    interval = short_interval(row.change) or "-"
    p = p_text(row.p_holm if row.p_holm is not None else row.p)
    name = f"{'*' if row.primary else ' '}{row.metric}"[:26]
    floor = floor_text(judgement.floor(row))
    line = f" {name:<26}{short_change(row.change):>8} {interval:>20} {floor:>7} {p:>6}"
    medians = (row.compared.baseline_median, row.compared.variant_median) if row.compared else (None, None)
    notes = ", ".join(filter(None, ("" if row.primary else "exploratory", lower_level(row.change))))
    return [
        line.rstrip(),
        f"    {' -> '.join(map(short, medians))} {row.question.metric.unit}: {row.verdict}"
        f"{f' ({notes})' if notes else ''}",
    ]


def _medians(judgement: Judgement) -> list[str]:
    """Tables of metrics that are not compared, with as many columns as fit."""
    parts = []
    for title, rows, width in (
        ("Queue and compression thread of {}", one_sided(judgement), 12),
        ("{}", side_by_side(judgement), 9),
    ):
        for table, group in groupby(rows, lambda row: row.table):
            lines = list(group)
            names = list(lines[0].medians)
            for first in range(0, len(names), _MAX_COLUMNS):
                shown = names[first : first + _MAX_COLUMNS]
                parts.append(_table(title.format(table), lines, shown, width))
    return parts


def _table(title: str, rows: list[Medians], columns: list[str], width: int) -> str:
    room = WIDTH - 3 - width * len(columns)
    lines = [
        f"{title}, median of blocks",
        f"  {'':{room}} " + "".join(f"{name[: width - 1]:>{width}}" for name in columns),
    ]
    for row in rows:
        name = f"{row.metric.name} [{row.metric.unit}]"
        name = name if len(name) <= room else row.metric.name[:room]
        cells = "".join(f"{short(row.medians[column]):>{width}}" for column in columns)
        lines.append(f"  {name:<{room}} {cells}")
    return "\n".join(lines)


def _limits(judgement: Judgement) -> str:
    exploratory = "Rows without * are exploratory: their p is not adjusted."
    if judgement.traced:
        exploratory += f" {judgement.traced}"
    if not judgement.campaign.emulated:
        return exploratory
    emulated = (
        f"{exploratory} The device was emulated: directions and ratios are meaningful, absolute times"
        " are not; caches, CPU frequencies, energy and heat are not modelled."
    )
    return " ".join(filter(None, (emulated, clock_words(judgement.campaign))))


def _filled(text: str) -> str:
    """Wrapped; a number stays together with its percent sign."""
    joined = text.replace(" %", "%")
    return textwrap.fill(joined, WIDTH, break_on_hyphens=False, break_long_words=False)
