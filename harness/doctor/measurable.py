"""Which metrics a device can measure: their `Needs` compared with what it lets the suite read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from foundation.contract.metric import Metric
from harness.capture.perfetto.perfetto_service import polls_psi
from harness.doctor.facts import DeviceFacts


@dataclass(frozen=True)
class Finding:
    """One metric; ``missing`` is why it cannot be measured, empty if it can."""

    metric: str
    family: str
    missing: tuple[str, ...]
    heavy: bool = False

    @property
    def ok(self) -> bool:
        """Whether the metric can be measured."""
        return not self.missing


@dataclass(frozen=True)
class FamilyRow:
    """A metric family: how many of its metrics can be measured, and why the others cannot."""

    family: str
    known: int
    total: int
    why: tuple[str, ...]

    @property
    def answer(self) -> str:
        """``yes``, ``no``, or how many of them."""
        if self.known == self.total:
            return "yes"
        return "no" if self.known == 0 else f"{self.known} of {self.total}"


def findings(facts: DeviceFacts, metrics: Iterable[Metric]) -> list[Finding]:
    """A finding for each metric, in order."""
    return [
        Finding(metric.name, metric.family, tuple(_missing(facts, metric)), metric.heavy)
        for metric in metrics
    ]


def by_family(found: Iterable[Finding]) -> list[FamilyRow]:
    """A row per family, in order of first appearance; a reason names its metrics unless all share it."""
    families: dict[str, list[Finding]] = {}
    for finding in found:
        families.setdefault(finding.family, []).append(finding)
    return [
        FamilyRow(family, sum(one.ok for one in members), len(members), tuple(_reasons(members)))
        for family, members in families.items()
    ]


def usable(found: Iterable[Finding]) -> bool:
    """Whether anything but the length of the window can be measured."""
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
    """Always missing, because only the first trace shows whether a phone has them."""
    if facts.recorder != "perfetto":
        return ["only Perfetto reads power rails"]
    return ["few phones measure their power rails; the first trace shows whether this one does"]


def _events(facts: DeviceFacts, events: frozenset[str]) -> list[str]:
    if not events:
        return []
    if facts.recorder is None:
        return ["there is no Perfetto"]
    if facts.tracefs is None:
        return ["tracefs is not mounted or cannot be listed"]
    absent = [event for event in sorted(events) if facts.events.get(event, "absent") == "absent"]
    closed = [event for event in sorted(events) if facts.events.get(event) == "closed"]
    return [
        *([f"the kernel has no {_names_of(absent)}"] if absent else []),
        *([f"closed on this build: {_names_of(closed)}"] if closed else []),
    ]


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
    missing = []
    for resource, _, line in (text.partition(".") for text in sorted(lines)):
        pressure = facts.psi[resource]
        if pressure.text is None:
            # Perfetto's service may read what the shell may not.
            api = facts.properties.get("api", "")
            if facts.recorder and polls_psi(facts.perfetto or "", int(api) if api.isdigit() else None):
                continue
            missing.append(f"/proc/pressure: {pressure.why}")
        elif not any(part.startswith(f"{line} ") for part in pressure.text.splitlines()):
            missing.append(f"/proc/pressure/{resource} has no line {line}")
    return missing


def _zram(facts: DeviceFacts) -> list[str]:
    statistics = facts.zram_statistics
    return [] if statistics.text is not None else [f"mm_stat of zram0: {statistics.why}"]


def _calls(facts: DeviceFacts) -> list[str]:
    if not facts.is_root or facts.tracefs is None:
        return ["recording calls of kernel functions needs a root shell and tracefs"]
    return (
        [] if facts.kprobe_events else ["the kernel has no kprobe events, or does not allow setting them"]
    )


def _names_of(events: list[str]) -> str:
    return ", ".join(event.partition("/")[2] for event in events)


def _reasons(members: list[Finding]) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for finding in members:
        for reason in finding.missing:
            by_reason.setdefault(reason, []).append(finding.metric)
    return [
        reason if len(names) == len(members) else f"{reason} ({_names(names)})"
        for reason, names in by_reason.items()
    ]


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:2])
    return shown if len(names) <= 2 else f"{shown} and {len(names) - 2} more"
