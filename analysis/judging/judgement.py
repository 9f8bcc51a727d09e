"""What a campaign came to: verdict rows, voids, kernel failures. Plain records, written as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from analysis.judging.pairing import BlockFigures, Pair
from analysis.stats.effect import LEVEL
from analysis.stats.noise_floor import NoiseFloor
from analysis.stats.verdict import Word
from foundation.comparison import Direction
from foundation.contract.metric import Metric
from foundation.contract.needs import Request
from foundation.contract.results import SCHEMA_VERSION, Campaign
from foundation.errors import UsageError

#: Said wherever the figures of such a campaign are.
TRACED: Final[Mapping[Request, str]] = {
    "queue": "Each page's way through the queue was traced: that costs CPU on the kernels with a"
    " compression thread and none on the others. Judge CPU time by a campaign without it.",
    "reclaim": "The parts of kswapd's cycles were timed: that costs CPU for each page, more of it in kswapd"
    " the more it does itself. Judge CPU time by a campaign without it.",
    "faults": "Each fault on a swapped-out page was timed: that costs CPU for each fault. Judge CPU time by"
    " a campaign without it.",
}

#: Significant digits in verdicts.json: more than any figure carries, fewer than rounding touches.
_DIGITS = 12


@dataclass(frozen=True)
class Sensitivity:
    """The same comparison with every void pair and repetition that has a value taken in."""

    pairs: int
    ratio: float | None
    ci_low: float | None
    ci_high: float | None
    difference: float | None
    difference_ci_low: float | None
    difference_ci_high: float | None
    p: float | None


@dataclass(frozen=True)
class VerdictRow:
    """One metric of one scenario, ``variant`` against ``baseline``.

    ``ratio`` and its interval are variant / baseline, None on the difference scale.
    ``difference`` and its interval are variant - baseline in ``unit`` and always given.
    ``p`` belongs to ``scale``; ``p_holm`` only to primaries. ``threshold`` is relative (a
    share of the baseline), ``threshold_value`` the bound that was used: a ratio, or a
    difference in ``unit``. ``detectable`` is the smallest change (ratio - 1, or a
    difference) that this many pairs with this spread call a change in 80 % of campaigns.
    ``ci_level`` and ``equivalence_level`` are exact. ``exploratory`` rows never gate.
    """

    scenario: str
    metric: str
    baseline: str
    variant: str
    verdict: Word
    reason: str
    primary: bool
    exploratory: bool
    unit: str
    direction: Direction
    family: str
    scale: str
    ratio: float | None
    ci_low: float | None
    ci_high: float | None
    ci_level: float | None
    equivalence_low: float | None
    equivalence_high: float | None
    equivalence_level: float | None
    difference: float | None
    difference_ci_low: float | None
    difference_ci_high: float | None
    p: float | None
    p_holm: float | None
    threshold: float
    threshold_value: float | None
    pairs: int
    planned: int
    finished: int
    voids: int
    kernel_failures: int
    missing: int
    pairs_needed: int | None
    detectable: float | None
    spread: float | None
    baseline_median: float | None
    variant_median: float | None
    same_kernel: bool
    cautions: tuple[str, ...]
    with_voids: Sensitivity

    def change_text(self) -> str:
        """The effect with its interval: a relative change in %, or a difference in ``unit``."""
        if self.ratio is not None:
            text = _with_interval(self.ratio, self.ci_low, self.ci_high, percent, " %")
        elif self.difference is not None:
            low, high = self.difference_ci_low, self.difference_ci_high
            text = _with_interval(self.difference, low, high, signed, f" {self.unit}")
        else:
            return "not known"
        return f"{text} ({self.lower_level})" if self.lower_level else text

    @property
    def lower_level(self) -> str:
        """What the interval is where the pairs are too few for one of 95 %; else empty."""
        if self.ci_level is None or self.ci_level >= LEVEL:
            return ""
        return f"{100 * self.ci_level:.3g} % interval"

    def sentence(self) -> str:
        """The verdict in one line for a person."""
        parts = [f"{self.pairs} of {self.planned} pairs"]
        if self.p_holm is not None:
            parts.append(f"p_holm {self.p_holm:.3g}")
        elif self.p is not None:
            parts.append(f"p {self.p:.3g}, not adjusted")
        return (
            f"{self.metric}, {self.scenario}: {self.variant} against {self.baseline} {self.change_text()}"
            f" ({', '.join(parts)}): {self.verdict}: {self.reason}"
        )


def number(value: float, *, sign: bool = False) -> str:
    """A figure with three or four digits that mean something, never in powers of ten."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:{'+' if sign else ''},.{min(digits, 6)}f}"


def short(value: float | None, *, sign: bool = False) -> str:
    """At most seven characters, by k, M, G or T where needed; ``-`` for None."""
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


def signed(value: float) -> str:
    """A difference, with its sign."""
    return number(value, sign=True)


def percent(ratio: float) -> str:
    """A ratio as a relative change in %, without the sign of the unit."""
    change = round((ratio - 1.0) * 100.0, 1)
    return f"{change:+,.1f}" if change else "0.0"


def _with_interval(
    value: float, low: float | None, high: float | None, show: Callable[[float], str], unit: str
) -> str:
    if low is None or high is None:
        return f"{show(value)}{unit}"
    return f"{show(value)}{unit} [{show(low)}, {show(high)}]"


@dataclass(frozen=True)
class KernelFailure:
    """A block in which the kernel under test failed: a result of its own."""

    block: str
    scenario: str
    variant: str
    text: str


@dataclass(frozen=True)
class Void:
    """A repetition, block or pair that does not count, and why."""

    what: str
    scenario: str
    variant: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Judgement:
    """A campaign judged. ``pairs`` and ``blocks`` are what the rows were computed from.

    ``definitions`` are the hashes of the metric definitions behind the figures, with a blank
    between: several, or another than this suite's, where traces are gone and older figures stand.
    """

    campaign: Campaign
    rows: tuple[VerdictRow, ...]
    kernel_failures: tuple[KernelFailure, ...]
    voids: tuple[Void, ...]
    noise_floor: tuple[NoiseFloor, ...]
    pairs: Mapping[tuple[str, str], tuple[Pair, ...]]
    blocks: Mapping[int, BlockFigures]
    metrics: Mapping[str, Metric]
    engines: tuple[str, ...]
    definitions: str

    def row(self, scenario: str, metric: str, variant: str) -> VerdictRow:
        """The row of one question. UsageError if the campaign does not ask it."""
        for row in self.rows:
            if (row.scenario, row.metric, row.variant) == (scenario, metric, variant):
                return row
        raise UsageError(
            f"{self.campaign.root} has no verdict on {metric} of {variant} in scenario {scenario}",
            next_step="see verdicts.json for the rows that it has",
        )

    @property
    def false_alarms(self) -> tuple[VerdictRow, ...]:
        """Primaries in which one kernel under two names came out different: the set-up is not sound."""
        return tuple(
            row
            for row in self.rows
            if row.same_kernel and row.primary and row.verdict not in ("SAME", "UNDECIDED")
        )

    @property
    def traced(self) -> str:
        """What to say of the CPU time that recording itself cost; empty where it was little."""
        requests = {metric.request for metric in self.metrics.values()}
        return " ".join(text for request, text in TRACED.items() if request in requests)

    @property
    def failed(self) -> bool:
        """Whether the campaign as a whole failed: a kernel broke, or an A/A comparison differs."""
        return bool(self.kernel_failures or self.false_alarms)

    def to_json(self) -> dict[str, Any]:
        """``rows`` is the content of ``verdicts.json``, the rest that of ``judgement.json``.

        The same folder and engine give the same bytes.
        """
        content = {
            "schema_version": SCHEMA_VERSION,
            "campaign": self.campaign.name,
            "complete": self.campaign.complete,
            "emulated": self.campaign.emulated,
            "alpha": self.campaign.alpha,
            "failed": self.failed,
            "engines": list(self.engines),
            "definitions": self.definitions,
            "kernel_failures": [asdict(failure) for failure in self.kernel_failures],
            "false_alarms": [[row.scenario, row.metric, row.variant] for row in self.false_alarms],
            "voids": [asdict(void) for void in self.voids],
            "noise_floor": [asdict(floor) for floor in self.noise_floor],
            "rows": [asdict(row) for row in self.rows],
        }
        rounded: dict[str, Any] = _rounded(content)
        return rounded


def _rounded(content: Any) -> Any:
    """Floats cut to `_DIGITS`, not-finite ones to None: JSON has no word for them."""
    if isinstance(content, float):
        return float(f"{content:.{_DIGITS}g}") if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_rounded(value) for value in content]
    return content
