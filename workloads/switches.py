"""The results of app switching: each switch, their cycle, and what a trace contradicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from workloads.launches import LaunchState

#: From this share on, switches of unknown state make a cycle void: it is no longer known what was measured.
UNKNOWN_SHARE_MAX: Final = 0.10
#: Resolution of /proc/uptime.
_STAMP_NS: Final = 10_000_000
#: Fields of a cycle that are not in its line of sums, but in lines of their own or in ``rep.json``.
_NOT_SUMS: Final = ("switches", "contradictions", "cold_starts_unseen")


@dataclass(frozen=True)
class Switch:
    """One switch to an app: when (CLOCK_BOOTTIME ns) and how it was launched.

    ``killed_since_last``: the app has lost the process it had at its last switch, ``pid_lost``.
    ``expected_state`` is what a device that kills nothing would show.
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
    """One cycle of app switching; `workloads.protocol.Cycle`.

    ``kills`` counts apps that had lost their process, ``relaunches`` the cold launches that followed.
    Pages are the device's. ``versions`` are the version codes of the phone's packages.
    ``contradictions`` and ``cold_starts_unseen`` come from `trace_doubts`; None means that the trace
    does not show it.
    """

    switches: tuple[Switch, ...]
    kills: int
    relaunches: int
    pages_verified: int
    pages_rewritten: int
    mismatches: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    contradictions: tuple[str, ...] = ()
    cold_starts_unseen: int | None = None

    def with_trace(self, births: Mapping[int, int]) -> CycleResult:
        """This cycle with the processes created during its switches."""
        if not births:
            return self
        contradictions, unseen = trace_doubts(self.switches, births)
        return replace(self, contradictions=tuple(contradictions), cold_starts_unseen=unseen)

    def to_json_lines(self) -> str:
        """``workload.jsonl``: one line per switch, then one with the sums."""
        sums = {key: value for key, value in asdict(self).items() if key not in _NOT_SUMS}
        lines = [*(asdict(switch) for switch in self.switches), sums]
        return "".join(json.dumps(line) + "\n" for line in lines)

    def facts(self) -> dict[str, Any]:
        """``relaunches``: cold launches of apps that had been killed; ``unknown_switches``.

        For a phone also the share of switches that found their app alive, and the packages' versions.
        """
        facts: dict[str, Any] = {"relaunches": self.relaunches, "unknown_switches": len(self._unknown)}
        if self.cold_starts_unseen is not None:
            facts["cold_starts_unseen"] = self.cold_starts_unseen
        if self.versions:
            facts |= {
                "kept_alive_share": 1 - self.kills / len(self.switches) if self.switches else None,
                "package_versions": dict(self.versions),
            }
        return facts

    def void_reasons(self) -> list[str]:
        """Why these switches make a repetition void."""
        return [*self.contradictions, *self._own_void_reasons()]

    @property
    def _unknown(self) -> list[Switch]:
        return [switch for switch in self.switches if switch.launch_state == "UNKNOWN"]

    def _own_void_reasons(self) -> list[str]:
        if not self.switches:
            return ["the workload made no switch"]
        unknown, every = self._unknown, len(self.switches)
        if len(unknown) >= UNKNOWN_SHARE_MAX * every:
            return [
                f"{len(unknown)} of {every} switches could not be classified, first:"
                f" {unknown[0].package}: {unknown[0].doubt}"
            ]
        if self.kills == len(self.switches):
            return [
                f"all {self.kills} switches found their app killed: this measured app launches "
                "(give the apps less memory, or the device more)"
            ]
        return []


def trace_doubts(switches: Sequence[Switch], births: Mapping[int, int]) -> tuple[list[str], int]:
    """Check launch states against the trace: void reasons, and the number of unseen cold launches.

    ``births`` is when each process was created (task_newtask), by pid. A launch during which its
    process was created must be cold, else it is a void reason. A cold launch whose process is older is
    only counted: the zygote may have had one ready (USAP), or the event was lost.
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
                f"switch {switch.index} to {switch.package}: am reported {switch.launch_state}, but the"
                " trace shows its process being created"
            )
        elif switch.launch_state == "COLD" and not inside:
            unseen += 1
    return reasons, unseen
