"""Perfetto's service on the fake phone: it takes a config, records, and refuses what its version would.

Sources, in perfetto's repository at the commits of each release: src/perfetto_cmd/perfetto_cmd.cc
(options; the pid that --background prints; "The trace config is invalid, bailing out."),
src/traced/probes/sys_stats/sys_stats_data_source.cc (periods; which counters an empty list
means), protos/perfetto/config/perfetto_config.proto (fields).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import text_format  # type: ignore[import-untyped]
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import TraceConfig

from tests.stand_ins.device.android.policy import TRACEFS, labelled_events, writable_events
from tests.stand_ins.device.programs import fixed
from tests.stand_ins.device.tree import Attribute, Node

if TYPE_CHECKING:
    from tests.stand_ins.device.android.phone import AndroidPhone
    from tests.stand_ins.device.tree_shell import Call

#: Field of a TraceConfig -> first release of Android (API level) whose service knows it.
_FIELD_SINCE: Final = {
    "compact_sched": 30,
    "collect_energy_estimation_breakdown": 31,
    "cpufreq_period_ms": 33,
    "disable_generic_events": 33,
    "throttle_rss_stat": 33,
    "psi_period_ms": 35,
    "buffer_size_lower_bound": 35,
    "thermal_period_ms": 36,
}


class TracingService:
    """``perfetto`` of one phone; ``trace`` is what a recording brings.

    ``recordings`` maps the pid of each that runs to its file, ``configs`` are those that were
    taken. ``polled`` is what the statistics of the last one would poll. ``free_kb`` is what df
    shows; ``refused`` are events that the kernel fails to switch on.
    """

    def __init__(self, phone: AndroidPhone, trace: bytes) -> None:
        self.phone = phone
        self.trace = trace
        self.configs: list[TraceConfig] = []
        self.argvs: list[list[str]] = []
        self.recordings: dict[int, str] = {}
        self.polled: set[str] = set()
        self.free_kb = 20_000_000
        self.refused: set[str] = set()
        self._before = {name: phone.programs[name] for name in ("perfetto", "kill", "stat")}
        phone.files.put(f"{TRACEFS}/tracing_on", Attribute(lambda: str(int(bool(self.recordings)))))
        phone.programs |= {
            "df": self._df,
            "getenforce": fixed(lambda: "Enforcing\n"),
            "kill": self._kill,
            "perfetto": self._perfetto,
            "pgrep": self._pgrep,
            "setprop": self._setprop,
            "stat": self._stat,
        }

    def _perfetto(self, call: Call) -> int:
        if "-c" not in call.argv:
            return self._before["perfetto"](call)
        text = b""
        while data := call.io.stdin():
            text += data
        self.argvs.append(call.argv)
        if call.argv[call.argv.index("-c") + 1] != "-" and self.phone.android.api < 31:
            call.io.fail("Could not open the config (errno: 13, Permission denied)")
            return 1
        known = ["--background"] + ["--background-wait"] * self.phone.android.background_wait
        if call.argv[-1] not in known:
            call.io.fail(f"perfetto: unrecognized option '{call.argv[-1]}'")
            return 1
        if self.phone.properties["init.svc.traced"] != "running":
            call.io.fail("Failed to connect to the service. If this is Android, is traced running?")
            return 1
        config = self._parsed(text.decode())
        if config is None:
            call.io.fail("The trace config is invalid, bailing out.")
            return 1
        self.configs.append(config)
        self._statistics(config)
        self._enable(config)
        pid = 9000 + len(self.argvs)
        self.recordings[pid] = call.argv[call.argv.index("-o") + 1]
        self.phone.files.put(self.recordings[pid], b"")
        self.phone.files.put(f"/proc/{pid}/comm", "perfetto\n")
        call.io.out(f"{pid}\n".encode())
        return 0

    def _parsed(self, text: str) -> TraceConfig | None:
        for field, since in _FIELD_SINCE.items():
            if since > self.phone.android.api and re.search(rf"\b{field}\b", text):
                return None
        try:
            return text_format.Parse(text, TraceConfig())
        except text_format.ParseError:
            return None

    def _statistics(self, config: Any) -> None:
        """Which of vmstat, meminfo and psi are polled."""
        (stats,) = [
            s.config.sys_stats_config for s in config.data_sources if s.config.HasField("sys_stats_config")
        ]
        periods = {
            name: getattr(stats, f"{name}_period_ms")
            for name in ("vmstat", "meminfo", "psi")
            if getattr(stats, f"{name}_period_ms")
        }
        shortest = min(periods.values(), default=0)
        # "SysStat periods are not integer multiples of each other", and nothing is polled.
        self.polled = set() if any(period % shortest for period in periods.values()) else set(periods)
        if self.phone.android.api < 30:
            self.polled -= {n for n in ("vmstat", "meminfo") if not getattr(stats, f"{n}_counters")}

    def _enable(self, config: Any) -> None:
        """traced_probes runs as nobody: it may do what the policy and the modes open to all."""
        api = self.phone.android.api
        allowed = writable_events(api)
        if self.phone.build == "user":
            allowed &= labelled_events(api)
        for source in config.data_sources:
            for event in source.config.ftrace_config.ftrace_events:
                path = f"{TRACEFS}/events/{event}/enable"
                if self.phone.files.exists(path) and event in allowed - self.refused:
                    self.phone.files.put(path, Node(b"1\n", 0o666))

    def _kill(self, call: Call) -> int:
        pid = int(call.argv[-1])
        if pid not in self.recordings:
            return self._before["kill"](call)
        if call.argv[1] == "-TERM":
            self.phone.files.put(self.recordings[pid], self.trace)
        self.end(pid)
        return 0

    def end(self, pid: int) -> None:
        """The process ends; its file stays."""
        del self.recordings[pid]
        self.phone.files.remove(f"/proc/{pid}")

    def _pgrep(self, call: Call) -> int:
        wanted = call.argv[-1].replace("[", "").replace("]", "")
        pids = [pid for pid, path in self.recordings.items() if wanted in path]
        call.io.out("".join(f"{pid}\n" for pid in pids).encode())
        return int(not pids)

    def _setprop(self, call: Call) -> int:
        """init starts and stops the service with the property. Source: perfetto.rc."""
        name, value = call.argv[1:]
        self.phone.properties[name] = value
        if name == "persist.traced.enable":
            self.phone.properties["init.svc.traced"] = "running" if value == "1" else "stopped"
        return 0

    def _stat(self, call: Call) -> int:
        """``%C`` is toybox's SELinux context (toys/other/stat.c)."""
        if "%C" not in call.argv:
            return self._before["stat"](call)
        event = "/".join(call.argv[-1].removeprefix(f"{TRACEFS}/events/").split("/")[:2])
        label = "debugfs_tracing"
        if event not in labelled_events(self.phone.android.api):
            label = "debugfs_tracing_debug"
        call.io.out(f"u:object_r:{label}:s0\n".encode())
        return 0

    def _df(self, call: Call) -> int:
        """Form: toybox, toys/posix/df.c."""
        call.io.out(
            b"Filesystem     1K-blocks     Used Available Use% Mounted on\n"
            + f"/dev/block/dm-44 117163008 9999999 {self.free_kb}  83% /data\n".encode()
        )
        return 0
