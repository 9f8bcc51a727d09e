"""The measured window of a trace."""

from __future__ import annotations

from typing import Final

from analysis.trace.figure import Figure
from analysis.trace.recording import Recording
from foundation.contract.metric import Metric

METRICS: Final = (
    Metric(
        name="window_s",
        unit="s",
        direction="none",
        family="window",
        definition="length of the measured window: the repetition, or the whole trace if another recorder"
        " made it",
        source="the suite's repetition slice",
    ),
)


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`."""
    window = recording.window
    caution = None if window.of_suite else "the whole trace: the suite did not record it"
    return {"window_s": Figure(window.seconds, caution)}
