"""What two boots of one kernel differ by, to stand beside an effect."""

from __future__ import annotations

import math

from analysis.judging.judgement import Judgement, VerdictRow, short


def floor_text(judgement: Judgement, row: VerdictRow) -> str:
    """Median size of the pair differences of the campaign's A/A comparison, in % or in the row's unit.

    Empty where the campaign has none for this metric and scenario. An effect below it is
    within what the same kernel shows against itself.
    """
    scale = "ratio" if row.ratio is not None else "difference"
    for floor in judgement.noise_floor:
        if (floor.scenario, floor.metric, floor.scale) == (row.scenario, row.metric, scale):
            if scale == "ratio":
                change = math.expm1(floor.typical) * 100
                return f"{change:.1f}%" if change < 1e4 else f"{short(change)}%"
            return short(floor.typical)
    return ""
