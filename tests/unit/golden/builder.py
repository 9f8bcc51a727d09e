"""A Perfetto trace built in code: say which thread ran where and when, get the bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import (
    FtraceStats,
    SysStats,
    Trace,
    TracePacket,
    TrackEvent,
    VmstatCounters,
)

from foundation.contract import conventions as names

_SEQUENCE: Final = 77
_META_SEQUENCE: Final = 78

#: prev_state of sched_switch as x86 kernels since 4.14 write it; 0x100 is "preempted".
STATES: Final = {"R": 0, "S": 1, "D": 2, "R+": 0x100}
MS: Final = 1_000_000


@dataclass(frozen=True)
class Run:
    """One thread on one CPU for one interval; ``leaves`` is its state afterwards."""

    cpu: int
    begin: int
    end: int
    tid: int
    leaves: str = "S"


@dataclass
class TraceBuilder:
    """Collects what happened; `build` writes it. All times in ns of CLOCK_BOOTTIME.

    A CPU is idle where nobody is said to run. A `Run` without end (``end`` 0) lasts until
    the trace ends: no switch closes it.
    """

    cpus: int = 2
    begin: int = 1000 * MS
    end: int = 2000 * MS
    threads: dict[int, tuple[str, int]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    events: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    packets: list[TracePacket] = field(default_factory=list)
    tracks: dict[str, int] = field(default_factory=dict)

    def thread(self, tid: int, comm: str, tgid: int | None = None) -> int:
        """Name a thread; a kernel thread unless a process is given."""
        self.threads[tid] = (comm, tid if tgid is None else tgid)
        return tid

    def run(self, tid: int, begin: int, end: int, cpu: int = 0, leaves: str = "S") -> None:
        self.runs.append(Run(cpu, begin, end, tid, leaves))

    def _event(self, ts: int, cpu: int, tid: int) -> Any:
        from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import FtraceEvent

        event = FtraceEvent()
        event.timestamp = ts
        event.pid = tid
        self.events[cpu].append(event)
        return event

    def wake(self, tid: int, ts: int, cpu: int = 0, by: int = 0) -> None:
        waking = self._event(ts, cpu, by).sched_waking
        waking.comm = self.threads[tid][0]
        waking.pid = tid
        waking.prio = 120
        waking.target_cpu = cpu

    def direct_reclaim(self, tid: int, begin: int | None, end: int | None, cpu: int = 0) -> None:
        """Begin and end of a direct reclaim; None leaves that event out."""
        if begin is not None:
            event = self._event(begin, cpu, tid).mm_vmscan_direct_reclaim_begin
            event.order = 0
        if end is not None:
            event = self._event(end, cpu, tid).mm_vmscan_direct_reclaim_end
            event.nr_reclaimed = 32

    def kswapd_awake(
        self, tid: int, begin: int | None, end: int | None, cpu: int = 0, nid: int = 0
    ) -> None:
        if begin is not None:
            self._event(begin, cpu, tid).mm_vmscan_kswapd_wake.nid = nid
        if end is not None:
            self._event(end, cpu, tid).mm_vmscan_kswapd_sleep.nid = nid

    def generic(self, name: str, ts: int, cpu: int, tid: int, **fields: int) -> None:
        """An event that Perfetto has no type for."""
        event = self._event(ts, cpu, tid).generic
        event.event_name = name
        for key, value in fields.items():
            event.field.add(name=key, int_value=int(value))

    def offer(self, tid: int, ts: int, depth: int, *, accepted: bool = True, cpu: int = 0) -> None:
        """kswapd offers a page to the queue of the compression thread."""
        self.generic("kcompressd_queue", ts, cpu, tid, index=0, depth=depth, accepted=accepted)

    def done(self, tid: int, ts: int, wait: int, compress: int, *, cpu: int = 1, **flags: int) -> None:
        """The compression thread is done with a page that it was offered ``wait + compress`` before."""
        facts = {"same_filled": 0, "mapped_at_start": 0, "mapped_meanwhile": 0, "error": 0} | flags
        self.generic("kcompressd_done", ts, cpu, tid, wait_ns=wait, compress_ns=compress, **facts)

    def call(
        self,
        name: str,
        tid: int,
        begin: int | None,
        end: int | None,
        *,
        cpu: int = 0,
        argument: tuple[str, int] | None = None,
        result: tuple[str, int] | None = None,
    ) -> None:
        """A recorded call of a kernel function; None leaves that event out."""
        enter, leave = names.probe_events(name)
        if begin is not None:
            self.generic(enter, begin, cpu, tid, **dict([argument] if argument else []))
        if end is not None:
            self.generic(leave, end, cpu, tid, **dict([result] if result else []))

    # Suite's tracks.

    def _packet(self, ts: int) -> Any:
        packet = TracePacket()
        packet.trusted_packet_sequence_id = _SEQUENCE
        packet.timestamp = ts
        self.packets.append(packet)
        return packet

    def _track(self, name: str, *, counter: bool) -> int:
        uuid = self.tracks.get(name)
        if uuid is None:
            uuid = self.tracks[name] = 1000 + len(self.tracks)
            packet = self._packet(0)
            packet.ClearField("timestamp")
            if len(self.tracks) == 1:
                packet.sequence_flags = TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
            packet.track_descriptor.uuid = uuid
            packet.track_descriptor.name = name
            if counter:
                packet.track_descriptor.counter.SetInParent()
        return uuid

    def slice(
        self, track: str, name: str, begin: int, end: int, facts: Mapping[str, Any] | None = None
    ) -> None:
        uuid = self._track(track, counter=False)
        event = self._packet(begin).track_event
        event.type = TrackEvent.TYPE_SLICE_BEGIN
        event.track_uuid = uuid
        event.name = name
        for key, value in (facts or {}).items():
            annotation = event.debug_annotations.add(name=key)
            if isinstance(value, bool):
                annotation.bool_value = value
            elif isinstance(value, int):
                annotation.int_value = value
            elif isinstance(value, float):
                annotation.double_value = value
            else:
                annotation.string_value = value
        event = self._packet(end).track_event
        event.type = TrackEvent.TYPE_SLICE_END
        event.track_uuid = uuid

    def counter(self, name: str, ts: int, value: float) -> None:
        # The descriptor must come first: an event on a track that is not yet known is dropped.
        uuid = self._track(name, counter=True)
        event = self._packet(ts).track_event
        event.track_uuid = uuid
        event.type = TrackEvent.TYPE_COUNTER
        if isinstance(value, float):
            event.double_counter_value = value
        else:
            event.counter_value = value

    def repetition(self, begin: int, end: int) -> None:
        self.slice(names.SUITE_TRACK, names.REPETITION_SLICE, begin, end)

    def capture(self, **facts: Any) -> None:
        """The suite's own facts of the recording; defaults are those of a whole one."""
        whole: dict[str, Any] = {
            names.CAPTURE_FORMAT_VERSION: names.FORMAT_VERSION,
            names.CAPTURE_BACKEND: "ftrace",
            names.CAPTURE_LOSS: "",
            names.CAPTURE_MISSING_EVENTS: "",
            names.CAPTURE_MISSING_SOURCES: "",
            names.CAPTURE_THREADS: " ".join(
                f"{tid}:{comm}" for tid, (comm, tgid) in sorted(self.threads.items()) if tgid == tid
            ),
        }
        self.slice(names.CAPTURE_TRACK, names.CAPTURE_SLICE, self.begin, self.end, whole | facts)

    def switch(self, package: str, begin: int, end: int, **facts: Any) -> None:
        self.slice(names.SWITCH_TRACK, package, begin, end, facts)

    def sys_stats(
        self, ts: int, vmstat: Mapping[str, int] | None = None, psi_ns: Mapping[str, int] | None = None
    ) -> None:
        """Perfetto's own counters, as a trace of another recorder has them."""
        stats = self._packet(ts).sys_stats
        for key, value in (vmstat or {}).items():
            stats.vmstat.add(key=VmstatCounters.Value(f"VMSTAT_{key.upper()}"), value=value)
        for line, total_ns in (psi_ns or {}).items():
            resource = SysStats.PsiSample.PsiResource.Value(f"PSI_RESOURCE_{line.upper()}")
            stats.psi.add(resource=resource, total_ns=total_ns)

    def rails(self, ts: int, energies: Mapping[str, int], *, describe: bool = False) -> None:
        """Energy of power rails since boot, uWs, measured at ``ts``; the first packet describes them."""
        rails = self._packet(ts).power_rails
        for index, (name, energy) in enumerate(energies.items()):
            if describe:
                rails.rail_descriptor.add(index=index, rail_name=name, subsys_name="x", sampling_rate=1000)
            rails.energy_data.add(index=index, timestamp_ms=ts // MS, energy=energy)

    # Writing.

    def build(
        self,
        *,
        compact: bool = False,
        process_tree: bool = True,
        opening: bool = True,
        closing: bool = True,
        overrun: int = 0,
        lost_events: bool = False,
        page_size: int = 4096,
    ) -> bytes:
        """The trace. ``overrun`` and ``lost_events`` say that the kernel lost some of it."""
        trace = Trace()
        packet = trace.packet.add(trusted_packet_sequence_id=_META_SEQUENCE, timestamp=self.begin)
        info = packet.system_info
        info.utsname.sysname = "Linux"
        info.utsname.release = "6.1.0-golden"
        info.utsname.machine = "x86_64"
        info.page_size = page_size
        info.num_cpus = self.cpus
        if process_tree and self.threads:
            packet = trace.packet.add(trusted_packet_sequence_id=_META_SEQUENCE, timestamp=self.begin)
            for tid, (comm, tgid) in self.threads.items():
                if tid == tgid:
                    process = packet.process_tree.processes.add(pid=tgid, ppid=2)
                    process.cmdline.append(comm)
                    process.cmdline_is_comm = True
                packet.process_tree.threads.add(tid=tid, tgid=tgid, name=comm)
        ftrace = bool(self.runs or self.events)
        if ftrace and opening:
            self._stats(trace, FtraceStats.START_OF_TRACE, self.begin, 0)
        for cpu in range(self.cpus):
            self._bundle(trace, cpu, compact=compact, lost=lost_events)
        for own in self.packets:
            trace.packet.add().CopyFrom(own)
        if ftrace and closing:
            self._stats(trace, FtraceStats.END_OF_TRACE, self.end, overrun)
        encoded: bytes = trace.SerializeToString()
        return encoded

    def _stats(self, trace: Any, phase: int, ts: int, overrun: int) -> None:
        packet = trace.packet.add(trusted_packet_sequence_id=_META_SEQUENCE, timestamp=ts)
        packet.ftrace_stats.phase = phase
        for cpu in range(self.cpus):
            packet.ftrace_stats.cpu_stats.add(cpu=cpu, entries=0, overrun=overrun if cpu == 0 else 0)

    def switches(self, cpu: int) -> list[tuple[int, int, str, int]]:
        """(ts, prev tid, prev state, next tid) of a CPU, in order; idle fills the gaps."""
        out: list[tuple[int, int, str, int]] = []
        runs = sorted((run for run in self.runs if run.cpu == cpu), key=lambda run: run.begin)
        for index, run in enumerate(runs):
            before = runs[index - 1] if index else None
            if before is None or before.end != run.begin:
                out.append((run.begin, 0, "R", run.tid))
            after = runs[index + 1] if index + 1 < len(runs) else None
            if run.end:
                out.append(
                    (run.end, run.tid, run.leaves, after.tid if after and after.begin == run.end else 0)
                )
        return out

    def _bundle(self, trace: Any, cpu: int, *, compact: bool, lost: bool) -> None:
        switches = self.switches(cpu)
        if not switches and not self.events[cpu]:
            return
        packet = trace.packet.add(trusted_packet_sequence_id=_META_SEQUENCE + 1 + cpu)
        bundle = packet.ftrace_events
        bundle.cpu = cpu
        bundle.lost_events = lost
        if compact:
            self._compact(bundle.compact_sched, switches)
        else:
            for ts, prev, state, following in switches:
                event = bundle.event.add(timestamp=ts, pid=prev)
                event.sched_switch.prev_comm = self._comm(prev, cpu)
                event.sched_switch.prev_pid = prev
                event.sched_switch.prev_prio = 120
                event.sched_switch.prev_state = STATES[state]
                event.sched_switch.next_comm = self._comm(following, cpu)
                event.sched_switch.next_pid = following
                event.sched_switch.next_prio = 120
        for other in self.events[cpu]:
            bundle.event.add().CopyFrom(other)
        ordered = sorted(bundle.event, key=lambda event: event.timestamp)
        del bundle.event[:]
        bundle.event.extend(ordered)

    def _comm(self, tid: int, cpu: int) -> str:
        return self.threads[tid][0] if tid else f"swapper/{cpu}"

    def _compact(self, compact: Any, switches: list[tuple[int, int, str, int]]) -> None:
        table: dict[str, int] = {}
        last = 0
        for ts, _prev, state, following in switches:
            comm = self._comm(following, 0)
            index = table.setdefault(comm, len(table))
            compact.switch_timestamp.append(ts - last)
            last = ts
            compact.switch_prev_state.append(STATES[state])
            compact.switch_next_pid.append(following)
            compact.switch_next_prio.append(120)
            compact.switch_next_comm_index.append(index)
        compact.intern_table.extend(table)
