"""Which metrics can be known on a device: their `Needs` held against what the device lets be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from foundation.contract.metric import Metric
from harness.doctor.facts import DeviceFacts


@dataclass(frozen=True)
class Finding:
    """One metric. ``missing`` says why it cannot be known; empty if it can."""

    metric: str
    family: str
    missing: tuple[str, ...]
    heavy: bool = False

    @property
    def ok(self) -> bool:
        return not self.missing


@dataclass(frozen=True)
class FamilyRow:
    """A metric family: how many of its metrics can be known, and what keeps the others from it."""

    family: str
    known: int
    total: int
    why: tuple[str, ...]

    @property
    def answer(self) -> str:
        """``yes``, ``no``, or how many."""
        if self.known == self.total:
            return "yes"
        return "no" if self.known == 0 else f"{self.known} of {self.total}"


def findings(facts: DeviceFacts, metrics: Iterable[Metric]) -> list[Finding]:
    """A finding for each metric, in their order."""
    return [
        Finding(metric.name, metric.family, tuple(_missing(facts, metric)), metric.heavy)
        for metric in metrics
    ]


def by_family(found: Iterable[Finding]) -> list[FamilyRow]:
    """Rows in order of first appearance; a reason that holds for a part names its metrics."""
    families: dict[str, list[Finding]] = {}
    for finding in found:
        families.setdefault(finding.family, []).append(finding)
    return [
        FamilyRow(family, sum(one.ok for one in members), len(members), tuple(_reasons(members)))
        for family, members in families.items()
    ]


def usable(found: Iterable[Finding]) -> bool:
    """Whether anything can be measured but the length of the window."""
    return any(one.ok for one in found if one.family != "window")


def _missing(facts: DeviceFacts, metric: Metric) -> list[str]:
    needs = metric.needs
    return [
        *_events(facts, needs.ftrace_events),
        *_vmstat(facts, needs.vmstat, metric.any_of),
        *_meminfo(facts, needs.meminfo),
        *_pressure(facts, needs.psi),
        *(_zram(facts) if needs.zram else []),
        *(_calls(facts) if needs.probes else []),
        *(_rails(facts) if needs.power_rails else []),
        *(["there is no activity manager"] if needs.switches and not facts.activity_manager else []),
    ]


def _rails(facts: DeviceFacts) -> list[str]:
    """Never promised: whether a phone has them shows in its first trace."""
    if facts.recorder != "perfetto":
        return ["power rails are read by Perfetto only"]
    return ["few phones measure their power rails; the first trace shows whether this one does"]


def _events(facts: DeviceFacts, events: frozenset[str]) -> list[str]:
    if not events:
        return []
    if facts.recorder is None:
        return [f"no Perfetto, and no {'tracefs' if facts.is_root else 'root for the tracer'}"]
    if facts.tracefs is None:
        return ["tracefs is not mounted or cannot be listed"]
    absent = [event for event in sorted(events) if facts.events.get(event, "absent") == "absent"]
    closed = [event for event in sorted(events) if facts.events.get(event) == "closed"]
    found = []
    if absent:
        found.append(f"the kernel has no {_short(absent)}")
    if closed:
        found.append(f"closed on this build: {_short(closed)}")
    return found


def _vmstat(facts: DeviceFacts, keys: frozenset[str], any_of: frozenset[str]) -> list[str]:
    if not keys:
        return []
    if facts.vmstat is None:
        return [f"/proc/vmstat: {facts.vmstat_why}"]
    absent = sorted(keys - any_of - facts.vmstat)
    if any_of and not any_of & facts.vmstat:
        absent.append(sorted(any_of)[0])
    return [f"this kernel's vmstat has no {', '.join(absent)}"] if absent else []


def _meminfo(facts: DeviceFacts, keys: frozenset[str]) -> list[str]:
    absent = sorted(keys - facts.meminfo.keys())
    return [f"/proc/meminfo has no {', '.join(absent)}"] if absent else []


def _pressure(facts: DeviceFacts, lines: frozenset[str]) -> list[str]:
    found = []
    for resource, _, line in (text.partition(".") for text in sorted(lines)):
        held = facts.psi[resource]
        if held.text is None:
            found.append(f"/proc/pressure: {held.why}")
        elif not any(part.startswith(f"{line} ") for part in held.text.splitlines()):
            found.append(f"/proc/pressure/{resource} has no line {line}")
    return found


def _zram(facts: DeviceFacts) -> list[str]:
    held = facts.zram_statistics
    return [] if held.text is not None else [f"mm_stat of zram0: {held.why}"]


def _calls(facts: DeviceFacts) -> list[str]:
    if not facts.is_root or facts.tracefs is None:
        return ["calls of kernel functions are recorded with a root shell and ftrace only"]
    return [] if facts.kprobe_events else ["the kernel has no kprobe events, or lets nobody set them"]


def _short(events: list[str]) -> str:
    return ", ".join(event.partition("/")[2] for event in events)


def _reasons(members: list[Finding]) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for finding in members:
        for reason in finding.missing:
            by_reason.setdefault(reason, []).append(finding.metric)
    whole = len(members)
    return [
        reason if len(names) == whole else f"{reason} ({_names(names)})"
        for reason, names in by_reason.items()
    ]


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:2])
    return shown if len(names) <= 2 else f"{shown} and {len(names) - 2} more"
