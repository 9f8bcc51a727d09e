"""Installed apps of the fake phone: how they start, what is done in them, and how they are killed.

Shapes, of frameworks/base: ActivityManagerShellCommand.java (start -W; LaunchState since Android 10),
PackageManagerShellCommand.java (list packages --show-versioncode, resolve-activity --brief),
WindowManagerShellCommand.java (size); logcat -v epoch (liblog, logprint.cpp); event.logtags of lmkd and
EventLogTags.logtags.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.stand_ins.device.android.state import Exit
from tests.stand_ins.device.tree import Attribute

if TYPE_CHECKING:
    from tests.stand_ins.device.android.phone import AndroidPhone
    from tests.stand_ins.device.tree_shell import Call


@dataclass
class Apps:
    """Put on a phone with `install`, after `Controls`.

    ``activities`` maps packages to their launcher activity (None: none). Each start takes 100 ms
    of ``clock_s`` (Unix time) and of the uptime. ``kills`` is what happens at the start whose
    number it maps: packages that are killed before it. ``inputs`` are the commands of input. With
    ``lag`` whoever follows the log is told nothing until it is ended.
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
        pid = self.phone.state.running.pop(package)
        when = f"{self.clock_s:.3f}"
        if by_lmkd and self.logs:
            fields = [pid, 10123, 905, 900, 184320, 3, *range(1000, 1007), 20480, *([1] * 19)]
            text = ",".join(map(str, fields))
            self.lines += [
                f"         {when}   612   612 I lowmemorykiller: Kill '{package}' ({pid}), uid 10123,"
                " oom_score_adj 905 to free 184320kB rss, 0kB swap; reason: low watermark is breached"
                " and swap is low (20480kB < 306kB)",
                f"         {when}   612   612 I killinfo: [{text}]",
            ]
        else:
            self.phone.state.exits.append(
                Exit(package, pid, reason=3, importance=400, when="2026-01-01 00:00:00.000")
            )

    def _am(self, call: Call) -> int:
        if call.argv[1] != "start" or "-n" not in call.argv:
            self.inputs.append(" ".join(call.argv))
            return 0 if "-d" in call.argv else self._before["am"](call)
        for package in self.kills.get(self.starts, ()):
            self.kill(package, by_lmkd=package.endswith("a"))
        self.starts += 1
        self.swapped += 100
        component = call.argv[call.argv.index("-n") + 1]
        package, _, activity = component.partition("/")
        if self.activities.get(package) != activity:
            call.io.fail(f"Error: Activity class {{{component}}} does not exist.")
            return 1
        running = self.phone.state.running
        state = "HOT" if package in running else "COLD"
        running.setdefault(package, 12000 + self.starts)
        self.clock_s += 0.1
        self.phone.uptime_s += 0.1
        version = f"LaunchState: {state}\n" if self.phone.android.api >= 29 else ""
        text = f"Status: ok\n{version}Activity: {component}\nTotalTime: 62\nWaitTime: 70\nComplete\n"
        return self._say(call, f"Starting: Intent {{ cmp={component} }}\n{text}")

    def _cmd(self, call: Call) -> int:
        if call.argv[1:3] != ["package", "resolve-activity"]:
            return self._before["cmd"](call)
        package = call.argv[-1]
        activity = self.activities.get(package)
        if activity is None:
            return self._say(call, "No activity found\n")
        head = "priority=0 preferredOrder=0 match=0x108000 specificIndex=-1 isDefault=true"
        return self._say(call, f"{head}\n{package}/{activity}\n")

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
