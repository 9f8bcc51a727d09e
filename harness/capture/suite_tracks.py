"""The suite's own tracks in a trace: window, capture facts, app switches, counters.

Names and edges are those of `foundation.contract.conventions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from foundation.contract import conventions
from foundation.contract.packets import SEQUENCE_SUITE, Annotation, PacketWriter, TrackEvents
from harness.capture.samples import Number, Sample
from workloads.switches import Switch

#: A fixed base of track uuids, so that the same input gives the same bytes.
_UUID_BASE: Final = 0x5EC1_0000_0000_0000


class SuiteTracks:
    """Writes TrackEvent packets; writes each track's descriptor once, before its first event."""

    def __init__(self, writer: PacketWriter) -> None:
        self._writer = writer
        self._events = TrackEvents(SEQUENCE_SUITE, _UUID_BASE)
        self._tracks: dict[str, int] = {}
        self._last: dict[str, Number] = {}

    def _track(self, name: str, *, counter: bool) -> int:
        uuid = self._tracks.get(name)
        if uuid is None:
            packet = self._events.track(name)
            if counter:
                packet.track_descriptor.counter.SetInParent()
            uuid = self._tracks[name] = packet.track_descriptor.uuid
            self._writer.write(packet)
        return uuid

    def slice(
        self,
        track: str,
        name: str,
        begin_ns: int,
        end_ns: int,
        facts: Mapping[str, Annotation] | None = None,
    ) -> None:
        """Write one slice; a fact of None is omitted (absent, not 0)."""
        uuid = self._track(track, counter=False)
        for packet in self._events.slice(uuid, name, begin_ns, end_ns, facts or {}):
            self._writer.write(packet)

    def counters(self, t_ns: int, values: Mapping[str, Number], *, all_values: bool) -> None:
        """Write one value of each counter; without ``all_values`` only those that changed."""
        for name, value in values.items():
            if not all_values and self._last.get(name) == value:
                continue
            self._last[name] = value
            self._writer.write(self._events.value(self._track(name, counter=True), t_ns, value))

    def samples(self, begin: Sample, between: Iterable[Sample], end: Sample) -> None:
        """Counters of all samples; those of ``begin`` and ``end`` exactly on the window's edges."""
        self.counters(begin.t_end_boot_ns, begin.values, all_values=True)
        for sample in between:
            self.counters(sample.t_boot_ns, sample.values, all_values=False)
        self.counters(end.t_boot_ns, end.values, all_values=True)

    def switches(self, switches: Sequence[Switch]) -> None:
        """One slice for each app switch."""
        for switch in switches:
            self.slice(
                conventions.SWITCH_TRACK,
                switch.package,
                switch.t_begin_boot_ns,
                switch.t_end_boot_ns,
                {
                    conventions.SWITCH_INDEX: switch.index,
                    conventions.SWITCH_ROUND: switch.round,
                    conventions.SWITCH_LAUNCH_STATE: switch.launch_state,
                    conventions.SWITCH_TOTAL_TIME_MS: switch.total_time_ms,
                    conventions.SWITCH_WAIT_TIME_MS: switch.wait_time_ms,
                    conventions.SWITCH_KILLED_SINCE_LAST: switch.killed_since_last,
                },
            )
