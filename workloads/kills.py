"""Processes that a phone killed during a cycle: which, why, and how much swap was free.

Three sources, joined by pid: lmkd's event ``killinfo`` (system/memory/lmkd: event.logtags, statslog.h;
Android 11 and newer), its log line ("Kill 'NAME' (PID), ...; reason: ...", lmkd.cpp), and the activity
manager's event ``am_kill`` (EventLogTags.logtags of frameworks/base). ``dumpsys activity exit-info``
(AppExitInfoTracker.java, API 30) covers processes that none of them names. A Perfetto trace adds the
marks that lmkd writes at each kill, in case its log is full or off.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self

from foundation.contract.device import Device, RemoteProcess

#: enum kill_reasons.
LMKD_REASONS: Final = (
    "pressure after kill",
    "not responding",
    "low swap and thrashing",
    "low memory and swap",
    "low memory and thrashing",
    "direct reclaim and thrashing",
    "low memory and swap utilisation",
    "low file cache after thrashing",
    "low memory",
    "direct reclaim stuck",
)
#: Fields of killinfo; they have been the first fourteen since Android 11.
_PID, _ADJ, _REASON, _SWAP_FREE_KB = 0, 2, 5, 13

_LINE: Final = re.compile(r"^\s*(\d+\.\d+)\s+\d+\s+\d+\s+\w\s+([\w.]+)\s*: (.*)$", re.MULTILINE)
_LMKD_LINE: Final = re.compile(
    r"Kill '(?P<name>[^']+)' \((?P<pid>\d+)\).*?oom_(?:score_)?adj (?P<adj>-?\d+)"
)
_LMKD_WHY: Final = re.compile(r"reason: (.*)$")
#: Figures in a reason, which differ from kill to kill.
_FIGURES: Final = re.compile(r"\s*\([^)]*\)")
_AM_RSS: Final = re.compile(r",\d+$")
#: A forced stop names the package and who asked (ActivityManagerService.java, forceStopPackageLocked).
_AM_STOP: Final = re.compile(r"^stop \S+( due to .*)?$")
_EXIT: Final = re.compile(
    r"\bpid=(?P<pid>\d+)\b.*?\breason=(?P<number>\d+) \((?P<reason>[^)]*\)?)\)", re.DOTALL
)
#: lmkd's marks (system/memory/lmkd: lmkd.cpp): a counter with the pid, 0 when it is done (Android 10 on),
#: and a text with pid, reason (-1: none) and oom_score_adj, as a slice or on a track (12 on).
_COUNTER_MARK: Final = re.compile(r"C\|\d+\|kill_one_process\|(\d+)")
_TEXT_MARK: Final = re.compile(r"[BIN]\|\d+\|(?:[^|]*\|)?lmk,(\d+),(-?\d+),(-?\d+)")
_NOT_REPORTED: Final = "lmkd: not reported"
_UNTOLD: Final = "not reported"
_TAGS: Final = ("am_kill:I", "killinfo:I", "lowmemorykiller:I")
#: Where the follower of the log writes: nothing passes over adb while a cycle is measured.
_FOLLOWED: Final = "/data/local/tmp/reclaim-suite-kills.log"
_LOGCAT: Final = ("logcat", "-b", "events", "-b", "main", "-v", "epoch")


@dataclass(frozen=True)
class Kill:
    """One killed process. ``t_s`` is the device's clock (Unix time); ``process`` is None if unknown.

    ``reason`` starts with its source: lmkd, activity manager, or exit info. ``swap_free_kb`` is what
    lmkd saw at the kill, None if lmkd did not kill it or did not report it.
    """

    t_s: float | None
    pid: int
    process: str | None
    adj: int | None
    reason: str
    swap_free_kb: int | None


@dataclass(frozen=True)
class KillMark:
    """A kill as lmkd marked it in a trace, CLOCK_BOOTTIME ns; None if the mark holds only the pid."""

    t_ns: int
    pid: int
    reason: int | None
    adj: int | None


@dataclass(frozen=True)
class Kills:
    """All processes that a phone killed while one cycle was measured.

    ``log_trouble`` is why some may be missing, or None. ``marked`` is how many of them lmkd marked in the
    trace; None: the trace does not show it.
    """

    killed: tuple[Kill, ...] = ()
    log_trouble: str | None = None
    marked: int | None = None

    def with_lost(self, device: Device, lost: Mapping[int, str]) -> Kills:
        """These and the processes ``lost`` (package by pid) that the log does not name.

        Their reasons come from ``dumpsys``.
        """
        logged = {kill.pid for kill in self.killed}
        added = [
            Kill(None, pid, package, None, exit_reasons(device, package).get(pid, _UNTOLD), None)
            for pid, package in lost.items()
            if pid not in logged
        ]
        return replace(self, killed=(*self.killed, *added))

    def with_marks(self, marks: Sequence[KillMark] | None) -> Kills:
        """These with the kills that lmkd marked in the trace; None: the trace cannot hold its marks."""
        if marks is None:
            return self
        killed = tuple(with_marks(self.killed, marks))
        return replace(self, killed=killed, marked=len({mark.pid for mark in marks}))

    def facts(self) -> dict[str, Any]:
        """The keys of ``rep.json``: kills by reason, and the free swap that lmkd saw at them."""
        return {
            "kills_by_reason": by_reason(self.killed),
            "swap_free_kb_at_kills": [
                kill.swap_free_kb for kill in self.killed if kill.swap_free_kb is not None
            ],
            "log_trouble": self.log_trouble,
            "kills_marked": self.marked,
        }

    def to_json_line(self) -> str:
        """The last line of ``workload.jsonl``, which lists each kill."""
        return json.dumps({"killed": [asdict(kill) for kill in self.killed]}) + "\n"

    def __str__(self) -> str:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in by_reason(self.killed).items())
        return f"{len(self.killed)} processes were killed: {reasons}"


class KillWatch:
    """Follows the phone's log from `start` to `stop`. Needs no root.

    As a context manager it follows it while the block runs. Side effects: one logcat process, and a file
    in /data/local/tmp, until `stop` or `cancel`.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._process: RemoteProcess | None = None
        self._since_s = 0.0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.cancel()

    def start(self) -> None:
        """Follow the log from now on; a running watch restarts."""
        self.cancel()
        self._since_s = float(self._device.shell(["date", "+%s"]).stdout)
        self._device.shell(["rm", "-f", _FOLLOWED])
        self._process = self._device.spawn([*_LOGCAT, "-f", _FOLLOWED, "-T", "1", *_TAGS, "*:S"])

    def cancel(self) -> None:
        """End the watch and discard what it saw."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()
            self._device.shell(["rm", "-f", _FOLLOWED])

    def stop(self) -> Kills:
        """End the watch, and return the kills since `start`."""
        process, self._process = self._process, None
        if process is None:
            return Kills()
        ended = process.poll()
        process.stop()
        followed = self._device.shell(["cat", _FOLLOWED], check=False, deadline_s=60.0)
        self._device.shell(["rm", "-f", _FOLLOWED])
        # The follower lags behind the log; the log's buffer may have lost its oldest lines. Read both.
        argv = [*_LOGCAT, "-d", "-T", f"{self._since_s:.3f}", *_TAGS, "*:S"]
        last = self._device.shell(argv, check=False, deadline_s=60.0)
        trouble = None
        if ended is not None:
            trouble = f"logcat ended by itself (exit status {ended}): kills may be missing"
        elif followed.exit_status != 0:
            trouble = f"{_FOLLOWED} cannot be read ({followed.stderr.strip()}): kills may be missing"
        elif last.exit_status != 0:
            trouble = f"logcat -d ended with exit status {last.exit_status}: the last kills may be missing"
        return Kills(tuple(parse_kills(f"{followed.stdout}\n{last.stdout}", self._since_s)), trouble)


def parse_kills(log: str, since_s: float) -> list[Kill]:
    """Kills in lines of ``logcat -v epoch`` since ``since_s``, one per pid, sorted by time."""
    kills: dict[int, Kill] = {}
    for time_text, tag, message in _LINE.findall(log):
        t_s = float(time_text)
        if t_s < since_s:
            continue
        kill = _of_line(tag, message, t_s)
        if kill is not None:
            earlier = kills.get(kill.pid)
            kills[kill.pid] = kill if earlier is None else _joined(earlier, kill)
    return sorted(kills.values(), key=lambda kill: kill.t_s or 0.0)


def _of_line(tag: str, message: str, t_s: float) -> Kill | None:
    parse = {"killinfo": _killinfo, "am_kill": _am_kill, "lowmemorykiller": _lmkd_line}.get(tag)
    try:
        return parse(message, t_s) if parse else None
    except (ValueError, IndexError):
        return None


def _killinfo(message: str, t_s: float) -> Kill:
    fields = message.strip("[] ").split(",")
    swap = int(fields[_SWAP_FREE_KB])
    return Kill(t_s, int(fields[_PID]), None, int(fields[_ADJ]), _reason(int(fields[_REASON])), swap)


def _reason(number: int) -> str:
    known = 0 <= number < len(LMKD_REASONS)
    return f"lmkd: {LMKD_REASONS[number] if known else f'reason {number}'}"


def _am_kill(message: str, t_s: float) -> Kill:
    _, pid, process, adj, reason = message.strip("[] ").split(",", 4)
    why = _AM_STOP.sub("force stop", _AM_RSS.sub("", reason))
    return Kill(t_s, int(pid), process, int(adj), f"activity manager: {why}", None)


def _lmkd_line(message: str, t_s: float) -> Kill | None:
    found, why = _LMKD_LINE.search(message), _LMKD_WHY.search(message)
    if found is None:
        return None
    reason = _FIGURES.sub("", why[1]) if why else "not reported"
    return Kill(t_s, int(found["pid"]), found["name"], int(found["adj"]), f"lmkd: {reason}", None)


def _joined(one: Kill, other: Kill) -> Kill:
    """One kill from two sources: the reason is killinfo's, else lmkd's, else the first."""
    best, second = sorted((one, other), key=lambda k: (k.swap_free_kb is None, not _by_lmkd(k)))
    return replace(best, process=best.process or second.process, t_s=min(one.t_s or 0, other.t_s or 0))


def exit_reasons(device: Device, package: str) -> Mapping[int, str]:
    """Why a package's processes ended, by pid; empty before Android 11."""
    answer = device.shell(["dumpsys", "activity", "exit-info", package], check=False, deadline_s=60.0)
    return parse_exit_info(answer.stdout)


def parse_exit_info(text: str) -> dict[int, str]:
    """Reasons by pid; versions differ in how many keys stand on a line."""
    reasons: dict[int, str] = {}
    for record in re.split(r"ApplicationExitInfo #\d+:", text)[1:]:
        match = _EXIT.search(record)
        if match is not None:
            reason = match["reason"]
            balanced = reason if reason.count("(") == reason.count(")") else reason.rstrip(")")
            reasons.setdefault(int(match["pid"]), f"exit info: {balanced}")
    return reasons


def by_reason(kills: Iterable[Kill]) -> dict[str, int]:
    """The number of kills by reason, sorted by reason."""
    return dict(sorted(Counter(kill.reason for kill in kills).items()))


def parse_mark(text: str, t_ns: int) -> KillMark | None:
    """The kill that a line written into the trace marks, if it is lmkd's."""
    if found := _TEXT_MARK.match(text):
        pid, reason, adj = map(int, found.groups())
        return KillMark(t_ns, pid, reason if reason >= 0 else None, adj)
    found = _COUNTER_MARK.match(text)
    return KillMark(t_ns, int(found[1]), None, None) if found is not None and found[1] != "0" else None


def with_marks(kills: Sequence[Kill], marks: Iterable[KillMark]) -> list[Kill]:
    """``kills`` plus those that only the trace shows; a kill that lmkd marked counts as lmkd's."""
    joined = {kill.pid: kill for kill in kills}
    # Of two marks of one kill, the one with a reason comes last.
    for mark in sorted(marks, key=lambda mark: mark.reason is not None):
        kill = joined.get(mark.pid, Kill(None, mark.pid, None, mark.adj, _NOT_REPORTED, None))
        if mark.reason is not None and (kill.reason == _NOT_REPORTED or not _by_lmkd(kill)):
            kill = replace(kill, reason=_reason(mark.reason), adj=mark.adj)
        elif not _by_lmkd(kill):
            kill = replace(kill, reason=_NOT_REPORTED)
        joined[mark.pid] = kill
    return list(joined.values())


def _by_lmkd(kill: Kill) -> bool:
    return kill.reason.startswith("lmkd")
