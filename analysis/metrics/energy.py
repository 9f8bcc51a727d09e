"""Energy of the measured window, from power rails that the phone measures itself."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from typing import Final

from analysis.trace.figure import Figure, ratio, unknown
from analysis.trace.recording import (
    Recording,
    real,
    sql_of,
    whole,
)
from foundation.contract import conventions as names
from foundation.contract.metric import Metric
from foundation.contract.needs import Needs

_NEEDS: Final = Needs(power_rails=True)
_SOURCE: Final = (
    "android.power of Perfetto (protos/perfetto/trace/power/power_rails.proto: energy since boot in uWs);"
    " rails of hardware/interfaces/power/stats"
)
_UJ_IN_MJ: Final = 1e3

METRICS: Final = (
    Metric(
        name="energy_mj",
        unit="mJ",
        direction="lower",
        family="energy",
        definition="energy of all power rails together: value at the window's end minus at its begin, each"
        " interpolated between the two measurements around it",
        source=_SOURCE,
        needs=_NEEDS,
    ),
    Metric(
        name="energy_cpu_mj",
        unit="mJ",
        direction="lower",
        family="energy",
        definition="as energy_mj, of the rails of CPU clusters (those with cpu in their name)",
        source=_SOURCE,
        needs=_NEEDS,
    ),
    Metric(
        name="energy_mj_per_round",
        unit="mJ",
        direction="lower",
        family="energy",
        definition="energy_mj / rounds over the profile's apps in the window",
        source=_SOURCE,
        needs=_NEEDS | Needs(switches=True),
    ),
)

#: Times (ns) and energies (uWs) of one rail, in order of time.
Series = tuple[list[int], list[float]]


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; unknown on phones that cannot measure their rails, which most cannot."""
    rails = _rails(recording)
    everything = _sum(recording, rails)
    cpu = {name: series for name, series in rails.items() if "cpu" in name.lower()}
    return {
        "energy_mj": everything,
        "energy_cpu_mj": _sum(recording, cpu)
        if cpu or not rails
        else unknown(f"no rail is named after the CPU; there are {', '.join(sorted(rails)[:5])}"),
        "energy_mj_per_round": ratio(
            everything, _rounds(recording), zero="the window holds no whole round over the apps"
        ),
    }


def _rails(recording: Recording) -> Mapping[str, Series]:
    """Series by the rail's name, with its track's number where two have one name."""
    rails: dict[int, Series] = {}
    known: dict[int, str] = {}
    for track, name, ts, value in recording.session.rows(sql_of(__file__, "power_rails")):
        number = whole(track)
        known[number] = str(name)
        times, energies = rails.setdefault(number, ([], []))
        times.append(whole(ts))
        energies.append(real(value))
    several = len(set(known.values())) < len(known)
    return {
        f"{known[number]} #{number}" if several else known[number]: series
        for number, series in rails.items()
    }


def _sum(recording: Recording, rails: Mapping[str, Series]) -> Figure:
    if not rails:
        return unknown("the trace holds no power rails: this phone does not measure them, or nobody asked")
    window = recording.window
    total_uj = 0.0
    for name, series in sorted(rails.items()):
        edges = [_at(series, t_ns) for t_ns in (window.begin, window.end)]
        if edges[0] is None or edges[1] is None:
            return unknown(f"{name} was not measured on both sides of the window's edges")
        if edges[1] < edges[0]:
            return unknown(f"{name} fell from {edges[0]:.0f} to {edges[1]:.0f} uWs")
        total_uj += edges[1] - edges[0]
    return Figure(total_uj / _UJ_IN_MJ)


def _at(series: Series, t_ns: int) -> float | None:
    """The energy at ``t_ns``, linear between two measurements; None outside of them."""
    times, energies = series
    after = bisect.bisect_left(times, t_ns)
    if after < len(times) and times[after] == t_ns:
        return energies[after]
    if after in (0, len(times)):
        return None
    before = after - 1
    share = (t_ns - times[before]) / (times[after] - times[before])
    return energies[before] + share * (energies[after] - energies[before])


def _rounds(recording: Recording) -> Figure:
    """Rounds whose switches the window holds."""
    sets = [
        args
        for ts, _, track, _, args in recording.suite_slices
        if track == names.SWITCH_TRACK
        and args is not None
        and recording.window.begin <= ts < recording.window.end
    ]
    if not sets:
        return unknown("there are no app switches in the window")
    rounds = {facts.get(names.SWITCH_ROUND) for facts in recording.annotations(sets).values()}
    if None in rounds:
        return unknown("the switches do not say which round they are of")
    return Figure(float(len(rounds)))
