"""The measured window of a trace."""

from __future__ import annotations

from typing import Final

from analysis.metrics.definition import Metric

METRICS: Final = (
    Metric(
        name="window_s",
        unit="s",
        direction="none",
        family="window",
        definition="length of the measured window: of the repetition, or of the whole trace where the"
        " suite did not record it",
        source="the suite's repetition slice",
    ),
)
