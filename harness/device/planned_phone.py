"""The phone of a dry run: a table of commands with their answers, and files that keep what was written.

A value that only a real phone knows reads as ``<its value>``; where the suite needs a number it is one
of `_NUMBERS`, which `shown` turns into words. A command outside the table counts as a change.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from foundation.contract.batch import answers_text, questions_in

BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"
ITS_VALUE: Final = "<its value>"
YOUR_SRCVERSION: Final = "YOUR_SRCVERSION"
_OWN: Final = "reclaim-suite"
_HUGE: Final = "/sys/kernel/mm/transparent_hugepage/hugepages-"
PID: Final = "99991"
_NUMBERS: Final = {
    "99990": "<N>",
    PID: "<pid>",
    "99992": "<kHz>",
    "99988": "<its priority>",
    "99989": "<its lowest kHz>",
    "99998": "<its highest kHz>",
    "99994": "<second>",
    "99995": "<its bytes>",
    "99996": "<KiB>",
    "99997": "<page bytes>",
    "12347": "<KiB>",
    "24694": "<KiB>",
    "ITS_ACTIVITY": "<its activity>",
    "ITS_ALGORITHM": "<its algorithm>",
    "ITS_SRCVERSION": "<its srcversion>",
    "ITS_FOLDER": "<its folder>",
    "its_zram": "<its zram>",
}
_NUMBER: Final = re.compile(rf"(?<!\d)({'|'.join(_NUMBERS)})(?!\d)")
_DRAWN: Final = re.compile(r"(?<=eclaim-suite-)[0-9a-f]{8}(?=[.'])")
#: A command of a shell text, or an operator between two; not inside quotes.
_PART: Final = re.compile(
    r"\s*(?P<operator>&&|\|\||[;\n])\s*|(?:'[^']*'|\"[^\"]*\"|\\.|&(?!&)|\|(?!\|)|[^'\"&|;\n])+"
)
_WRITE: Final = re.compile(r"(?:echo(?: (?P<text>.*?))?|cat) (?P<how>>>?) (?P<path>\S+)", re.DOTALL)
_TO_FILE: Final = re.compile(r"(?P<command>.+) (?P<how>>>?) (?P<path>\S+)", re.DOTALL)
_LAUNCH: Final = re.compile(r"read up rest .*am start -W -n '?(?P<package>[\w.]+)/.*", re.DOTALL)
#: The end of a group whose output goes to a file.
_GROUP_END: Final = re.compile(r"\} > (?P<path>\S+) 2>&1")
_QUIET: Final = re.compile(r" 2>(&1|/dev/null)")

Answer = tuple[int, str]
#: What a program of the suite prints, by its words.
Program = Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class Traits:
    """Traits of the phone. ``perfetto`` "waits": that of Android 13 or newer; "old": without
    ``--version``. ``unset``: Android's settings have no values. ``kills``: the first app that is started
    for the third time, in a repetition, was killed before. ``lacks``: files that `test -e` does not
    find."""

    api: int = 34
    root: bool = True
    perfetto: Literal["waits", "versions", "old"] = "waits"
    unset: bool = False
    kills: bool = False
    lacks: frozenset[str] = frozenset()
    charging: bool = True
    battery_percent: int = 100


class PlannedPhone:
    """A phone with the suite's ``programs``, by name, and the installed ``packages``.

    ``tested`` are the files that `test -e` was asked for, in order.
    """

    def __init__(self, traits: Traits, programs: Mapping[str, Program], packages: Sequence[str]) -> None:
        self.traits = traits
        self.tested: list[str] = []
        self._programs = programs
        self._packages = packages
        self._table = [(re.compile(pattern, re.DOTALL), reply) for pattern, reply in self._replies()]
        self._ticks = 0
        self._boots = 0
        self.restart()

    def restart(self) -> None:
        """Reset everything that a reboot resets."""
        self._boots += 1
        self._files: dict[str, str] = {}
        self._made: set[str] = set()
        self._settings: dict[str, str] = {}
        self._state = dict.fromkeys(("awake", "airplane", "traced", "recording"), "")
        self._state |= {"zram": "99988", "idle": "1", "dexopt": "1", "modules": "ITS_SRCVERSION"}
        self._state["killed"] = "1" if self.traits.kills else ""
        self._pids: dict[str, str] = {}
        self._starts: dict[str, int] = {}

    def run(self, text: str, stdin: bytes | None = None) -> Answer:
        """Run a shell text; its exit status and standard output."""
        if questions := questions_in(text):
            return 0, answers_text([self.run(question) for question in questions])
        if launch := _LAUNCH.fullmatch(text):
            return 0, self._launch(launch["package"])
        if "{" in (lines := text.splitlines()):
            return self._order(lines)
        status, printed, operator = 0, "", ""
        for match in _PART.finditer(text):
            if match["operator"]:
                operator = match["operator"]
            elif not (operator == "&&" and status) and not (operator == "||" and not status):
                status, output = self._command(match[0].strip(), stdin)
                printed += output
        return status, printed

    def _order(self, lines: Sequence[str]) -> Answer:
        """Run an order line by line; what lines between ``{`` and ``}`` print goes to a file."""
        printed = before = ""
        for line in lines:
            if line == "{":
                before, printed = printed, ""
            elif group := _GROUP_END.fullmatch(line):
                self.holds(group["path"], printed)
                printed = before
            else:
                printed += self.run(line.removeprefix("( "))[1]
        return 0, printed

    def holds(self, path: str, text: str) -> None:
        """Note that a file now holds ``text``, which a program or an order wrote."""
        self._files[path] = text.removesuffix("\n")
        self.made(path)

    def reads_only(self, line: str) -> bool:
        """Whether every command of ``line`` is known to change nothing."""
        if _LAUNCH.fullmatch(line):
            return False
        parts = [match[0].strip() for match in _PART.finditer(line) if not match["operator"]]
        return all(_READING.fullmatch(_QUIET.sub("", part)) for part in parts if part)

    def made(self, path: str) -> None:
        """Note that a file now exists: pushed, or made by a program."""
        self._made.add(path)

    def _command(self, command: str, stdin: bytes | None) -> Answer:
        command = _QUIET.sub("", command).removeprefix("( ")
        if write := _WRITE.fullmatch(command):
            text = _plain(write["text"] or "") if command.startswith("echo") else (stdin or b"").decode()
            self._write(write["path"], text, append=write["how"] == ">>")
            return 0, ""
        for pattern, reply in self._table:
            if m := pattern.fullmatch(command):
                answer = reply(m)
                return answer if isinstance(answer, tuple) else (0, f"{answer}\n" if answer else "")
        if to_file := _TO_FILE.fullmatch(command):
            status, printed = self._command(to_file["command"], stdin)
            self._write(to_file["path"], printed.rstrip("\n"), append=to_file["how"] == ">>")
            return status, ""
        words = command.split()
        program = self._programs.get(words[0].rpartition("/")[2]) if words else None
        if program is None:
            return 0, ""
        if words[-2:-1] == [">>"]:
            self._write(words[-1], program(words[:-2]), append=True)
            return 0, ""
        return 0, program(words)

    def _replies(self) -> list[tuple[str, Callable[[re.Match[str]], str | Answer]]]:
        traits = self.traits
        version = "Perfetto v50.1 (0)" if traits.perfetto in ("waits", "versions") else ""
        battery = (
            f"  level: {traits.battery_percent}\n  temperature: 200\n"
            f"  status: {2 if traits.charging else 3}\n  USB powered: true"
        )
        packages = [f"package:{name} versionCode:99990" for name in self._packages]
        usage = "--background --background-wait" if traits.perfetto == "waits" else "--background"
        return [
            (r"\(|\)|exit\b.*|order_status=.*|set -e|true|sleep \d+|chmod .*|mkswap .*", lambda m: ""),
            (r"cat (?P<path>\S+)", lambda m: self._read(m["path"])),
            (r"(?P<no>\[ ! |\[ |test )-(?P<how>[a-z]) (?P<path>\S+)( \])?", self._test),
            (r"mkdir (-p )?(?P<path>\S+)", lambda m: self._make(m["path"])),
            (r"(rm -r?f|rmdir) (?P<path>\S+)", lambda m: self._gone(m["path"])),
            (r"echo (?P<event>\S+/\S+) \$\(cat .*", lambda m: f"{m['event']} 1"),
            (r"echo \$\(stat .*", lambda m: "666 u:object_r:debugfs_tracing:s0"),
            (r"echo (?P<text>.*)", lambda m: _plain(m["text"])),
            (r"getconf PAGESIZE", lambda m: "99997"),
            (r"id -u", lambda m: "0" if traits.root else "2000"),
            (r"uname -m", lambda m: "aarch64"),
            (r"date \+%s", lambda m: "99994"),
            (r"wm size", lambda m: "Physical size: 1000x1000"),
            (r"getprop", lambda m: ""),
            (r"getprop '?(?P<name>[\w.]+)'?", lambda m: self._property(m["name"])),
            (r"setprop \S+ (?P<value>\S+)", lambda m: self._set("traced", m["value"])),
            (r"(settings|device_config) get (?P<key>\S+ \S+)", lambda m: self._setting(m["key"])),
            (
                r"(settings|device_config) put (?P<key>\S+ \S+) (?P<v>.*)",
                lambda m: self._put(m["key"], _plain(m["v"])),
            ),
            (r"(settings|device_config) delete (?P<key>\S+ \S+)", lambda m: self._put(m["key"], "null")),
            (r"dumpsys power", lambda m: f"mWakefulness={self._state['awake'] or 'Asleep'}"),
            (r"input keyevent 224", lambda m: self._set("awake", "Awake")),
            (r"input keyevent 223", lambda m: self._set("awake", "")),
            (r"cmd connectivity airplane-mode", lambda m: self._state["airplane"] or "disabled"),
            (r"cmd connectivity airplane-mode (?P<v>\w+)", lambda m: self._set("airplane", f"{m['v']}d")),
            (r"dumpsys deviceidle enabled", lambda m: self._state["idle"]),
            (r"dumpsys deviceidle enable", lambda m: self._set("idle", "1")),
            (r"dumpsys deviceidle disable", lambda m: self._set("idle", "0")),
            (r"cmd jobscheduler get-job.*", lambda m: "waiting" if self._state["dexopt"] else "unknown"),
            (r"pm bg-dexopt-job --enable", lambda m: self._set("dexopt", "1")),
            (r"pm bg-dexopt-job --disable", lambda m: self._set("dexopt", "")),
            (r"dumpsys thermalservice", lambda m: "Thermal Status: 0"),
            (r"dumpsys battery", lambda m: battery),
            (r"pidof .*", lambda m: (1, "")),
            (r"swapoff .*", lambda m: self._set("zram", "off")),
            (r"swapon -p (?P<priority>\S+) .*", lambda m: self._set("zram", m["priority"])),
            (r"swapon .*", lambda m: self._set("zram", "-2")),
            (r"insmod (?P<path>\S+)( .*)?", self._insmod),
            (r"ls /sys/block", lambda m: "zram0"),
            (r"pm list packages.*", lambda m: "\n".join(packages)),
            (
                r"cmd package query-activities .* (?P<name>\S+)",
                lambda m: f"ActivityInfo:\nname=ITS_ACTIVITY\npackageName={m['name']}",
            ),
            (r"am force-stop (?P<name>\S+)", lambda m: self._pids.pop(m["name"], "") and ""),
            (r"ls /sys/devices/system/cpu/cpufreq", lambda m: "policy99990"),
            (r"ls -d \S*/hugepages-\S*", lambda m: f"{_HUGE}16kB/enabled"),
            (r"ls -d .*", lambda m: "/sys/devices/system/cpu/cpufreq/policy99990/scaling_max_freq"),
            (
                r"grep -E ' \[tT\] \((?P<names>[^)]*)\).*",
                lambda m: "\n".join(f"ff T {name}" for name in m["names"].split("|")),
            ),
            (r"perfetto --version", lambda m: (int(not version), version)),
            (r"perfetto --help", lambda m: usage),
            (r"perfetto -c - .* -o (?P<path>\S+) .*", self._record),
            (r"kill -TERM \d+", lambda m: self._set("recording", "")),
            (r"stat -c %s .*", lambda m: "0"),
            (r"sha256sum .*", lambda m: hashlib.sha256().hexdigest()),
        ]

    def _read(self, path: str) -> str | Answer:
        path = path.strip("'").replace("hugepages-*kB", "hugepages-16kB")
        if path in self._files and not path.endswith("/trace_clock"):
            return self._files[path]
        if path == "/proc/vmstat" or path == "/proc/stat":
            # It swaps out, and no CPU is idle.
            self._ticks += 1000
            row = f"{self._ticks} 0 0 0 0 0 0 0 0 0"
            return f"pswpout {self._ticks}" if path == "/proc/vmstat" else f"cpu0 {row}"
        if path == f"/proc/{PID}/comm":
            return "perfetto" if self._state["recording"] else (1, "")
        if path == "/proc/swaps":
            zram = self._state["zram"]
            rows = [] if zram == "off" else [f"/dev/block/zram0 partition 99 0 {zram}"]
            return "\n".join(["Filename Type Size Used Priority", *rows])
        if path.startswith("/sys/module/") and path.endswith("/srcversion"):
            return self._state["modules"]
        if path.endswith("/comp_mode"):
            # MediaTek's alone.
            return (1, "")
        if path == BOOT_ID:
            return f"boot-{self._boots}"
        return next((text for end, text in _FILES.items() if path.endswith(end)), ITS_VALUE)

    def _write(self, path: str, text: str, *, append: bool) -> None:
        path = path.strip("'")
        lines = self._read(path) if append and path in self._files else ""
        kept = [line for line in str(lines).splitlines() if append]
        if text.startswith("-:"):
            # kprobe_events: removes what an earlier line has added.
            kept = [line for line in kept if f":{text[2:]} " not in line]
        elif text or not append:
            kept.append(text)
        self._files[path] = "\n".join(kept)
        self.made(path)

    def _test(self, m: re.Match[str]) -> Answer:
        path = m["path"].strip("'")
        own = _OWN in path and "/events/" not in path
        exists = path in self._made if own else path not in self.traits.lacks
        if m["how"] == "e" and _OWN not in path:
            self.tested.append(path)
        return int(exists == ("!" in m["no"])), ""

    def _make(self, path: str) -> str:
        self.made(path)
        return ""

    def _gone(self, path: str) -> str:
        def goes(name: str) -> bool:
            return name == path or name.startswith(f"{path}/")

        self._made = {made for made in self._made if not goes(made)}
        self._files = {name: text for name, text in self._files.items() if not goes(name)}
        return ""

    def _set(self, key: str, value: str) -> str:
        self._state[key] = value
        return ""

    def _record(self, m: re.Match[str]) -> str:
        self.made(m["path"])
        self._state["recording"] = "1"
        return PID

    def _insmod(self, m: re.Match[str]) -> str:
        self._files["/sys/block/zram0/disksize"] = "0"
        return self._set("modules", YOUR_SRCVERSION if _OWN in m["path"] else "ITS_SRCVERSION")

    def _setting(self, key: str) -> str:
        return self._settings.get(key, "null" if self.traits.unset else ITS_VALUE)

    def _put(self, key: str, value: str) -> str:
        self._settings[key] = value
        return ""

    def _property(self, name: str) -> str:
        values = {
            "ro.build.version.sdk": str(self.traits.api),
            "sys.boot_completed": "1",
            "ro.debuggable": "1",
            "init.svc.traced": "running" if self.traits.api >= 30 or self._state["traced"] == "1" else "",
            "persist.traced.enable": self._state["traced"],
            "suite.module_error": "",
        }
        return values.get(name, ITS_VALUE)

    def _launch(self, package: str) -> str:
        before = self._pids.get(package, "")
        self._starts[package] = self._starts.get(package, 0) + 1
        if before and self._state["killed"] and self._starts[package] > 2:
            before = self._state["killed"] = ""
        self._pids[package] = after = before or str(len(self._pids) + 1000 + self._ticks)
        self._ticks += 100
        state = "HOT" if before else "COLD"
        printed = f"Status: ok\nLaunchState: {state}\nTotalTime: 1\nstatus 0"
        return f"before 1.00 {before}\n{printed}\nafter 1.00 {after}\n"


#: Files by the end of their path, if their value decides what the suite does.
_FILES: Final = {
    "/proc/uptime": "1.00 1.00",
    "/cpu/present": "0",
    "/proc/meminfo": "MemTotal: 205784 kB",
    "/proc/modules": "its_zram 1 0 - Live 0x0\nzsmalloc 1 1 its_zram, Live 0x0",
    "/proc/[0-9]*/stat": "",
    "/scaling_governor": "<its-governor>",
    "/scaling_min_freq": "99989",
    "/scaling_max_freq": "99998",
    "/scaling_available_frequencies": "99992",
    "/cpuinfo_max_freq": "99992",
    "/time_in_state": "99992 1",
    "/zram0/disksize": "99995",
    "/zram0/comp_algorithm": "ITS_ALGORITHM",
    "/zram0/backing_dev": "none",
    "/zram0/recomp_algorithm": "",
    "/zram0/mm_stat": "0 0 0 0 0 0 0 0 0",
    "/zram0/writeback_limit_enable": "0",
    "/hugepages-16kB/enabled": "always [inherit] madvise never",
    "/trace_clock": "local [boot]",
    "/buffer_size_kb": "7 (expanded: 99996)",
    "/kprobe_events": "",
    "/kprobe_profile": "",
    "/tracing_on": "1",
}

#: Commands that change nothing, whatever their arguments.
_READING: Final = re.compile(
    r"(\[|cat|date|df|dmesg|echo|getconf|getprop|grep|id|ls|od|pidof|pgrep|printf|set -e|sha256sum|stat"
    r"|test|true|uname|wm size|pm list|settings get|getenforce|perfetto --\w+|dumpsys (battery|content"
    r"|power|thermalservice|activity exit-info|package|deviceidle enabled)|cmd package query-activities"
    r"|cmd jobscheduler get-job-state|cmd connectivity airplane-mode$|device_config (get|list))(\s(?!>)"
    r"((?! >).)*)?",
    re.DOTALL,
)


def shown(text: str) -> str:
    """``text`` as a dry run prints it: values of the phone and random names become words."""
    return _DRAWN.sub("<number>", _NUMBER.sub(lambda m: _NUMBERS[m[1]], text))


def lines_of(text: str) -> list[str]:
    """The lines of a shell text, or the questions of an `ask_all`; not those that only open a group."""
    lines = questions_in(text) or text.splitlines()
    return [line.strip().removesuffix("&&").strip() for line in lines if line.strip(" (){}")]


def _plain(text: str) -> str:
    """Shell words without the quoting of `quote`."""
    return re.sub(r"'([^']*)'|\\(.)", lambda m: m[1] if m[1] is not None else m[2], text)
