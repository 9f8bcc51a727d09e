"""Installed apps of the fake phone: how they start, what is done in them, and how they are killed.

Shapes, of frameworks/base: ActivityManagerShellCommand.java (start -W; LaunchState since Android 10),
PackageManagerShellCommand.java (list packages --show-versioncode, resolve-activity --brief,
query-activities), ResolveInfo.java, ActivityInfo.java and ComponentInfo.java (dump: an activity's
processName only where it is not the package, the application's always), WindowManagerShellCommand.java
(size); logcat -v epoch (liblog, logprint.cpp); event.logtags of lmkd and EventLogTags.logtags.

What phones do besides: an activity may run in a process of another name (Google's search app in
``:search``, next to ``:googleapp`` and ``:interactor``), and pidof compares whole names
(landley/toybox lib/lib.c, names_to_pid); with several launcher activities resolve-activity names
ResolverActivity (bytedance/btrace, pull request 169); am reports ``UNKNOWN (0)`` now and then and for
whole stretches, on some vendors' phones without a TotalTime; it was seen to wait for 36 s, and for 105 s
before ``Status: timeout``; broadcasts start a process again after it was stopped or killed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.stand_ins.device.android.state import Exit
from tests.stand_ins.device.tree import Attribute

if TYPE_CHECKING:
    from tests.stand_ins.device.android.phone import AndroidPhone
    from tests.stand_ins.device.tree_shell import Call


#: How long am start -W waited, at most, before it gave up.
_TIMEOUT_S: Final = 105.0


@dataclass
class Apps:
    """Put on a phone with `install`, after `Controls`.

    ``activities`` maps packages to their launcher activity (None: none). Each start takes 100 ms
    of ``clock_s`` (Unix time) and of the uptime. ``kills`` is what happens at the start whose
    number it maps: packages that are killed before it. ``inputs`` are the commands of input. With
    ``lag`` whoever follows the log is told nothing until it is ended.

    ``launchers`` are further launcher activities of a package, ``processes`` the suffixes of its
    processes, of which the first has the activity. ``unknown`` are the numbers of starts that am reports
    as UNKNOWN, without a TotalTime if it maps to False. ``waits_s`` are starts that take so long, those
    of 105 s and more without being drawn. ``restarts`` are packages that a broadcast starts again
    when they were stopped or killed.
    """

    phone: AndroidPhone
    activities: dict[str, str | None]
    clock_s: float = 1_700_000_000.0
    kills: dict[int, list[str]] = field(default_factory=dict)
    logs: bool = True
    lag: bool = False
    inputs: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    starts: int = 0
    swapped: int = 0
    launchers: dict[str, list[str]] = field(default_factory=dict)
    processes: dict[str, list[str]] = field(default_factory=dict)
    unknown: dict[int, bool] = field(default_factory=dict)
    waits_s: dict[int, float] = field(default_factory=dict)
    restarts: set[str] = field(default_factory=set)
    _drawn: set[int] = field(default_factory=set)
    _pids: Iterator[int] = field(default_factory=lambda: itertools.count(12001))

    def install(self) -> Apps:
        phone = self.phone
        self._before = {name: phone.programs[name] for name in ("am", "cmd", "pm", "input")}
        phone.state.packages |= {name: activity or "" for name, activity in self.activities.items()}
        phone.programs |= {
            "am": self._am,
            "cmd": self._cmd,
            "date": lambda call: self._say(call, f"{int(self.clock_s)}\n"),
            "input": self._input,
            "logcat": self._logcat,
            "pm": self._pm,
            "read": lambda call: 0,
            "wm": lambda call: self._say(call, "Physical size: 1080x2400\nOverride size: 540x1200\n"),
        }
        phone.files.put("/proc/vmstat", Attribute(lambda: f"pgpgin 1\npswpout {self.swapped}"))
        return self

    @staticmethod
    def _say(call: Call, text: str) -> int:
        call.io.out(text.encode())
        return 0

    def kill(self, package: str, *, by_lmkd: bool = True) -> None:
        """lmkd kills it, or it ends for an unknown reason."""
        process = self._names(package)[0]
        pid = self.phone.state.running.pop(process)
        self._broadcast(package)
        when = f"{self.clock_s:.3f}"
        if by_lmkd and self.logs:
            fields = [pid, 10123, 905, 900, 184320, 3, *range(1000, 1007), 20480, *([1] * 19)]
            text = ",".join(map(str, fields))
            self.lines += [
                f"         {when}   612   612 I lowmemorykiller: Kill '{process}' ({pid}), uid 10123,"
                " oom_score_adj 905 to free 184320kB rss, 0kB swap; reason: low watermark is breached"
                " and swap is low (20480kB < 306kB)",
                f"         {when}   612   612 I killinfo: [{text}]",
            ]
        else:
            self.phone.state.exits.append(
                Exit(package, pid, reason=3, importance=400, when="2026-01-01 00:00:00.000")
            )

    def _names(self, package: str) -> list[str]:
        """The names of its processes; the activity is in the first."""
        return [f"{package}{suffix}" for suffix in self.processes.get(package, [""])]

    def _broadcast(self, package: str) -> None:
        """Start it again, without an activity."""
        if package in self.restarts:
            self.phone.state.running[self._names(package)[0]] = next(self._pids)

    def _am(self, call: Call) -> int:
        if call.argv[1] == "force-stop":
            status = self._before["am"](call)
            self._broadcast(call.argv[-1])
            return status
        if call.argv[1] != "start" or "-n" not in call.argv:
            self.inputs.append(" ".join(call.argv))
            return 0 if "-d" in call.argv else self._before["am"](call)
        for package in self.kills.get(self.starts, ()):
            self.kill(package, by_lmkd=package.endswith("a"))
        self.starts += 1
        self.swapped += 100
        component = call.argv[call.argv.index("-n") + 1]
        package, _, activity = component.partition("/")
        if activity not in (self.activities.get(package), *self.launchers.get(package, ())):
            call.io.fail(f"Error: Activity class {{{component}}} does not exist.")
            return 1
        running = self.phone.state.running
        pid = running.get(self._names(package)[0])
        state = "COLD" if pid is None else "HOT" if pid in self._drawn else "WARM"
        for name in self._names(package):
            if name not in running:
                running[name] = next(self._pids)
        took_s = self.waits_s.get(self.starts, 0.1)
        self.clock_s += took_s
        self.phone.uptime_s += took_s
        late = took_s >= _TIMEOUT_S
        if late or self.starts in self.unknown:
            state = "UNKNOWN (0)"
        if not late:
            self._drawn.add(running[self._names(package)[0]])
        timed = not late and self.unknown.get(self.starts, True)
        version = f"LaunchState: {state}\n" if self.phone.android.api >= 29 else ""
        text = (
            f"Status: {'timeout' if late else 'ok'}\n{version}Activity: {component}\n"
            + ("TotalTime: 62\n" if timed else "")
            + f"WaitTime: {round(took_s * 1000) - 29}\nComplete\n"
        )
        return self._say(call, f"Starting: Intent {{ cmp={component} }}\n{text}")

    def _cmd(self, call: Call) -> int:
        if call.argv[1:3] not in (["package", "resolve-activity"], ["package", "query-activities"]):
            return self._before["cmd"](call)
        package = call.argv[-1]
        first = self.activities.get(package)
        every = [] if first is None else [first, *self.launchers.get(package, ())]
        head = "priority=0 preferredOrder=0 match=0x108000 specificIndex=-1 isDefault=true"
        if call.argv[2] == "query-activities":
            if not every:
                return self._say(call, "No activities found\n")
            shown = "".join(
                f"  Activity #{number}:\n    {head}\n{self._activity_info(package, activity)}"
                for number, activity in enumerate(every)
            )
            return self._say(call, f"{len(every)} activities found:\n{shown}")
        if not every:
            return self._say(call, "No activity found\n")
        one = (
            f"{package}/{first}" if len(every) == 1 else "android/com.android.internal.app.ResolverActivity"
        )
        return self._say(call, f"{head}\n{one}\n")

    def _activity_info(self, package: str, activity: str) -> str:
        """Most lines of the dump are left out; each activity holds its application."""
        name = f"{package}{activity}" if activity.startswith(".") else activity
        process = self._names(package)[0]
        own = f"      processName={process}\n" if process != package else ""
        return (
            f"    ActivityInfo:\n      name={name}\n      packageName={package}\n{own}"
            "      enabled=true exported=true directBootAware=false\n      resizeMode=RESIZEABLE\n"
            f"      ApplicationInfo:\n        name=com.example.Application\n        packageName={package}\n"
            f"        processName={package}\n        uid=10123 flags=0x3 privateFlags=0x0 theme=0x0\n"
        )

    def _pm(self, call: Call) -> int:
        if call.argv[1:] == ["list", "packages", "--show-versioncode"]:
            return self._say(call, "".join(f"package:{name} versionCode:42\n" for name in self.activities))
        return self._before["pm"](call)

    def _input(self, call: Call) -> int:
        self.inputs.append(" ".join(call.argv))
        return self._before["input"](call)

    def _logcat(self, call: Call) -> int:
        """Follows the log until it is ended, from the last line on, into the file after ``-f``.

        ``-d`` only prints it.
        """
        if "-d" in call.argv:
            return self._say(call, "".join(f"{line}\n" for line in self.lines))
        path = call.argv[call.argv.index("-f") + 1]
        old = "         1600000000.000  1432  1561 I am_kill : [0,77,com.old,905,stale,1]"
        text = f"--------- beginning of events\n{old}\n"
        self.phone.files.put(path, text)
        while not self.lag:
            self.phone.files.put(path, text + "".join(f"{line}\n" for line in self.lines))
            call.process.wait(0.01)
        call.process.wait(None)
        return 0
