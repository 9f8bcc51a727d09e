"""When Perfetto's service wrote its last statistics: older ones prove nothing about the window."""

from __future__ import annotations

from typing import Any, Final

from foundation.contract.losses import RECORDED, Loss, lost
from foundation.contract.packets import SUITE_SEQUENCES

#: BuiltinClock BUILTIN_CLOCK_BOOTTIME.
_BOOTTIME: Final = 6


class StatsTime:
    """Takes the packets of a trace in the order of the file; knows when the last ``trace_stats`` was made.

    That packet has no time of its own. The service makes it when it has read all of its buffers
    (tracing_service_impl.cc, ReadBuffers), so whatever precedes it in the file is older: it is at least
    as late as the latest event and the latest clock snapshot before it. ``seen``: there is one.
    """

    def __init__(self) -> None:
        self._latest_ns = 0
        self.seen = False
        self.stats_ns = 0

    def packet(self, packet: Any, last_event_ns: int = 0) -> None:
        """One TracePacket; ``last_event_ns`` is the last time of any ftrace event so far."""
        if packet.trusted_packet_sequence_id in SUITE_SEQUENCES:
            return
        kind = packet.WhichOneof("data")
        own_ns = packet.timestamp if packet.timestamp_clock_id in (0, _BOOTTIME) else 0
        latest = max(self._latest_ns, last_event_ns, own_ns)
        if kind == "clock_snapshot":
            boot = (
                clock.timestamp for clock in packet.clock_snapshot.clocks if clock.clock_id == _BOOTTIME
            )
            latest = max((latest, *boot))
        self._latest_ns = latest
        if kind == "trace_stats":
            self.seen = True
            self.stats_ns = latest


def stale_statistics(stats: StatsTime, window_end_ns: int) -> list[Loss]:
    """The loss of all that passes through the service if its last statistics precede the window's end.

    Empty if they do not. Up to v57 the service writes them only with its periodic snapshot, every 10 s
    unless the config asks for more (``builtin_data_sources.snapshot_interval_ms``), and not at the stop.
    """
    if stats.stats_ns >= window_end_ns:
        return []
    missing_s = (window_end_ns - stats.stats_ns) / 1e9
    before = f"{missing_s:.1f} s before the window's end" if stats.stats_ns else "before the window"
    return [
        lost(f"perfetto's last statistics were taken {before}: what it lost since is unknown", RECORDED)
    ]
