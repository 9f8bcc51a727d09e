"""The added tracks as Perfetto packets, to append to a copy of a trace."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import CounterDescriptor, TrackDescriptor

from foundation.contract.packets import TrackEvents, framed

#: Far above the sequence ids of Perfetto's service, and not used by the capture.
_SEQUENCE: Final = 0x5EC20001
#: Fixed, so that the same trace gives the same bytes.
_UUID_BASE: Final = 0x5EC2_0000_0000_0000


@dataclass(frozen=True)
class Slice:
    """A named span; ``ts`` and ``dur`` in ns of the trace's clock. ``facts`` are its arguments."""

    ts: int
    dur: int
    name: str
    facts: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class SliceTrack:
    """Slices under one name; slices that overlap are drawn below each other."""

    name: str
    slices: Sequence[Slice]


@dataclass(frozen=True)
class CounterTrack:
    """Values over time: (ts in ns, value), each valid until the next. ``unit`` for the axis."""

    name: str
    unit: str
    points: Sequence[tuple[int, float]]


Track = SliceTrack | CounterTrack


def packets_of(group: str, tracks: Sequence[Track]) -> bytes:
    """All tracks below one named ``group``, in the given order. The same input gives the same bytes."""
    make = TrackEvents(_SEQUENCE, _UUID_BASE)
    root = make.track(group)
    root.track_descriptor.sibling_order_rank = 0
    root.track_descriptor.child_ordering = TrackDescriptor.EXPLICIT
    descriptors: list[Any] = [root]
    events: list[Any] = []

    def described(track: Track, rank: int) -> int:
        packet = make.track(track.name)
        packet.track_descriptor.parent_uuid = root.track_descriptor.uuid
        packet.track_descriptor.sibling_order_rank = rank
        if isinstance(track, CounterTrack):
            packet.track_descriptor.counter.unit = CounterDescriptor.UNIT_UNSPECIFIED
            packet.track_descriptor.counter.unit_name = track.unit
        descriptors.append(packet)
        return int(packet.track_descriptor.uuid)

    for rank, track in enumerate(tracks):
        if isinstance(track, SliceTrack):
            for lane in _lanes(track.slices):
                uuid = described(track, rank)
                for one in lane:
                    events += make.slice(uuid, one.name, one.ts, one.ts + one.dur, one.facts)
        else:
            uuid = described(track, rank)
            events += [make.value(uuid, ts, float(value)) for ts, value in track.points]
    # Stable: the end of a slice stays before the start of the next one on its lane.
    events.sort(key=lambda packet: packet.timestamp)
    return b"".join(framed(packet.SerializeToString()) for packet in descriptors + events)


def _lanes(slices: Iterable[Slice]) -> list[list[Slice]]:
    """Slices on as few lanes as possible without overlap: the slices of one track must nest."""
    lanes: list[list[Slice]] = []
    free: list[tuple[int, int]] = []
    for one in sorted(slices, key=lambda part: (part.ts, part.dur)):
        if free and free[0][0] <= one.ts:
            _, lane = heapq.heappop(free)
        else:
            lane = len(lanes)
            lanes.append([])
        lanes[lane].append(one)
        heapq.heappush(free, (one.ts + one.dur, lane))
    return lanes
