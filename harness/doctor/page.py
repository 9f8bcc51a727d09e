"""One page for the terminal: what the device is, what can be measured, what to type next."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

from foundation.contract.metric import Catalogue
from foundation.contract.threads import role_of
from harness.doctor.facts import DeviceFacts
from harness.doctor.measurable import (
    FamilyRow,
    Finding,
    by_family,
    usable,
)
from harness.doctor.reading import used_swap_kb

WIDTH: Final = 100
_LABEL: Final = 12
_NEEDS_ROOT: Final = "the kernel's own tracer needs root"


def page(
    facts: DeviceFacts,
    found: Sequence[Finding],
    left: Sequence[str],
    next_steps: Sequence[str],
    catalogue: Catalogue,
) -> str:
    """Text of at most `WIDTH` columns, but for the commands at its end, which are never broken.

    ``left`` names settings that a killed run left on the device.
    """
    lines = [
        *_wrapped("device", _device(facts)),
        *_wrapped("build", facts.properties.get("build", "unknown")),
        *_wrapped("kernel", facts.release),
        *_wrapped("root", _root(facts)),
        *_wrapped("recorder", _recorder(facts)),
        *_wrapped("events", _events(facts, catalogue)),
        *_wrapped("threads", _threads(facts)),
        *_wrapped("switch", _switches(facts)),
        *_wrapped("zram", _zram(facts)),
        *_wrapped("memory", _memory(facts)),
        *_wrapped("CPUs", _clusters(facts)),
        *_wrapped("thermal", _thermal(facts)),
        *_wrapped("battery", facts.battery or "unknown"),
        "",
        *_table(by_family([one for one in found if not one.heavy])),
        "",
        *_verdict(found, catalogue.primaries),
        *_pins(facts),
        *_left(left),
        "",
        *next_steps,
    ]
    return "\n".join(lines)


def _root(facts: DeviceFacts) -> str:
    """How root is had, in a few words."""
    return {
        "shell": "yes: adbd runs as root",
        "su": "yes: through su",
        "adb root": "not yet: this build allows it, run 'adb root'",
        "su, not used": "not used: there is an su, give --su to use it",
        "none": "none: a user build without su",
    }[facts.root]


def _device(facts: DeviceFacts) -> str:
    known = facts.properties
    if facts.emulated:
        return f"virtual device {facts.serial}: what it measures is emulated"
    android = f"Android {known.get('android', '?')} (API {known.get('api', '?')})"
    soc = known.get("soc") or known.get("hardware", "unknown chip")
    maker, model = known.get("manufacturer", ""), known.get("model", "unknown model")
    return f"{maker} {model}, {soc}, {android}, {known.get('build type', '?')} build; serial {facts.serial}"


def _recorder(facts: DeviceFacts) -> str:
    if facts.recorder == "perfetto":
        state = "" if facts.service in ("", "running") else f"; its service is {facts.service}"
        return f"{facts.perfetto}{state}"
    if facts.recorder == "ftrace":
        return f"no Perfetto; the kernel's own tracer ({facts.tracefs}) in its place"
    return f"none: no Perfetto here, and {'no tracefs' if facts.is_root else _NEEDS_ROOT}"


def _events(facts: DeviceFacts, catalogue: Catalogue) -> str:
    """Those of the metrics that every campaign records."""
    events = catalogue.needs(recorded_by_default=True).ftrace_events
    needed = {event: facts.events[event] for event in sorted(events)}
    parts = [f"{list(needed.values()).count('open')} of {len(needed)} that the metrics need are open"]
    for access in ("closed", "absent"):
        names = [event for event, found in needed.items() if found == access]
        parts += [f"{access}: {', '.join(names)}"] if names else []
    return "; ".join(parts)


def _threads(facts: DeviceFacts) -> str:
    if not any(role_of(comm) == "reclaim" for comm in facts.threads):
        seen = ", ".join(facts.threads) or "none"
        return (
            f"no thread is known as kswapd (seen: {seen}): add its name to foundation/contract/threads.py"
        )
    words = ", ".join(f"{comm} ({role_of(comm)})" for comm in facts.threads)
    if not any(role_of(comm) == "compression" for comm in facts.threads):
        words += "; no compression thread"
    if facts.thread_cpu.text is None:
        words += f"; schedstat: {facts.thread_cpu.why}, so CPU times are not checked a second way"
    return words


def _switches(facts: DeviceFacts) -> str:
    if not facts.switches:
        hidden = "" if facts.is_root else " (zram's own folder is seen by root only)"
        return f"none found for a compression thread{hidden}"
    return "; ".join(
        f"{switch.path} = {switch.value if switch.value is not None else '(not readable)'}"
        + ("" if switch.writable else ", not writable" + ("" if facts.is_root else " without root"))
        for switch in facts.switches
    )


def _zram(facts: DeviceFacts) -> str:
    if facts.zram_disk is None:
        return "no zram disk"
    size = facts.zram_size.text
    if size is None:
        return f"{facts.zram_disk} is there; {facts.zram_size.why} without root"
    used = used_swap_kb(facts)
    in_use = "" if used is None else f", {used // 1024} MiB in use"
    return f"{facts.zram_disk}: {int(size) >> 20} MiB, {facts.zram_algorithm.text}{in_use}"


def _memory(facts: DeviceFacts) -> str:
    total = facts.meminfo.get("MemTotal")
    parts = [f"{total >> 10} MiB" if total else "unknown size"]
    hidden: dict[str, list[str]] = {}
    for name, held in (
        ("swappiness", facts.swappiness),
        ("page-cluster", facts.page_cluster),
        ("MGLRU", facts.lru_gen),
        ("huge pages", facts.huge_pages),
    ):
        if held.text is None:
            hidden.setdefault(held.why, []).append(name)
        else:
            parts.append(f"{name} {held.text}")
    return "; ".join([", ".join(parts), *(f"{', '.join(names)}: {why}" for why, names in hidden.items())])


def _clusters(facts: DeviceFacts) -> str:
    if not facts.clusters:
        return "no cpufreq: the clock is not the kernel's to set"
    return "; ".join(
        f"{_range(cluster.cpus)} {cluster.governor} "
        f"{(cluster.min_khz or 0) // 1000}-{(cluster.max_khz or 0) // 1000} MHz"
        for cluster in facts.clusters
    )


def _range(cpus: str) -> str:
    words = cpus.split()
    return f"{words[0]}-{words[-1]}" if len(words) > 1 else cpus.strip()


def _thermal(facts: DeviceFacts) -> str:
    if facts.thermal_status is None:
        return "unknown: there is no thermal service"
    names = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
    number = facts.thermal_status
    status = names[number] if number < len(names) else str(number)
    hottest = f", hottest {facts.hottest}" if facts.hottest else ""
    return f"throttling {status}{hottest}"


def _table(rows: Sequence[FamilyRow]) -> list[str]:
    width = max(len(row.family) for row in rows)
    lines = [f"{'metrics':<{width}}  known     why not"]
    for row in rows:
        head = f"{row.family:<{width}}  {row.answer:<9}"
        why = textwrap.wrap("; ".join(row.why), WIDTH - len(head) - 1) or [""]
        lines += [f"{head} {why[0]}".rstrip(), *(" " * len(head) + f" {more}" for more in why[1:])]
    return lines


def _verdict(found: Sequence[Finding], primaries: Sequence[str]) -> list[str]:
    if not usable(found):
        return ["Nothing can be measured on this device as it is."]
    known = {one.metric: one.ok for one in found}
    lost = [name for name in primaries if not known[name]]
    if lost:
        return textwrap.wrap(f"Of the metrics that decide, not known here: {', '.join(lost)}.", WIDTH)
    return [f"All metrics that decide are known here: {', '.join(primaries)}."]


def _pins(facts: DeviceFacts) -> list[str]:
    if facts.is_root:
        return []
    return textwrap.wrap(
        "A campaign sets zram, swappiness, page-cluster and huge pages, and puts them back:"
        " that needs root.",
        WIDTH,
    )


def _left(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    return textwrap.wrap(
        f"A run that was killed has left its settings on this device: {', '.join(names)}. The next run"
        " undoes them first, or: python -m android_tests restore",
        WIDTH,
    )


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"{label:<{_LABEL}}",
        subsequent_indent=" " * _LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    )
