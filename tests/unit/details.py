"""Single events and courses of repetitions, invented, for synthetic results folders."""

from __future__ import annotations

import numpy as np

from analysis.distributions import Detail, Series
from analysis.distributions.distributions import stepped
from analysis.distributions.names import DIRECT_RECLAIM, SERIES, SWITCHES
from analysis.distributions.records import no_series


def detail(scenario: str, variant: str, pair: int, rep: int) -> Detail:
    """Events and courses of one repetition, the patched ones longer; no switch is warm."""
    draw = np.random.default_rng([len(scenario), len(variant), pair, rep])
    longer = 1.3 if variant == "patched" else 1.0
    reclaims = stepped(DIRECT_RECLAIM, "ms", (draw.lognormal(1, 1, 900) * longer).tolist())
    switches = [
        stepped(name, "ms", [] if launch == "warm" else (draw.normal(500, 40, 12) * longer).tolist())
        for launch, name in SWITCHES.items()
    ]
    times = np.linspace(0, 7, 350)
    series = [Series(name, unit, times, draw.gamma(2, 10, 350)) for name, unit in SERIES.items()]
    if variant == "baseline":
        series[1] = no_series("compression_cpu_share", "% of a CPU", "no compression thread")
    return Detail((reclaims, *switches), tuple(series))
