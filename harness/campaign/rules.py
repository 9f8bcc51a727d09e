"""Void rules: fixed before the first block, and blind to every metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OTHER_CPU_SHARE_MAX: Final = 0.10
STEAL_SHARE_MAX: Final = 0.10
RETRIES_PER_REPETITION: Final = 1

VOID_RULES: Final[tuple[str, ...]] = (
    "a repetition whose trace or counters lost data is void",
    "a repetition in which a reclaim or compression thread came or went is void",
    "on an emulated device, a repetition is void if other programs used more than "
    f"{OTHER_CPU_SHARE_MAX:.0%} of the host's CPU capacity, or more than {STEAL_SHARE_MAX:.0%} was stolen",
    "a repetition in which an app switch failed or could not be classified is void",
    "a repetition is void in whose trace a process begins during a start that am and the process ids call "
    "warm or hot (a cold start whose process the trace has not seen begin is counted in rep.json)",
    "a repetition in which every switch found its app killed is void: it measured app starts",
    "a repetition in which the memory eater was killed is void: it did less work",
    "a repetition that swapped nothing out is void: there was no reclaim to measure",
    "a repetition whose trace and schedstat disagree about a thread's CPU time is void",
    f"a void repetition is measured again, up to {RETRIES_PER_REPETITION} time for each one planned; "
    "a block with fewer valid repetitions than planned is void, and so is its pair",
    "on a phone, a repetition is void as throttled if a CPU's highest allowed frequency changed in it, if "
    "the thermal status at its end is above the profile's limit, or if a CPU that is held at one frequency "
    "ran at others for more than 1 % of the time",
    "a repetition in which an ftrace event that was asked for could not be switched on is void",
    "a block whose pinned settings drifted is void",
)


def host_reasons(host: Mapping[str, float | None], *, emulated: bool) -> list[str]:
    """Why the host's load voids a repetition; empty if it does not.

    ``host`` holds shares of all CPU capacity. A phone does not run on this host, so only
    an emulated device is judged by it.
    """
    if not emulated:
        return []
    reasons = []
    for key, limit, text in (
        (
            "other_cpu_share",
            OTHER_CPU_SHARE_MAX,
            "other programs used {share:.1%} of the host's CPU (limit {limit:.0%})",
        ),
        ("steal_share", STEAL_SHARE_MAX, "{share:.1%} of the host's CPU was stolen (limit {limit:.0%})"),
    ):
        share = host.get(key)
        if share is None:
            reasons.append(f"the host's {key} is unknown")
        elif share > limit:
            reasons.append(text.format(share=share, limit=limit))
    return reasons
