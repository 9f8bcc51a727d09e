"""Results and traces as tidy data frames, for notebooks and for other people's tools."""

from analysis.data.campaign_frames import (
    blocks,
    distributions,
    pairs,
    repetitions,
    timelines,
    together,
    verdicts,
)
from analysis.data.trace_frames import TraceFrames, figures, open_frames

__all__ = [
    "TraceFrames",
    "blocks",
    "distributions",
    "figures",
    "open_frames",
    "pairs",
    "repetitions",
    "timelines",
    "together",
    "verdicts",
]
