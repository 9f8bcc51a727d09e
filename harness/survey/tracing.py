"""A short recording, for when Perfetto's service writes its statistics, and what it could not enable."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from foundation.contract.packets import read_packets
from foundation.contract.service_stats import StatsTime
from foundation.errors import DeviceError
from harness.capture.perfetto.perfetto_service import read_service
from harness.capture.perfetto.perfetto_session import TRACE_FILE, PerfettoSession
from harness.device.adb.adb_device import AdbDevice
from harness.doctor.facts import DeviceFacts

RECORD_S: Final = 15.0
_PERIOD_MS: Final = 250
_CPUS_UNKNOWN: Final = 8


def record(device: AdbDevice, facts: DeviceFacts, events: Sequence[str]) -> dict[str, Any]:
    """Record ``events`` for `RECORD_S` with the suite's own configuration, and describe the trace.

    Needs no root for the events that the build opens. Side effect: a recording and its file, which are
    gone afterwards; the trace is not kept, since it names every process. SuiteError.
    """
    service = read_service(device)
    if service is None:
        raise DeviceError("there is no Perfetto", device=device.serial)
    session = PerfettoSession(
        device,
        events,
        _PERIOD_MS,
        service=service,
        mem_total_kb=facts.meminfo.get("MemTotal", 0),
        cpus=sum(len(cluster.cpus.split()) for cluster in facts.clusters) or _CPUS_UNKNOWN,
        longest_s=RECORD_S * 4,
        tracefs=facts.tracefs,
        sleep=device.sleep,
    )
    with tempfile.TemporaryDirectory() as folder:
        try:
            session.start()
            device.sleep(RECORD_S)
            session.stop()
            session.collect(Path(folder))
        finally:
            session.close(quiet=True)
        return {
            "service": service.text,
            "troubles": list(session.troubles),
            **_described(Path(folder) / TRACE_FILE),
        }


def _described(path: Path) -> dict[str, Any]:
    """Where in the file the statistics stand, and how late each can be, by the clock of the trace."""
    kinds: dict[str, int] = {}
    statistics: list[dict[str, Any]] = []
    failed: set[str] = set()
    time = StatsTime()
    packets = 0
    for packet in read_packets(path):
        packets += 1
        kind = packet.WhichOneof("data") or "none"
        kinds[kind] = kinds.get(kind, 0) + 1
        last = max((event.timestamp for event in packet.ftrace_events.event), default=0)
        time.packet(packet, last)
        if kind == "trace_stats":
            stats = packet.trace_stats
            statistics.append(
                {
                    "packet": packets,
                    "not_before_ns": time.stats_ns,
                    "bytes_written": sum(buffer.bytes_written for buffer in stats.buffer_stats),
                    "flushes_failed": stats.flushes_failed,
                }
            )
        elif kind == "ftrace_stats":
            failed.update(
                packet.ftrace_stats.failed_ftrace_events, packet.ftrace_stats.unknown_ftrace_events
            )
    return {
        "bytes": path.stat().st_size,
        "packets": packets,
        "packets_by_kind": kinds,
        "trace_stats": statistics,
        "failed_events": sorted(failed),
    }
