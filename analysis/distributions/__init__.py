"""What a trace holds beyond one figure for each metric: single latencies, and the course over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from analysis.distributions.records import Detail, Distribution, Series, no_distribution, no_series

if TYPE_CHECKING:
    from analysis.trace.recording import Recording
    from foundation.contract.losses import Data, Loss

_SCHEDULING: Final[frozenset[Data]] = frozenset({"scheduling", "names"})
_EVENTS: Final[frozenset[Data]] = frozenset({"events", "names"})
#: What each is made of. The counters of the others are the suite's own, and app switches too.
_MADE_OF: Final = {
    "direct_reclaim_ms": _EVENTS,
    "direct_reclaim_tasks": _EVENTS,
    "queue_pages": _EVENTS,
    "kswapd_cpu_share": _SCHEDULING,
    "compression_cpu_share": _SCHEDULING,
}

__all__ = ["Detail", "Distribution", "Series", "detail_of"]


def detail_of(recording: Recording, losses: Sequence[Loss] = ()) -> Detail:
    """Distributions and timelines of one loaded trace, over its measured window.

    Anything missing from the trace is there with a reason, and so is what ``losses`` (of this trace)
    concern. TraceError as of `Recording.window`.
    """
    from analysis.distributions.distributions import distributions
    from analysis.distributions.timelines import timelines

    return Detail(
        tuple(
            no_distribution(one.name, one.unit, why) if (why := _lost(one.name, losses)) else one
            for one in distributions(recording)
        ),
        tuple(
            no_series(one.name, one.unit, why) if (why := _lost(one.name, losses)) else one
            for one in timelines(recording)
        ),
    )


def _lost(name: str, losses: Sequence[Loss]) -> str:
    """Why this distribution or series is not known; empty if no loss concerns it.

    A trace that lost everything is kept for the comparison with voids.
    """
    made_of = _MADE_OF.get(name, frozenset())
    texts = [loss.text for loss in losses if not loss.whole and made_of & set(loss.data)]
    return f"the trace lost data that it needs: {'; '.join(texts)}" if texts else ""
