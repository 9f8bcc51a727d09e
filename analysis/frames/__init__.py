"""Results and traces as tidy data frames, for notebooks and other tools."""

from analysis.frames.campaign_frames import (
    blocks,
    distributions,
    pairs,
    repetitions,
    timelines,
    together,
    verdicts,
    verdicts_csv,
)
from analysis.frames.trace_frames import TraceFrames, figures, open_frames

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
    "verdicts_csv",
]
