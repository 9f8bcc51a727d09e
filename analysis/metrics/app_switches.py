"""What the user of the device feels: how long a switch takes, and what was killed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from analysis.trace.figure import Figure, percentile, unknown
from analysis.trace.recording import Recording
from foundation.contract import conventions as names
from foundation.contract.metric import TABLE_ONLY, Metric, Shown
from foundation.contract.needs import Needs

_NEEDS: Final = Needs(switches=True)
_SOURCE: Final = "TotalTime and LaunchState of `am start -W`; deaths seen by the workload"

CLASSES: Final = ("hot", "warm", "cold")
#: Part -> (what it is, quantile, switches from which on it is known).
PARTS: Final = {
    "p50": ("median", 0.50, 2),
    "p95": ("95th percentile", 0.95, 20),
    "max": ("maximum", 1.0, 1),
}


def latency_name(launch_class: str, part: str) -> str:
    """Name of the metric of a launch class and a part of `PARTS`."""
    return f"switch_latency_{launch_class}_{part}_ms"


_SHOWN: Final = {
    ("hot", "p50"): Shown(140, terminal=True, mail=True),
    ("warm", "p50"): Shown(150, terminal=True),
}

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
            shown=_SHOWN.get((launch_class, part), TABLE_ONLY),
        )
        for launch_class in CLASSES
        for part, (words, _, minimum) in PARTS.items()
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
        shown=Shown(160, terminal=True, mail=True),
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


@dataclass(frozen=True)
class Switch:
    """One switch that begins in the window; ``latency_ms`` None: the device gave none."""

    launch_class: str
    latency_ms: float | None
    killed: bool


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; unknown in a trace without the suite's switches."""
    switches = _switches(recording)
    if not switches:
        why = unknown("the trace holds no app switches in the window")
        return {metric.name: why for metric in METRICS}
    figures = {
        "kills": Figure(float(sum(switch.killed for switch in switches))),
        "cold_relaunches": Figure(float(sum(switch.launch_class == "cold" for switch in switches))),
        "switches": Figure(float(len(switches))),
    }
    for launch_class in CLASSES:
        of_class = [switch for switch in switches if switch.launch_class == launch_class]
        known = [switch.latency_ms for switch in of_class if switch.latency_ms is not None]
        lacking = len(of_class) - len(known)
        for part, (_, share, minimum) in PARTS.items():
            figure = percentile(known, share, minimum=minimum, what=f"{launch_class} switches with a time")
            if lacking and figure.value is not None:
                figure = Figure(figure.value, f"{lacking} {launch_class} switches have no time")
            figures[latency_name(launch_class, part)] = figure
    return figures


def _switches(recording: Recording) -> list[Switch]:
    window = recording.window
    slices = [
        args
        for ts, _, track, _, args in recording.suite_slices
        if track == names.SWITCH_TRACK and args is not None and window.begin <= ts < window.end
    ]
    facts = recording.annotations(slices)
    return [
        Switch(
            launch_class=str(facts[args].get(names.SWITCH_LAUNCH_STATE, "")).lower(),
            latency_ms=_number(facts[args].get(names.SWITCH_TOTAL_TIME_MS)),
            killed=bool(facts[args].get(names.SWITCH_KILLED_SINCE_LAST)),
        )
        for args in slices
    ]


def _number(cell: object) -> float | None:
    return float(cell) if isinstance(cell, int | float) else None
