"""Perfetto's service on the fake phone: it takes a config, records, and refuses what its version would.

Sources, in perfetto's repository at the commits of each release: src/perfetto_cmd/perfetto_cmd.cc
(options; the pid that --background prints; "The trace config is invalid, bailing out."),
src/traced/probes/sys_stats/sys_stats_data_source.cc (periods; which counters an empty list
means), protos/perfetto/config/perfetto_config.proto (fields), src/perfetto_cmd/pbtxt_to_pb.cc (what is
said of an unknown field), tracing_service_impl.cc (when statistics are written; flushes), perfetto.rc.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import text_format  # type: ignore[import-untyped]
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TraceConfig

from tests.stand_ins.device.android.policy import (
    TRACEFS,
    labelled_events,
    probes_may_read_pressure,
    writable_events,
)
from tests.stand_ins.device.programs import fixed
from tests.stand_ins.device.tree import Attribute, Node

if TYPE_CHECKING:
    from tests.stand_ins.device.android.phone import AndroidPhone
    from tests.stand_ins.device.tree_shell import Call

#: Field of a TraceConfig -> first version of Perfetto that has it; 11 stands for Android 11's, of July
#: 2020. By the tags of perfetto's repository; compact_sched came in September 2019,
#: data_source_stop_timeout_ms in June 2019, snapshot_interval_ms in May 2020, all after Android 10's.
_FIELD_SINCE: Final = {
    "compact_sched": 11,
    "data_source_stop_timeout_ms": 11,
    "snapshot_interval_ms": 11,
    "collect_energy_estimation_breakdown": 14,
    "throttle_rss_stat": 22,
    "cpufreq_period_ms": 24,
    "disable_generic_events": 25,
    "psi_period_ms": 41,
    "buffer_size_lower_bound": 43,
    "thermal_period_ms": 47,
    "buffer_exhausted_policy": 51,
    "write_flush_mode": 54,
}
#: From here on a recording's statistics are also written when it stops.
_STATISTICS_AT_STOP_SINCE: Final = 58
#: From here on the service flushes by itself while it writes to a file.
_OWN_FLUSHES_SINCE: Final = 54
_OWN_FLUSH_MS: Final = 5000
_OWN_SNAPSHOT_MS: Final = 10_000
#: Of the window of the trace that the tests give.
_WINDOW_S: Final = 0.7


class TracingService:
    """``perfetto`` of one phone; ``trace`` is what a recording brings.

    ``recordings`` maps the pid of each that runs to its file, ``configs`` are those that were
    taken. ``polled`` is what the statistics of the last one would poll, ``flush_ms`` how often it is
    flushed. ``free_kb`` is what df shows; ``refused`` are events that the kernel fails to switch on,
    ``unknown_fields`` those that this build lacks though its version has them. ``says_why`` False: why
    a config is refused goes to the log only. ``locked``: no shell may switch tracing on. Statistics
    are as old as the last snapshot: by the host's clock, or with ``own_clock`` by that of `elapse`.
    """

    def __init__(self, phone: AndroidPhone, trace: bytes, *, own_clock: bool = False) -> None:
        self.phone = phone
        self.trace = trace
        self.configs: list[TraceConfig] = []
        self.argvs: list[list[str]] = []
        self.recordings: dict[int, str] = {}
        self.polled: set[str] = set()
        self.free_kb = 20_000_000
        self.refused: set[str] = set()
        self.unknown_fields: set[str] = set()
        self.says_why = True
        self.locked = False
        self.flush_ms = 0
        self.own_clock = own_clock
        self._elapsed_s = 0.0
        self._began_s = 0.0
        self._window_end_s = 0.0
        self._before = {
            name: phone.programs[name]
            for name in ("perfetto", "kill", "stat", "poller")
            if name in phone.programs
        }
        phone.files.put(f"{TRACEFS}/tracing_on", Attribute(lambda: str(int(bool(self.recordings)))))
        phone.programs |= {
            "df": self._df,
            "getenforce": fixed(lambda: "Enforcing\n"),
            "kill": self._kill,
            "perfetto": self._perfetto,
            "pgrep": self._pgrep,
            "poller": self._poller,
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
        config = self._parsed(call, text.decode())
        if config is None:
            call.io.fail("The trace config is invalid, bailing out.")
            return 1
        self.configs.append(config)
        self._began_s = self._now_s
        self.flush_ms = self._flushes(config)
        self._statistics(config)
        self._enable(config)
        pid = 9000 + len(self.argvs)
        self.recordings[pid] = call.argv[call.argv.index("-o") + 1]
        self.phone.files.put(self.recordings[pid], b"")
        self.phone.files.put(f"/proc/{pid}/comm", "perfetto\n")
        call.io.out(f"{pid}\n".encode())
        return 0

    @property
    def version(self) -> int:
        """Major version; Android 11's is 11, Android 10's 10."""
        said = re.search(r"v(\d+)", self.phone.android.perfetto or "")
        return int(said[1]) if said else self.phone.android.api - 19

    @property
    def _now_s(self) -> float:
        return self._elapsed_s if self.own_clock else time.monotonic()

    def elapse(self, seconds: float) -> None:
        """Let time pass, for a test that sleeps with it."""
        self._elapsed_s += seconds

    def _poller(self, call: Call) -> int:
        if "end" in call.argv:
            self._window_end_s = self._now_s
        return self._before["poller"](call)

    def _flushes(self, config: TraceConfig) -> int:
        """Every how many ms. Source: TracingServiceImpl::EnableTracing, write_flush_mode."""
        by_itself = config.write_flush_mode != TraceConfig.WRITE_FLUSH_DISABLED
        return _OWN_FLUSH_MS if self.version >= _OWN_FLUSHES_SINCE and by_itself else config.flush_period_ms

    def _written(self) -> bytes:
        """The trace, its statistics where the last snapshot was: a timer's, from the start on.

        Android 10 looks at its timer when it writes to the file, and writes them before what it has
        just read: nothing newer than the write before is in them.
        """
        config = self.configs[-1]
        period_s = (config.builtin_data_sources.snapshot_interval_ms or _OWN_SNAPSHOT_MS) / 1000
        end_s = _WINDOW_S + self._window_end_s - self._began_s
        now_s = _WINDOW_S + self._now_s - self._began_s
        last_s = now_s // period_s * period_s
        if self.version < _FIELD_SINCE["snapshot_interval_ms"]:
            last_s -= config.file_write_period_ms / 1000
        if self.version >= _STATISTICS_AT_STOP_SINCE or last_s > end_s:
            return self.trace
        trace = Trace.FromString(self.trace)
        of_stats = [packet for packet in trace.packet if packet.HasField("trace_stats")]
        rest = [packet for packet in trace.packet if not packet.HasField("trace_stats")]
        for packet in of_stats:
            # The service's have no time of their own (EmitStats).
            packet.ClearField("timestamp")
        return bytes(Trace(packet=[*rest[:2], *of_stats, *rest[2:]]).SerializeToString())

    def _parsed(self, call: Call, text: str) -> TraceConfig | None:
        missing = {name for name, since in _FIELD_SINCE.items() if since > self.version}
        for field in sorted(missing | self.unknown_fields):
            found = re.search(rf"\b{field}\b", text)
            if found and self.says_why:
                row = text.count("\n", 0, found.start()) + 1
                call.io.fail(f'<stdin>:{row}:1 error: No field named "{field}" in proto TraceConfig')
            if found:
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
        if not probes_may_read_pressure(self.phone.android.api):
            self.polled -= {"psi"}
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
            self.phone.files.put(self.recordings[pid], self._written())
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
        if name == "persist.traced.enable":
            if self.locked:
                call.io.fail(f"Failed to set property '{name}' to '{value}'.")
                return 1
            self.phone.properties["init.svc.traced"] = "running" if value == "1" else "stopped"
            self.phone.properties["init.svc.traced_probes"] = "stopped" if value == "0" else "running"
        self.phone.properties[name] = value
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
