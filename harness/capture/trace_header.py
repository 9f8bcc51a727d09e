"""The first packets of a trace: its config, the clocks, the machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import BuiltinClock

from foundation.contract.packets import SEQUENCE_META, PacketWriter
from harness.capture.facts import Facts

_BUFFER_KB: Final = 65536


def write_header(writer: PacketWriter, facts: Facts, events: Sequence[str]) -> None:
    """Write trace config, clock snapshot and system info, as Perfetto's service does first.

    The release must precede any ``sched_switch``: the meaning of its task states depends on it.
    """
    packet = writer.new(SEQUENCE_META)
    packet.trace_config.buffers.add(size_kb=_BUFFER_KB)
    source = packet.trace_config.data_sources.add()
    source.config.name = "linux.ftrace"
    source.config.ftrace_config.ftrace_events.extend(events)
    writer.write(packet)

    packet = writer.new(SEQUENCE_META)
    packet.timestamp = facts.boot_ns
    snapshot = packet.clock_snapshot
    snapshot.primary_trace_clock = BuiltinClock.BUILTIN_CLOCK_BOOTTIME
    for clock, t_ns in (
        (BuiltinClock.BUILTIN_CLOCK_BOOTTIME, facts.boot_ns),
        (BuiltinClock.BUILTIN_CLOCK_MONOTONIC, facts.monotonic_ns),
        (BuiltinClock.BUILTIN_CLOCK_MONOTONIC_RAW, facts.monotonic_raw_ns),
        (BuiltinClock.BUILTIN_CLOCK_REALTIME, facts.realtime_ns),
    ):
        snapshot.clocks.add(clock_id=clock, timestamp=t_ns)
    writer.write(packet)

    packet = writer.new(SEQUENCE_META)
    packet.timestamp = facts.boot_ns
    info = packet.system_info
    for name in ("sysname", "release", "version", "machine"):
        setattr(info.utsname, name, getattr(facts, name))
    info.page_size = facts.page_size
    info.num_cpus = facts.cpus
    info.hz = facts.clk_tck
    writer.write(packet)
