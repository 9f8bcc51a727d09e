"""Which repetitions provide single events, and why there may be none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from analysis.judging.judgement import Judgement
from analysis.judging.pairing import BlockFigures, Pair, RepetitionFigures

NOT_KEPT: Final = (
    "Single events are computed from traces; this folder has neither the traces nor the events: judge the"
    " original folder."
)
NOT_READ: Final = (
    "The metrics of this folder are kept from an earlier judgement, without single events: move"
    " metrics.parquet away and judge it again."
)
NO_PAIR: Final = "No pair of this comparison is valid."


@dataclass(frozen=True)
class Absent:
    """Figures that cannot be drawn (``title`` names them), and why."""

    title: str
    why: str


def why_no_detail(repetitions: list[RepetitionFigures]) -> str:
    """Why no repetition has single events: its trace is gone, or they were not computed."""
    here = any(one.repetition.trace_path.is_file() for one in repetitions)
    return NOT_READ if here else NOT_KEPT


def valid_repetitions(
    judgement: Judgement, scenario: str, variant: str
) -> list[tuple[Pair, BlockFigures, RepetitionFigures]]:
    """Valid repetitions of the valid pairs, baseline before variant in each pair."""
    return [
        (pair, side, one)
        for pair in judgement.pairs[scenario, variant]
        if pair.state == "valid"
        for side in (pair.baseline, pair.variant)
        if side is not None
        for one in side.repetitions
        if not one.void_reasons
    ]
