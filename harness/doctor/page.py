"""One page for the terminal: what the device is, what it can measure, what to type next."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

from foundation.contract.metric import Catalogue
from foundation.contract.threads import role_of
from foundation.contract.zram_identity import engine_of
from harness.device.adb.su import GRANT_HIDDEN, HIDING
from harness.device.port_switches import switch_at
from harness.doctor.effects import effects, throttling
from harness.doctor.facts import DeviceFacts
from harness.doctor.measurable import FamilyRow, Finding, by_family, usable
from harness.doctor.reading import used_swap_kb

WIDTH: Final = 80
_LABEL: Final = 10
_NEEDS_ROOT: Final = "tracefs needs root"


def page(
    facts: DeviceFacts,
    found: Sequence[Finding],
    left: Sequence[str],
    next_steps: Sequence[str],
    catalogue: Catalogue,
) -> str:
    """The page, at most `WIDTH` columns wide except for the commands at its end, which are never broken.

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
        *([] if _has_effect(facts, "heat") else _wrapped("thermal", _thermal(facts))),
        *_wrapped("battery", facts.battery or "unknown"),
        "",
        *_effects(facts),
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
    """Root access in a few words."""
    if facts.emulated:
        return "yes: everything on it runs as root"
    return {
        "shell": "yes: adbd runs as root",
        "su": f"yes: through su ({facts.surroundings.su or 'of an unknown kind'})",
        "adb root": "not yet: this build allows it, by the first command below",
        "su, not used": _not_used(facts.properties.get("root manager")),
        "none": "none: a user build without su",
    }[facts.root]


def _not_used(manager: str | None) -> str:
    """What a person does so that ``--su`` works."""
    if manager in HIDING:
        return f"not used: {manager} hides su: {GRANT_HIDDEN}, then add --su"
    by = f" by {manager}" if manager else ""
    return f"not used: the phone has su{by}; add --su, and tap Grant within 10 s where it asks"


def _device(facts: DeviceFacts) -> str:
    properties = facts.properties
    if facts.emulated:
        return f"virtual device {properties.get('device', facts.serial)}: what it measures is emulated"
    android = f"Android {properties.get('android', '?')} (API {properties.get('api', '?')})"
    soc = properties.get("soc") or properties.get("hardware", "unknown chip")
    model = f"{properties.get('manufacturer', '')} {properties.get('model', 'unknown model')}"
    build = f"{properties.get('build type', '?')} build"
    emulator = properties.get("emulator")
    remark = f"; {emulator}, not a phone: what it measures is emulated" if emulator else ""
    return f"{model}, {soc}, {android}, {build}; serial {facts.serial}{remark}"


def _recorder(facts: DeviceFacts) -> str:
    if facts.recorder == "perfetto":
        state = "" if facts.service in ("", "running") else f"; its service is {facts.service}"
        return f"{facts.perfetto}{state}"
    return "none: no Perfetto here"


def _events(facts: DeviceFacts, catalogue: Catalogue) -> str:
    """Access to the events that every campaign records."""
    events = catalogue.needs(recorded_by_default=True).ftrace_events
    needed = {event: facts.events[event] for event in sorted(events)}
    parts = [f"{list(needed.values()).count('open')} of {len(needed)} that the metrics need are open"]
    for access in ("closed", "absent"):
        names = [event for event, granted in needed.items() if granted == access]
        parts += [f"{access}: {', '.join(names)}"] if names else []
    return "; ".join(parts)


def _threads(facts: DeviceFacts) -> str:
    if not any(role_of(comm) == "reclaim" for comm in facts.threads):
        seen = ", ".join(facts.threads) or "none"
        return f"no kswapd found (seen: {seen}): add its thread name to foundation/contract/threads.py"
    words = ", ".join(f"{comm} ({role_of(comm)})" for comm in facts.threads)
    if not any(role_of(comm) == "compression" for comm in facts.threads):
        words += "; no compression thread"
    if facts.thread_cpu.text is None:
        words += f"; schedstat: {facts.thread_cpu.why}, so CPU times are not cross-checked"
    return words


def _switches(facts: DeviceFacts) -> str:
    if not facts.switches:
        hidden = "" if facts.is_root else " (only root sees zram's own folder)"
        return f"no switch of a compression thread found{hidden}"
    return "; ".join(
        f"{switch.path} = {'(not readable)' if switch.value is None else switch.value}{_port(switch.path)}"
        + ("" if switch.writable else ", not writable" + ("" if facts.is_root else " without root"))
        for switch in facts.switches
    )


def _port(path: str) -> str:
    known = switch_at(path)
    return "" if known is None else f" ({known.port})"


def _zram(facts: DeviceFacts) -> str:
    if facts.zram_disk is None:
        return "no zram disk"
    size = facts.zram_size.text
    if size is None:
        return f"{facts.zram_disk} exists; {facts.zram_size.why} without root"
    used = used_swap_kb(facts)
    in_use = "" if used is None else f", {used // 1024} MiB in use"
    algorithm = facts.zram_algorithm.text
    named = algorithm if algorithm is None else engine_of(algorithm) or algorithm
    return f"{facts.zram_disk}: {int(size) >> 20} MiB, {named}{in_use}"


def _memory(facts: DeviceFacts) -> str:
    total = facts.meminfo.get("MemTotal")
    parts = [f"{total >> 10} MiB" if total else "unknown size"]
    hidden: dict[str, list[str]] = {}
    for name, setting in (
        ("swappiness", facts.swappiness),
        ("page-cluster", facts.page_cluster),
        *([] if _has_effect(facts, "MGLRU") else [("MGLRU", facts.lru_gen)]),
        ("huge pages", facts.huge_pages),
    ):
        if setting.text is None:
            hidden.setdefault(setting.why, []).append(name)
        else:
            parts.append(f"{name} {setting.text}")
    return "; ".join([", ".join(parts), *(f"{', '.join(names)}: {why}" for why, names in hidden.items())])


def _clusters(facts: DeviceFacts) -> str:
    if not facts.clusters:
        return "no cpufreq: the kernel does not control the clock"
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
        return "unknown: the device has no thermal service"
    hottest = f", hottest {facts.hottest}" if facts.hottest else ""
    return f"{throttling(facts.thermal_status)}{hottest}"


def _effects(facts: DeviceFacts) -> list[str]:
    found = effects(facts)
    if not found:
        return []
    lines = [line for effect in found for line in _wrapped(effect.topic, effect.text)]
    return ["What it does to a measurement:", *lines, ""]


def _has_effect(facts: DeviceFacts, topic: str) -> bool:
    """Whether that is said further down."""
    return any(effect.topic == topic for effect in effects(facts))


def _table(rows: Sequence[FamilyRow]) -> list[str]:
    """What can be measured in one row, then a row for each family of which not all can be."""
    whole = [row.family for row in rows if row.answer == "yes"]
    lines = _wrapped("measured", ", ".join(whole)) if whole else []
    for row in rows:
        if row.answer == "no":
            lines += _wrapped("not", f"{row.family}: {'; '.join(row.why)}")
        elif row.answer != "yes":
            lines += _wrapped("partly", f"{row.family}, {row.answer}: {'; '.join(row.why)}")
    return lines


def _verdict(found: Sequence[Finding], primaries: Sequence[str]) -> list[str]:
    if not usable(found):
        return ["This device can measure nothing as it is."]
    ok = {one.metric for one in found if one.ok}
    missing = [name for name in primaries if name not in ok]
    if missing:
        return textwrap.wrap(f"Primary metrics that cannot be measured here: {', '.join(missing)}.", WIDTH)
    return textwrap.wrap(f"All primary metrics can be measured here: {', '.join(primaries)}.", WIDTH)


def _pins(facts: DeviceFacts) -> list[str]:
    if facts.is_root:
        return []
    return textwrap.wrap(
        "A campaign sets and restores zram, swappiness, page-cluster and huge pages, which needs root.",
        WIDTH,
    )


def _left(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    return textwrap.wrap(
        f"A killed run left its settings on this device: {', '.join(names)}. The next run undoes them"
        " first; to undo them now: python -m android_tests restore",
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
