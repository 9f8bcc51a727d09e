"""What the user of the device feels: how long a switch takes, and what was killed."""

from __future__ import annotations

from typing import Final

from analysis.metrics.definition import Metric, Needs

_NEEDS: Final = Needs(switches=True)
_SOURCE: Final = "TotalTime and LaunchState of `am start -W`; deaths seen by the workload"

CLASSES: Final = ("hot", "warm", "cold")
#: Part -> (what it is, switches from which on it is known).
PARTS: Final = {
    "p50": ("median", 2),
    "p95": ("95th percentile", 20),
    "max": ("maximum", 1),
}


def latency_name(launch_class: str, part: str) -> str:
    """Name of the metric of a launch class and a part of `PARTS`."""
    return f"switch_latency_{launch_class}_{part}_ms"


METRICS: Final = (
    *(
        Metric(
            name=latency_name(launch_class, part),
            unit="ms",
            direction="lower",
            family="app switches",
            definition=f"{words} of the launch time of switches with launch state {launch_class.upper()}"
            " that begin in the window; linear interpolation between order statistics, known from"
            f" {minimum} on",
            source=_SOURCE,
            needs=_NEEDS,
            threshold=0.05 if part == "p50" else 0.10,
            reduce="median",
        )
        for launch_class in CLASSES
        for part, (words, minimum) in PARTS.items()
    ),
    Metric(
        name="kills",
        unit="kills",
        direction="lower",
        family="app switches",
        definition="switches in the window to an app whose process had died since it was last in front",
        source=_SOURCE,
        needs=_NEEDS,
        threshold=0.10,
        scale="difference",
        count=True,
    ),
    Metric(
        name="cold_relaunches",
        unit="launches",
        direction="lower",
        family="app switches",
        definition="switches in the window that had to start a process (launch state COLD)",
        source=_SOURCE,
        needs=_NEEDS,
        threshold=0.10,
        scale="difference",
        count=True,
    ),
    Metric(
        name="switches",
        unit="switches",
        direction="none",
        family="app switches",
        definition="app switches that begin in the window: the work that was done",
        source=_SOURCE,
        needs=_NEEDS,
        scale="difference",
        count=True,
    ),
)
