"""The page: a results folder as one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from analysis.judging.compare import same_kernel
from analysis.judging.judgement import VerdictRow
from analysis.judging.pairing import RepetitionFigures
from analysis.judging.pipeline import Judgement, judge, write_text
from analysis.judging.wording import change_text, floor_text, number, p_text
from analysis.report.answers import answers, question
from analysis.report.block_values import cpu_figure, pair_figures
from analysis.report.course import course_figure
from analysis.report.details import Absent
from analysis.report.effects import forests
from analysis.report.environment import facts
from analysis.report.latencies import Drawn, latency_figures
from analysis.report.measured_on_words import clock_words
from analysis.report.medians import one_sided
from analysis.report.page_figure import PageFigure
from analysis.report.patch_words import defects_of, patches_of
from foundation.contract.measured_on import measured_on
from foundation.contract.results import REPORT_FILE

_HERE: Final = Path(__file__).parent


def write(results: Path) -> Path:
    """Judge a results folder from its files, write report.html into it, and return its path.

    Metrics of unchanged traces are reused. Errors as `analysis.judging.pipeline.judge`.
    """
    path = results / REPORT_FILE
    write_text(path, render(judge(results)))
    return path


def render(judgement: Judgement) -> str:
    """The page as text; it contains every style, script and figure, and loads nothing."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    template = environment.get_template("page.html.j2")
    return template.render(
        **_context(judgement),
        css=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        plotly_js=Markup(get_plotlyjs()),
        page_js=Markup((_HERE / "page.js").read_text(encoding="utf-8")),
    )


@dataclass(frozen=True)
class Section:
    """One scenario of one comparison: its rows and its figures.

    ``paired`` has the figures of the primaries under an empty name, then those of each family.
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


def _context(judgement: Judgement) -> dict[str, Any]:
    """All names in the template."""
    campaign = judgement.campaign
    properties = facts(campaign)
    # The question comes first, an A/A comparison after it.
    compared = sorted(campaign.variants[1:], key=lambda variant: same_kernel(campaign, variant))
    return {
        "campaign": campaign,
        "judgement": judgement,
        "measured_on": measured_on(campaign),
        "clock_words": clock_words(campaign),
        "question": question(judgement),
        "answers": answers(judgement),
        "sections": [
            _section(judgement, f"comparison-{number}", scenario, variant)
            for number, (variant, scenario) in enumerate(
                ((variant.name, scenario) for variant in compared for scenario in campaign.scenarios), 1
            )
        ],
        "one_sided": one_sided(judgement),
        "cpu_split": cpu_figure(judgement),
        "differing": [fact for fact in properties if fact.differs or fact.unsteady],
        "common": [fact for fact in properties if not (fact.differs or fact.unsteady)],
        "repetitions": [
            _repetition(figures) for block in judgement.blocks.values() for figures in block.repetitions
        ],
        "gates": _gates(judgement),
        "failed_gates": [
            (block.name, gate) for block in campaign.blocks for gate in block.gates if not gate.ok
        ],
        "voids": [void for void in judgement.voids if void.kind != "pair"],
        "same_kernel": sorted({row.variant for row in judgement.rows if row.question.same_kernel}),
        "kernels": _kernels(judgement),
        "patches": patches_of(judgement.campaign),
        "patch_defects": defects_of(judgement.campaign),
        "finished": len(campaign.blocks),
        "planned": len(campaign.schedule),
        "number": number,
        "p_text": _p,
        "detectable": _detectable,
        "with_voids": _with_voids,
        "threshold": _threshold,
        "floor": lambda row: floor_text(judgement.floor(row)),
    }


def _section(judgement: Judgement, id: str, scenario: str, variant: str) -> Section:
    rows = [row for row in judgement.rows if row.scenario == scenario and row.variant == variant]
    families: dict[str, list[VerdictRow]] = {}
    for row in rows:
        if not row.primary:
            families.setdefault(row.question.metric.family, []).append(row)
    return Section(
        id=id,
        scenario=scenario,
        variant=variant,
        baseline=judgement.campaign.baseline.name,
        state=_state(rows),
        primaries=tuple(row for row in rows if row.primary),
        families=tuple((family, tuple(own)) for family, own in families.items()),
        forests=forests(judgement, id, scenario, variant),
        paired=pair_figures(judgement, id, scenario, variant),
        latencies=latency_figures(judgement, id, scenario, variant),
        course=course_figure(judgement, id, scenario, variant),
    )


def _state(rows: Sequence[VerdictRow]) -> str:
    if not rows:
        return ""
    situation = rows[0].situation
    parts = [f"{situation.finished} of {situation.planned} pairs finished"]
    if situation.void:
        parts.append(f"{situation.void} void")
    if situation.failed:
        parts.append(f"{situation.failed} with a kernel failure")
    return ", ".join(parts)


def _threshold(row: VerdictRow) -> str:
    """The practical threshold as text."""
    metric = row.question.metric
    if row.compared is None or row.scale == "ratio":
        return f"{metric.threshold:.0%}".replace("%", " %")
    return f"{number(row.compared.threshold)} {metric.unit}"


def _detectable(row: VerdictRow) -> str:
    """The smallest change that these pairs detect with 80 % power, as text."""
    if row.detectable is None:
        return "none with so few pairs" if row.pairs else "unknown without a valid pair"
    if row.scale == "ratio":
        return f"{row.detectable * 100:.1f} %"
    return f"{number(row.detectable)} {row.question.metric.unit}"


def _with_voids(row: VerdictRow) -> str:
    """The same comparison with void pairs included, as text; empty if there are none."""
    other = row.with_voids
    if other is None or other.effect.pairs == row.pairs:
        return ""
    change = change_text(replace(other.effect.change, level=None), row.question.metric.unit)
    return f"with voids: {change}, p {_p(other.effect.p)}, {other.effect.pairs} pairs"


def _p(value: float | None) -> str:
    return p_text(value).replace("<", "< ")


def _repetition(figures: RepetitionFigures) -> dict[str, Any]:
    repetition = figures.repetition
    start, end = repetition.window_ns
    return {
        "block": figures.block.name,
        "pair": figures.block.place.pair,
        "index": repetition.index,
        "state": "void" if figures.void_reasons else "valid",
        "window_s": f"{(end - start) / 1e9:.1f}",
        "other": _share(repetition.host.get("other_cpu_share")),
        "steal": _share(repetition.host.get("steal_share")),
        "switches": repetition.switches,
        "kills": repetition.kills,
        "killed": "" if repetition.killed is None else repetition.killed,
        "mismatches": repetition.mismatches,
        "megabytes": f"{repetition.trace.bytes / 1e6:.1f}",
        "backend": repetition.trace.backend,
        "sha256": repetition.trace.sha256,
    }


def _share(value: object) -> str:
    return f"{value * 100:.1f} %" if isinstance(value, (int, float)) else "unknown"


def _gates(judgement: Judgement) -> list[tuple[str, int, int]]:
    """Name, blocks that passed, and blocks with this check."""
    passed: dict[str, list[bool]] = {}
    for block in judgement.campaign.blocks:
        for gate in block.gates:
            passed.setdefault(gate.name, []).append(gate.ok)
    return [(name, sum(results), len(results)) for name, results in passed.items()]


def _kernels(judgement: Judgement) -> list[tuple[str, str, str, str]]:
    """Variant, its spec, and the kernel releases and compression threads seen."""
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
