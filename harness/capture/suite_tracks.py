"""The suite's own tracks in a trace: window, capture facts, app switches, counters.

Names and edges are those of `foundation.contract.conventions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import TracePacket, TrackEvent

from foundation.contract import conventions
from harness.capture.packets import SEQUENCE_SUITE, PacketWriter
from harness.capture.samples import Number, Sample

#: Track uuids: a fixed base, so that the same input gives the same bytes.
_UUID_BASE: Final = 0x5EC1_0000_0000_0000

Annotation = str | int | float | bool | None


class SwitchEvent(Protocol):
    """One app switch of the workload; times are CLOCK_BOOTTIME ns."""

    @property
    def index(self) -> int: ...
    @property
    def round(self) -> int: ...
    @property
    def package(self) -> str: ...
    @property
    def launch_state(self) -> str: ...
    @property
    def t_begin_boot_ns(self) -> int: ...
    @property
    def t_end_boot_ns(self) -> int: ...
    @property
    def total_time_ms(self) -> float | None: ...
    @property
    def wait_time_ms(self) -> float | None: ...
    @property
    def killed_since_last(self) -> bool: ...


class SuiteTracks:
    """Writes TrackEvent packets; describes each track once, when it is first used."""

    def __init__(self, writer: PacketWriter) -> None:
        self._writer = writer
        self._tracks: dict[str, int] = {}
        self._last: dict[str, Number] = {}

    def _packet(self) -> Any:
        packet = self._writer.new(SEQUENCE_SUITE)
        if not self._tracks:
            packet.sequence_flags = TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
        return packet

    def _track(self, name: str, *, counter: bool) -> int:
        uuid = self._tracks.get(name)
        if uuid is None:
            packet = self._packet()
            uuid = _UUID_BASE + len(self._tracks) + 1
            descriptor = packet.track_descriptor
            descriptor.uuid = uuid
            descriptor.name = name
            if counter:
                descriptor.counter.SetInParent()
            self._tracks[name] = uuid
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
        """Write one slice; a fact of None is left out (absent, not 0)."""
        uuid = self._track(track, counter=False)
        packet = self._packet()
        packet.timestamp = begin_ns
        event = packet.track_event
        event.type = TrackEvent.TYPE_SLICE_BEGIN
        event.track_uuid = uuid
        event.name = name
        for key, value in (facts or {}).items():
            _annotate(event, key, value)
        self._writer.write(packet)
        packet = self._packet()
        packet.timestamp = end_ns
        packet.track_event.type = TrackEvent.TYPE_SLICE_END
        packet.track_event.track_uuid = uuid
        self._writer.write(packet)

    def counters(self, t_ns: int, values: Mapping[str, Number], *, all_values: bool) -> None:
        """Write one value a counter; without ``all_values`` only those that changed."""
        for name, value in values.items():
            if not all_values and self._last.get(name) == value:
                continue
            self._last[name] = value
            uuid = self._track(name, counter=True)
            packet = self._packet()
            packet.timestamp = t_ns
            event = packet.track_event
            event.type = TrackEvent.TYPE_COUNTER
            event.track_uuid = uuid
            if isinstance(value, float):
                event.double_counter_value = value
            else:
                event.counter_value = value
            self._writer.write(packet)

    def samples(self, begin: Sample, between: Iterable[Sample], end: Sample) -> None:
        """Counters of all samples; those of ``begin`` and ``end`` exactly on the window's edges."""
        self.counters(begin.t_end_boot_ns, begin.values, all_values=True)
        for sample in between:
            self.counters(sample.t_boot_ns, sample.values, all_values=False)
        self.counters(end.t_boot_ns, end.values, all_values=True)

    def switches(self, switches: Sequence[SwitchEvent]) -> None:
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


def _annotate(event: Any, key: str, value: Annotation) -> None:
    if value is None:
        return
    annotation = event.debug_annotations.add()
    annotation.name = key
    if isinstance(value, bool):
        annotation.bool_value = value
    elif isinstance(value, int):
        annotation.int_value = value
    elif isinstance(value, float):
        annotation.double_value = value
    else:
        annotation.string_value = value
