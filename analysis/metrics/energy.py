"""Energy of the measured window, from the power rails that the phone measures itself."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from functools import partial
from typing import Final

from analysis.trace.figure import Figure, ratio, unknown
from analysis.trace.recording import NO_SWITCHES, Recording, as_float, as_int
from foundation.contract import conventions as names
from foundation.contract.metric import Metric
from foundation.contract.needs import Needs

_NEEDS: Final = Needs(power_rails=True)
_UJ_IN_MJ: Final = 1e3

_metric = partial(
    Metric,
    unit="mJ",
    direction="lower",
    family="energy",
    source="android.power of Perfetto (protos/perfetto/trace/power/power_rails.proto: energy since boot in"
    " uWs); rails of hardware/interfaces/power/stats",
    needs=_NEEDS,
)

METRICS: Final = (
    _metric(
        "energy_mj",
        definition="energy of all power rails: value at the end of the window minus at its start, each"
        " interpolated between the two measurements around it",
    ),
    _metric(
        "energy_cpu_mj",
        definition="energy_mj of the rails of CPU clusters only (those with cpu in their name)",
    ),
    _metric(
        "energy_mj_per_round",
        definition="energy_mj / rounds over the profile's apps in the window",
        needs=_NEEDS | Needs(switches=True),
    ),
)

#: Times (ns) and energies (uWs) of one rail, in order of time.
Series = tuple[list[int], list[float]]


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; unknown on the many phones that cannot measure their rails."""
    rails = _rails(recording)
    everything = _sum(recording, rails)
    cpu = {name: series for name, series in rails.items() if "cpu" in name.lower()}
    return {
        "energy_mj": everything,
        "energy_cpu_mj": _sum(recording, cpu)
        if cpu or not rails
        else unknown(f"no rail has cpu in its name; the rails are {', '.join(sorted(rails)[:5])}"),
        "energy_mj_per_round": ratio(
            everything, _rounds(recording), zero="the window holds no complete round over the apps"
        ),
    }


def _rails(recording: Recording) -> Mapping[str, Series]:
    """Series by the name of the rail, followed by its track id if two rails share a name."""
    rails: dict[tuple[int, str], Series] = {}
    for track, name, ts, value in recording.query(__file__, "power_rails"):
        times, energies = rails.setdefault((as_int(track), str(name)), ([], []))
        times.append(as_int(ts))
        energies.append(as_float(value))
    ambiguous = len({name for _, name in rails}) < len(rails)
    return {f"{name} #{track}" if ambiguous else name: series for (track, name), series in rails.items()}


def _sum(recording: Recording, rails: Mapping[str, Series]) -> Figure:
    if not rails:
        return unknown("the trace holds no power rails: the phone has none, or they were not recorded")
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
    """The energy at ``t_ns``, interpolated between two measurements; None outside of them."""
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
    if not recording.switches:
        return unknown(NO_SWITCHES)
    rounds = {switch.get(names.SWITCH_ROUND) for switch in recording.switches}
    if None in rounds:
        return unknown("the switches are not marked with their round")
    return Figure(float(len(rounds)))
