"""What app switching came to: each switch, the cycle that they make, and what a trace says against them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from workloads.kills import Kill, KillMark, by_reason, with_marks
from workloads.launches import LaunchState

#: Resolution of /proc/uptime.
_STAMP_NS: Final = 10_000_000
#: Fields of a cycle that its line of sums leaves to others: lines of their own, and ``rep.json``.
_NOT_SUMS: Final = ("switches", "contradictions", "cold_starts_unseen")


@dataclass(frozen=True)
class Switch:
    """One switch to an app: who, when (CLOCK_BOOTTIME ns), how it was launched.

    ``killed_since_last``: the app had a process when it was left, and lost it since.
    ``pid_lost`` is that process. ``expected_state`` is what a device that kills nothing would show.
    """

    index: int
    round: int
    package: str
    launch_state: LaunchState
    expected_state: LaunchState
    doubt: str | None
    t_begin_boot_ns: int
    t_end_boot_ns: int
    total_time_ms: float | None
    wait_time_ms: float | None
    pid_before: int | None
    pid_after: int | None
    killed_since_last: bool
    pid_lost: int | None = None


@dataclass(frozen=True)
class CycleResult:
    """One cycle: its switches, and what the apps saw.

    ``kills`` counts apps found without the process they had; ``relaunches`` the cold
    starts that followed. Pages are of 4 KiB; ``mismatches`` is 0 for every result that
    exists, since a wrong page is raised as DataCorruption. ``killed`` are all processes that the
    phone killed meanwhile, with reasons; ``versions`` the version codes of the phone's packages.
    ``kills_marked`` is how many of them lmkd marked in the trace, ``contradictions`` and
    ``cold_starts_unseen`` are those of `trace_doubts`; None without a trace that tells.
    """

    switches: tuple[Switch, ...]
    kills: int
    relaunches: int
    pages_verified: int
    pages_rewritten: int
    mismatches: int = 0
    killed: tuple[Kill, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    log_trouble: str | None = None
    kills_marked: int | None = None
    contradictions: tuple[str, ...] = ()
    cold_starts_unseen: int | None = None

    def with_trace(self, marks: Sequence[KillMark] | None, births: Mapping[int, int]) -> CycleResult:
        """Joined with what a trace tells: kills that lmkd marked, and when processes began."""
        cycle = self
        if marks is not None:
            killed = tuple(with_marks(self.killed, marks))
            cycle = replace(self, killed=killed, kills_marked=len({mark.pid for mark in marks}))
        if births:
            contradictions, unseen = trace_doubts(self.switches, births)
            cycle = replace(cycle, contradictions=tuple(contradictions), cold_starts_unseen=unseen)
        return cycle

    def to_json_lines(self) -> str:
        """``workload.jsonl``: one line a switch, then one with the sums."""
        sums = {key: value for key, value in asdict(self).items() if key not in _NOT_SUMS}
        lines = [*(asdict(switch) for switch in self.switches), sums]
        return "".join(json.dumps(line) + "\n" for line in lines)

    def facts(self) -> dict[str, Any]:
        """``relaunches``: cold starts of apps that had been killed; of a phone also the kills by reason,
        the share of switches that found their app alive, and the packages' versions."""
        facts: dict[str, Any] = {"relaunches": self.relaunches}
        if self.cold_starts_unseen is not None:
            facts["cold_starts_unseen"] = self.cold_starts_unseen
        if self.versions:
            swap = [kill.swap_free_kb for kill in self.killed if kill.swap_free_kb is not None]
            facts |= {
                "kills_by_reason": by_reason(self.killed),
                "swap_free_kb_at_kills": swap,
                "kept_alive_share": 1 - self.kills / len(self.switches) if self.switches else None,
                "package_versions": dict(self.versions),
                "log_trouble": self.log_trouble,
                "kills_marked": self.kills_marked,
            }
        return facts

    def void_reasons(self) -> list[str]:
        """Why these switches make a repetition void."""
        return [*self.contradictions, *self._own_void_reasons()]

    def _own_void_reasons(self) -> list[str]:
        unknown = [switch.package for switch in self.switches if switch.launch_state == "UNKNOWN"]
        if unknown:
            return [f"{len(unknown)} switches could not be classified, first: {unknown[0]}"]
        if not self.switches:
            return ["the workload made no switch"]
        if self.kills == len(self.switches):
            return [
                f"all {self.kills} switches found their app killed: this measured app starts "
                "(give the apps less memory, or the device more)"
            ]
        return []


def trace_doubts(switches: Sequence[Switch], births: Mapping[int, int]) -> tuple[list[str], int]:
    """What a trace says against the states that ``am`` and the process ids agreed on.

    ``births`` is when each process began (task_newtask), by pid. A process that began during a
    start makes it a cold one: contradictions are void reasons. A cold start whose process began
    earlier is only counted: the zygote may have had it ready (USAP), or the event was lost.
    """
    if not births:
        return [], 0
    reasons, unseen = [], 0
    for switch in switches:
        born = births.get(switch.pid_after) if switch.pid_after is not None else None
        inside = born is not None and (
            switch.t_begin_boot_ns - _STAMP_NS <= born <= switch.t_end_boot_ns + _STAMP_NS
        )
        if switch.launch_state in ("WARM", "HOT") and inside:
            reasons.append(
                f"switch {switch.index} to {switch.package} was {switch.launch_state} by am, and the trace"
                f" has its process begin in it"
            )
        elif switch.launch_state == "COLD" and not inside:
            unseen += 1
    return reasons, unseen
