"""What a trace holds beyond one figure for each metric: single latencies, and the course over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.distributions.records import Detail, Distribution, Series

if TYPE_CHECKING:
    from analysis.trace.recording import Recording

__all__ = ["Detail", "Distribution", "Series", "detail_of"]


def detail_of(recording: Recording) -> Detail:
    """Distributions and timelines of one loaded trace, over its measured window.

    Anything missing from the trace is there with a reason. TraceError as of `Recording.window`.
    """
    from analysis.distributions.distributions import distributions
    from analysis.distributions.timelines import timelines

    return Detail(distributions(recording), timelines(recording))
