"""What the user of the device notices: how long app switches take, and which apps were killed."""

from __future__ import annotations

from functools import partial
from typing import Final

from analysis.trace.figure import Figure, all_unknown, percentile
from analysis.trace.recording import NO_SWITCHES, Recording
from foundation.contract import conventions as names
from foundation.contract.metric import TABLE_ONLY, Metric, Shown
from foundation.contract.needs import Needs

_NEEDS: Final = Needs(switches=True)
_SOURCE: Final = "TotalTime and LaunchState of `am start -W`; process deaths seen by the workload"

CLASSES: Final = ("hot", "warm", "cold")
_UNKNOWN: Final = "unknown"
#: Part -> (its name, quantile, fewest switches).
PARTS: Final = {
    "p50": ("median", 0.50, 2),
    "p95": ("95th percentile", 0.95, 20),
    "max": ("maximum", 1.0, 1),
}


def latency_name(launch_class: str, part: str) -> str:
    """Name of the metric for a launch class and a part of `PARTS`."""
    return f"switch_latency_{launch_class}_{part}_ms"


_SHOWN: Final = {
    ("hot", "p50"): Shown(140, terminal=True, mail=True),
    ("warm", "p50"): Shown(150, terminal=True),
}

_metric = partial(Metric, family="app switches", source=_SOURCE, needs=_NEEDS, threshold=0.10)

METRICS: Final = (
    *(
        _metric(
            name=latency_name(launch_class, part),
            unit="ms",
            direction="lower",
            definition=f"{words} launch time of switches in the window with launch state"
            f" {launch_class.upper()}; linear interpolation between order statistics, needs at least"
            f" {minimum}",
            threshold=0.05 if part == "p50" else 0.10,
            reduce="median",
            shown=_SHOWN.get((launch_class, part), TABLE_ONLY),
        )
        for launch_class in CLASSES
        for part, (words, _, minimum) in PARTS.items()
    ),
    _metric(
        name="kills",
        unit="kills",
        direction="lower",
        definition="switches in the window to an app whose process died after it was last in the"
        " foreground",
        scale="difference",
        count=True,
        shown=Shown(160, terminal=True, mail=True),
    ),
    _metric(
        name="cold_relaunches",
        unit="launches",
        direction="lower",
        definition="switches in the window that had to create the app's process (launch state COLD)",
        scale="difference",
        count=True,
    ),
    _metric(
        name="switches",
        unit="switches",
        direction="none",
        definition="app switches that start in the window: the amount of work done",
        threshold=0.05,
        scale="difference",
        count=True,
    ),
)


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; unknown in a trace without the suite's switches.

    A switch of unknown launch state belongs to one of the classes, nobody knows which: what is told by
    class is then unknown.
    """
    if not recording.switches:
        return all_unknown(METRICS, NO_SWITCHES)
    classes = [str(switch.get(names.SWITCH_LAUNCH_STATE, "")).lower() for switch in recording.switches]
    killed = sum(bool(switch.get(names.SWITCH_KILLED_SINCE_LAST)) for switch in recording.switches)
    figures = {
        "kills": Figure(float(killed)),
        "cold_relaunches": Figure(float(classes.count("cold"))),
        "switches": Figure(float(len(classes))),
    }
    if doubtful := classes.count(_UNKNOWN):
        reason = f"{doubtful} of {len(classes)} switches have an unknown launch state"
        by_class = (metric for metric in METRICS if metric.name not in ("kills", "switches"))
        return figures | all_unknown(by_class, reason)
    for launch_class in CLASSES:
        latencies = [
            float(latency)
            for switch, its_class in zip(recording.switches, classes, strict=True)
            if its_class == launch_class
            and isinstance(latency := switch.get(names.SWITCH_TOTAL_TIME_MS), int | float)
        ]
        untimed = classes.count(launch_class) - len(latencies)
        caution = f"{untimed} {launch_class} switches have no time" if untimed else None
        for part, (_, share, minimum) in PARTS.items():
            what = f"{launch_class} switches with a time"
            figure = percentile(latencies, share, minimum=minimum, what=what)
            figures[latency_name(launch_class, part)] = figure.cautioned(caution)
    return figures
