"""What the page's template is given: texts and tables, nothing left to compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.judging.compare import same_kernel
from analysis.judging.judgement import (
    Judgement,
    VerdictRow,
    number,
    percent,
)
from analysis.judging.pairing import RepetitionFigures
from analysis.report.answers import answers, question
from analysis.report.environment import facts
from analysis.report.figures import cpu_split, forests, pair_figures
from analysis.report.figures_detail import Absent, Drawn, course_figure, latency_figures
from analysis.report.floor import floor_text
from analysis.report.fragment import PageFigure
from analysis.report.one_sided import one_sided


@dataclass(frozen=True)
class Section:
    """One scenario of one comparison: its rows and its figures.

    ``paired`` holds the primaries' figures under an empty name, then those of each family.
    """

    id: str
    scenario: str
    variant: str
    baseline: str
    state: str
    primaries: tuple[VerdictRow, ...]
    families: tuple[tuple[str, tuple[VerdictRow, ...]], ...]
    forests: tuple[PageFigure, ...]
    paired: tuple[tuple[str, tuple[PageFigure, ...]], ...]
    latencies: Drawn
    course: PageFigure | Absent


def context(judgement: Judgement) -> dict[str, Any]:
    """Everything the template names."""
    campaign = judgement.campaign
    properties = facts(campaign)
    # The question first; an A/A comparison is looked at after it.
    compared = sorted(campaign.variants[1:], key=lambda variant: same_kernel(campaign, variant))
    return {
        "campaign": campaign,
        "judgement": judgement,
        "question": question(judgement),
        "answers": answers(judgement),
        "sections": [
            _section(judgement, f"comparison-{number}", scenario, variant)
            for number, (variant, scenario) in enumerate(
                ((variant.name, scenario) for variant in compared for scenario in campaign.scenarios), 1
            )
        ],
        "one_sided": one_sided(judgement),
        "cpu_split": cpu_split(judgement),
        "differing": [fact for fact in properties if fact.differs or fact.unsteady],
        "common": [fact for fact in properties if not (fact.differs or fact.unsteady)],
        "repetitions": [
            _repetition(figures) for block in judgement.blocks.values() for figures in block.repetitions
        ],
        "gates": _gates(judgement),
        "failed_gates": [
            (block.name, gate) for block in campaign.blocks for gate in block.gates if not gate.ok
        ],
        "voids": [void for void in judgement.voids if not void.what.startswith("pair ")],
        "same_kernel": sorted({row.variant for row in judgement.rows if row.same_kernel}),
        "kernels": _kernels(judgement),
        "finished": len(campaign.blocks),
        "planned": len(campaign.schedule),
        "number": number,
        "p_text": p_text,
        "detectable": detectable_text,
        "with_voids": with_voids_text,
        "threshold": threshold_text,
        "floor": lambda row: floor_text(judgement, row),
    }


def _section(judgement: Judgement, id: str, scenario: str, variant: str) -> Section:
    rows = [row for row in judgement.rows if row.scenario == scenario and row.variant == variant]
    families: dict[str, list[VerdictRow]] = {}
    for row in rows:
        if not row.primary:
            families.setdefault(row.family, []).append(row)
    return Section(
        id=id,
        scenario=scenario,
        variant=variant,
        baseline=judgement.campaign.baseline.name,
        state=_state(rows),
        primaries=tuple(row for row in rows if row.primary),
        families=tuple((family, tuple(found)) for family, found in families.items()),
        forests=forests(judgement, id, scenario, variant),
        paired=pair_figures(judgement, id, scenario, variant),
        latencies=latency_figures(judgement, id, scenario, variant),
        course=course_figure(judgement, id, scenario, variant),
    )


def _state(rows: Sequence[VerdictRow]) -> str:
    if not rows:
        return ""
    row = rows[0]
    parts = [f"{row.finished} of {row.planned} pairs finished"]
    if row.voids:
        parts.append(f"{row.voids} void")
    if row.kernel_failures:
        parts.append(f"{row.kernel_failures} with a kernel failure")
    return ", ".join(parts)


def p_text(value: float | None) -> str:
    """A p value with three decimals."""
    if value is None:
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def threshold_text(row: VerdictRow) -> str:
    """The change that is too small to matter."""
    if row.threshold_value is None or row.scale == "ratio":
        return f"{row.threshold:.0%}".replace("%", " %")
    return f"{number(row.threshold_value)} {row.unit}"


def detectable_text(row: VerdictRow) -> str:
    """The smallest change that this many pairs would call one, 8 times of 10."""
    if row.detectable is None:
        return "none, however large" if row.pairs else "not known without a valid pair"
    return (
        f"{row.detectable * 100:.1f} %" if row.scale == "ratio" else f"{number(row.detectable)} {row.unit}"
    )


def with_voids_text(row: VerdictRow) -> str:
    """The same comparison with void pairs taken in; empty where there is none to take in."""
    other = row.with_voids
    if other.pairs == row.pairs:
        return ""
    if other.ratio is not None:
        interval = (
            f" [{percent(other.ci_low)}, {percent(other.ci_high)}]"
            if other.ci_low is not None and other.ci_high is not None
            else ""
        )
        return f"with voids: {percent(other.ratio)} %{interval}, p {p_text(other.p)}, {other.pairs} pairs"
    if other.difference is not None:
        change = number(other.difference, sign=True)
        return f"with voids: {change} {row.unit}, p {p_text(other.p)}, {other.pairs} pairs"
    return ""


def _repetition(figures: RepetitionFigures) -> dict[str, Any]:
    repetition = figures.repetition
    begin, end = repetition.window_ns
    return {
        "block": figures.block.name,
        "pair": figures.block.place.pair,
        "index": repetition.index,
        "state": "void" if figures.void_reasons else "valid",
        "window_s": f"{(end - begin) / 1e9:.1f}",
        "other": _share(repetition.host.get("other_cpu_share")),
        "steal": _share(repetition.host.get("steal_share")),
        "switches": repetition.switches,
        "kills": repetition.kills,
        "mismatches": repetition.mismatches,
        "megabytes": f"{repetition.trace.bytes / 1e6:.1f}",
        "backend": repetition.trace.backend,
        "sha256": repetition.trace.sha256,
    }


def _share(value: object) -> str:
    return f"{value * 100:.1f} %" if isinstance(value, (int, float)) else "not known"


def _gates(judgement: Judgement) -> list[tuple[str, int, int]]:
    """Name, passed, made."""
    made: dict[str, list[bool]] = {}
    for block in judgement.campaign.blocks:
        for gate in block.gates:
            made.setdefault(gate.name, []).append(gate.ok)
    return [(name, sum(results), len(results)) for name, results in made.items()]


def _kernels(judgement: Judgement) -> list[tuple[str, str, str, str]]:
    """Variant, what was asked for, releases seen, compression threads seen."""
    rows = []
    for variant in judgement.campaign.variants:
        identities = [
            block.identity
            for block in judgement.campaign.blocks
            if block.place.variant == variant.name and block.identity
        ]
        releases = sorted({str(identity.get("release")) for identity in identities})
        threads = sorted(
            {str(name) for identity in identities for name in identity.get("thread_names", ())}
        )
        rows.append((variant.name, variant.spec, ", ".join(releases), ", ".join(threads)))
    return rows
