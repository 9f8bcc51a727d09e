"""Void rules: fixed before the first block, and independent of every metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from workloads.switches import UNKNOWN_SHARE_MAX

OTHER_CPU_SHARE_MAX: Final = 0.10
STEAL_SHARE_MAX: Final = 0.10
RETRIES_PER_REPETITION: Final = 1

VOID_RULES: Final[tuple[str, ...]] = (
    "a repetition is void if its trace or counters lost data of every kind; if data of some kinds were "
    "lost in the window, the metrics that need them are void in it, and the others stand",
    "a repetition is void if a reclaim or compression thread started or exited during it",
    "on an emulated device in host time, a repetition is void if other programs used more than "
    f"{OTHER_CPU_SHARE_MAX:.0%} of the host's CPU capacity, or more than {STEAL_SHARE_MAX:.0%} was stolen",
    f"a repetition is void if {UNKNOWN_SHARE_MAX:.0%} or more of its app switches failed or could not be "
    "classified; with fewer, what is told by launch state is unknown in it, and the rest stands",
    "a repetition is void if its trace shows a process being created during a launch that am and the PIDs "
    "both report as warm or hot (a cold launch without a process creation is only counted, in rep.json)",
    "a repetition is void if every switch found its app killed: it measured app launches, not switches",
    "a repetition is void if the memory eater was killed: it did less work",
    "a repetition is void if it swapped nothing out: there was no reclaim to measure",
    "a repetition whose trace and schedstat disagree about a thread's CPU time lost all that is traced",
    f"a repetition that is void or lost data is measured again, at most {RETRIES_PER_REPETITION} time per "
    "planned repetition; "
    "a block with fewer valid repetitions than planned is void, and so is its pair",
    "on a phone, a repetition is void as throttled if a cooling device of a CPU was above 0 in it, if the "
    "thermal status at its end is above the profile's limit, or, where no cooling device is listed, if a "
    "CPU's maximum frequency changed during it",
    "a repetition with pinned frequencies is void if a CPU's limits changed, or if it spent more than 1 % "
    "of the time at other frequencies",
    "on a phone, a repetition in which a command does not end before its deadline is not measured, and "
    "measured again within the same limit",
    "a repetition is void if a requested ftrace event could not be enabled",
    "a block is void if its pinned settings drifted",
    "a block is void if the device was not ready for it twice: more than 5 % of its swap was in use at the "
    "start, what was swapped out did not fit into memory, another program held its zram, or, in the middle "
    "of a campaign, a phone did not meet a precondition",
)


def host_reasons(host: Mapping[str, float | None], *, emulated: bool, host_time: bool) -> list[str]:
    """Why the host's load makes a repetition void; empty if it does not.

    ``host`` holds shares of all CPU capacity. Only an emulated device whose time is the host's is
    checked: a phone does not run on this host, and a clock of instructions does not see its load.
    """
    if not (emulated and host_time):
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
