"""Reads `DeviceFacts` in two round trips, without changing anything.

What is readable depends on the reader, so every answer comes from the shell itself, not from a table.
That also covers the events that Perfetto may enable: its service and the shell have the same labels and
file modes (private/shell.te, private/traced_probes.te, perfetto.rc, atrace.rc).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Final

from foundation.contract.batch import Answer, ask_all
from foundation.contract.device import Device
from foundation.quoting import quote
from harness.capture.events import TRACEFS_ROOTS
from harness.capture.perfetto.perfetto_service import OLD_PERFETTO
from harness.device import phone_facts, phone_state
from harness.device.adb.su import HIDING, manager_of
from harness.device.identity import thread_names
from harness.device.preconditions.pins import selected_choice
from harness.device.preconditions.zram_state import parse_swaps
from harness.doctor.facts import (
    CompressionSwitch,
    CpuCluster,
    DeviceFacts,
    EventAccess,
    Readable,
    Recorder,
    RootLevel,
)
from harness.doctor.surroundings import Surroundings, read_surroundings, surroundings_questions

PROPERTIES: Final = {
    "manufacturer": "ro.product.manufacturer",
    "model": "ro.product.model",
    "device": "ro.product.device",
    "build": "ro.build.fingerprint",
    "android": "ro.build.version.release",
    "api": "ro.build.version.sdk",
    "build type": "ro.build.type",
    "debuggable": "ro.debuggable",
    "soc": "ro.soc.model",
    "hardware": "ro.hardware",
    "qemu": "ro.boot.qemu",
    "old qemu": "ro.kernel.qemu",
    "abi": "ro.product.cpu.abi",
    "booted": "sys.boot_completed",
    "traced": "init.svc.traced",
}
_PSI: Final = ("memory", "cpu", "io")
_CPUFREQ: Final = "/sys/devices/system/cpu/cpufreq"
_LRU_GEN: Final = "/sys/kernel/mm/lru_gen/enabled"
_THP: Final = "/sys/kernel/mm/transparent_hugepage/enabled"

#: Where ports of the compression thread put their switches; the shell expands what it may list.
_SWITCH_GLOBS: Final = (
    "/proc/sys/vm/*kcompress*",
    "/sys/module/*kcompress*/parameters/*",
    "/sys/module/*/parameters/*kcompress*",
    "/sys/block/zram*/*kcompress*",
    "/sys/kernel/mm/*kcompress*",
    "/sys/kernel/mm/*kcompress*/*",
    "/sys/kernel/mm/lru_marie/kcomp*",
    "/sys/block/zram*/comp_mode",
    "/proc/oplus_mem/kcompressd_debug*",
)


def read_facts(
    device: Device, events: Collection[str], *, unprivileged: Device | None = None
) -> DeviceFacts:
    """Read ``device``; ``unprivileged`` is the same phone without ``su``, if ``device`` uses it.

    LabError if it disconnects; whatever it refuses to show becomes a reason.
    """
    around = {} if device.emulated else surroundings_questions()
    first = ask_all(device, _first_questions() | around, deadline_s=60.0)
    root_dir = next((r for r in TRACEFS_ROOTS if first[f"tracefs {r}"].ok), None)
    policies = _words(first["policies"])
    switches = [path for path in _words(first["switches"]) if "*" not in path]
    second = ask_all(device, _second_questions(root_dir, events, policies, switches), deadline_s=60.0)
    uid = first["uid"].text
    plain = ask_all(unprivileged, _event_questions(root_dir, events)) if unprivileged else second
    properties = {key: first[f"property {key}"].text for key in PROPERTIES}
    emulator = phone_facts.emulator_of({PROPERTIES[key]: value for key, value in properties.items()})
    properties["emulator"] = emulator or ""
    packages = {line.removeprefix("package:") for line in first["packages"].text.splitlines()}
    manager = manager_of(packages)
    properties["root manager"] = manager or ""
    by_mode = unprivileged is None and uid == "0" and not device.emulated
    there = first["perfetto there"].ok
    recorder: Recorder | None = "perfetto" if there else None
    vmstat_keys = re.findall(r"^\S+", first["vmstat"].text, re.MULTILINE)
    disk = next((name for name in _words(first["disks"]) if name.startswith("zram")), None)
    return DeviceFacts(
        serial=device.serial,
        emulated=device.emulated,
        properties={key: value for key, value in properties.items() if value},
        release=first["release"].text,
        root=_root(
            uid, properties, su_used=unprivileged is not None, su_there=first["su"].ok or manager in HIDING
        ),
        perfetto=_perfetto(first, there=there),
        service=properties["traced"],
        recorder=recorder,
        tracefs=root_dir,
        kprobe_events=root_dir is not None and second["kprobe events"].ok,
        events={event: _access(event, second, plain, by_mode=by_mode) for event in sorted(events)},
        threads=thread_names(first["threads"].text),
        thread_cpu=_readable(first["schedstat"]),
        vmstat=frozenset(vmstat_keys) if first["vmstat"].ok else None,
        vmstat_why=_reason(first["vmstat"]),
        meminfo=_meminfo(first["meminfo"].text),
        psi={resource: _readable(first[f"psi {resource}"]) for resource in _PSI},
        swaps=_readable(first["swaps"]),
        zram_disk=disk,
        zram_size=_readable(first["zram size"]),
        zram_algorithm=_readable(first["zram algorithm"], selected_choice),
        zram_statistics=_readable(first["zram statistics"]),
        swappiness=_readable(first["swappiness"]),
        page_cluster=_readable(first["page-cluster"]),
        lru_gen=_hidden(first["lru_gen"], first["lru_gen listed"]),
        huge_pages=_readable(first["huge pages"], selected_choice),
        switches=tuple(_switch(path, second) for path in switches),
        clusters=tuple(_cluster(policy, second) for policy in policies),
        thermal_status=phone_state.parse_thermal_status(first["thermal"].text),
        hottest=_hottest(first["thermal"].text),
        battery=_battery(first["battery"].text),
        activity_manager=first["am"].ok,
        surroundings=Surroundings() if device.emulated else read_surroundings(first),
    )


def used_swap_kb(facts: DeviceFacts) -> int | None:
    """KiB in use on all swaps, None if not readable."""
    if facts.swaps.text is None:
        return None
    return sum(swap.used_kb for swap in parse_swaps(facts.swaps.text))


def _first_questions() -> dict[str, str]:
    questions = {f"property {key}": f"getprop {name}" for key, name in PROPERTIES.items()}
    questions |= {f"tracefs {root}": f"test -d {root}/events/sched" for root in TRACEFS_ROOTS}
    questions |= {f"psi {resource}": f"cat /proc/pressure/{resource}" for resource in _PSI}
    return questions | {
        "uid": "id -u",
        "release": "uname -r",
        "su": "command -v su",
        "perfetto there": "command -v perfetto",
        "perfetto": "perfetto --version",
        "packages": "pm list packages",
        "am": "command -v am",
        "threads": "cat /proc/[0-9]*/stat 2>/dev/null; true",
        "schedstat": "cat /proc/2/schedstat",
        "vmstat": "cat /proc/vmstat",
        "meminfo": "cat /proc/meminfo",
        "swaps": "cat /proc/swaps",
        "disks": "ls /sys/block",
        "zram size": "cat /sys/block/zram0/disksize",
        "zram algorithm": "cat /sys/block/zram0/comp_algorithm",
        "zram statistics": "cat /sys/block/zram0/mm_stat",
        "swappiness": "cat /proc/sys/vm/swappiness",
        "page-cluster": "cat /proc/sys/vm/page-cluster",
        "lru_gen": f"cat {_LRU_GEN}",
        "lru_gen listed": "ls /sys/kernel/mm",
        "huge pages": f"cat {_THP}",
        "switches": f"echo {' '.join(_SWITCH_GLOBS)}",
        "policies": f"ls {_CPUFREQ}",
        "thermal": phone_state.THERMAL_COMMAND,
        "battery": phone_state.BATTERY_COMMAND,
    }


def _second_questions(
    root: str | None, events: Collection[str], policies: Collection[str], switches: Collection[str]
) -> dict[str, str]:
    questions = _event_questions(root, events)
    if root:
        questions["kprobe events"] = f"test -w {root}/kprobe_events"
    for policy in policies:
        base = f"{_CPUFREQ}/{quote(policy)}"
        questions[f"cpus {policy}"] = f"cat {base}/related_cpus"
        questions[f"governor {policy}"] = f"cat {base}/scaling_governor"
        questions[f"min {policy}"] = f"cat {base}/scaling_min_freq"
        questions[f"max {policy}"] = f"cat {base}/scaling_max_freq"
    for path in switches:
        questions[f"value {path}"] = f"cat {quote(path)}"
        questions[f"writable {path}"] = f"test -w {quote(path)}"
        questions[f"mode {path}"] = f"stat -c %a {quote(path)}"
    return questions or {"nothing": "true"}


def _event_questions(root: str | None, events: Collection[str]) -> dict[str, str]:
    if root is None:
        return {"nothing": "true"}
    questions: dict[str, str] = {}
    for event in sorted(events):
        folder = f"{root}/events/{quote(event)}"
        questions[f"there {event}"] = f"test -d {folder}"
        questions[f"open {event}"] = f"test -w {folder}/enable"
        questions[f"mode {event}"] = f"stat -c %a {folder}/enable"
    return questions


def _access(
    event: str,
    as_asked: Mapping[str, Answer],
    plain: Mapping[str, Answer],
    *,
    by_mode: bool,
) -> EventAccess:
    there = as_asked.get(f"there {event}")
    if there is None or not there.ok:
        return "absent"
    if not by_mode:
        return "open" if plain[f"open {event}"].ok else "closed"
    # A root shell may write everything; Perfetto's service runs as user nobody and needs the mode.
    return "open" if _mode(as_asked[f"mode {event}"]) & 0o002 else "closed"


def _root(uid: str, properties: Mapping[str, str], *, su_used: bool, su_there: bool) -> RootLevel:
    if uid == "0":
        return "su" if su_used else "shell"
    if properties["debuggable"] == "1":
        return "adb root"
    return "su, not used" if su_there else "none"


def _perfetto(first: Mapping[str, Answer], *, there: bool) -> str | None:
    if not there:
        return None
    lines = first["perfetto"].text.splitlines()
    if first["perfetto"].ok and lines:
        return lines[0]
    # The option came with Android 12.
    return f"{OLD_PERFETTO} (it reports no version)"


def _readable(answer: Answer, parse: Callable[[str], str] = str) -> Readable:
    return Readable(parse(answer.text)) if answer.ok else Readable(None, _reason(answer))


def _hidden(answer: Answer, listing: Answer) -> Readable:
    """As `_readable`; the listing of its folder distinguishes a hidden file from a missing one."""
    if not answer.ok and listing.ok and "lru_gen" not in listing.text.split():
        return Readable(None, "this kernel has none")
    return _readable(answer)


def _reason(answer: Answer) -> str:
    """The end of a tool's error message, which is the kernel's own."""
    if answer.ok:
        return ""
    last = answer.text.strip().splitlines()[-1:] or [f"exit status {answer.exit_status}"]
    return last[0].rpartition(": ")[2]


def _words(answer: Answer) -> list[str]:
    return sorted(answer.text.split()) if answer.ok else []


def _meminfo(text: str) -> dict[str, int]:
    lines = (line.replace(":", " ").split() for line in text.splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) >= 2 and words[1].isdigit()}


def _switch(path: str, second: Mapping[str, Answer]) -> CompressionSwitch:
    """Root may write whatever the mode, but sysfs refuses a file without store (fs/kernfs/file.c)."""
    writable = second[f"writable {path}"].ok and bool(_mode(second[f"mode {path}"]) & 0o222)
    return CompressionSwitch(path, second[f"value {path}"].value, writable)


def _mode(answer: Answer) -> int:
    return int(answer.text, 8) if answer.ok and answer.text.isdigit() else 0


def _cluster(policy: str, second: Mapping[str, Answer]) -> CpuCluster:
    def khz(key: str) -> int | None:
        text = second[f"{key} {policy}"].value or ""
        return int(text) if text.isdigit() else None

    return CpuCluster(
        cpus=second[f"cpus {policy}"].value or "",
        governor=second[f"governor {policy}"].value or "",
        min_khz=khz("min"),
        max_khz=khz("max"),
    )


def _hottest(text: str) -> str | None:
    hottest = phone_state.parse_hottest(text)
    return f"{hottest[0]} {hottest[1]:.1f} C" if hottest else None


def _battery(text: str) -> str | None:
    battery = phone_state.parse_battery(text)
    if battery.percent is None:
        return None
    warm = "" if battery.celsius is None else f", {battery.celsius:.1f} C"
    return f"{battery.percent} %{warm}, {'on ' + battery.plugs[0] if battery.plugs else 'not plugged in'}"
