"""From a `RawCapture` to one Perfetto trace, with the losses and void reasons of the repetition."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from foundation.contract import conventions
from foundation.contract.packets import PacketWriter
from harness.capture.perfetto.perfetto_loss import judge_perfetto
from harness.capture.perfetto.perfetto_session import TRACE_FILE
from harness.capture.raw import BACKEND, RawCapture
from harness.capture.run_times import RunTimes, run_time_reasons
from harness.capture.suite_tracks import SuiteTracks
from harness.capture.validity import counter_reasons, longest_gap_ms
from workloads.kills import KillMark
from workloads.switches import Switch

_BLOCK: Final = 1 << 20


@dataclass(frozen=True)
class CaptureReport:
    """One trace and the facts about it.

    ``loss`` names what the recording lost (empty: nothing); ``void_reasons`` what else makes
    the repetition void. ``window_ns`` is the measured window. ``seconds`` is the host time that
    `assemble` took, ``births`` the creation time of processes by pid; ``marks`` are the kills that
    lmkd marked in the window, None if unknown. All times are CLOCK_BOOTTIME ns.
    """

    path: Path
    bytes: int
    sha256: str
    window_ns: tuple[int, int]
    loss: tuple[str, ...]
    void_reasons: tuple[str, ...]
    thread_names: tuple[str, ...]
    missing_events: tuple[str, ...]
    seconds: float
    births: Mapping[int, int] = field(default_factory=dict)
    marks: tuple[KillMark, ...] | None = None
    backend: str = BACKEND


def assemble(
    raw: RawCapture, switches: Sequence[Switch], out: Path, *, keep_raw: bool = False
) -> CaptureReport:
    """Write the trace to ``out`` and check it; removes Perfetto's file after success.

    TraceError if the recording is damaged; then ``out`` does not exist and the file is kept.
    """
    started = time.monotonic()
    run_times = RunTimes(raw.begin.threads, raw.window_ns)
    trace = raw.folder / TRACE_FILE
    with PacketWriter(out) as writer:
        loss, failed = judge_perfetto(trace, run_times)
        missing = tuple(sorted({*raw.missing_events, *failed}))
        # Only events that the service was expected to record: the next repetition may have them.
        not_set_up = tuple(
            f"the ftrace event {event} could not be set up" for event in failed if event in raw.events
        )
        # Before the service's packets: the trace processor sorts those in parts and would
        # drop older ones that come later.
        _suite_packets(writer, raw, switches, loss, missing)
        with trace.open("rb") as file:
            while block := file.read(_BLOCK):
                writer.write_raw(block)
    if not keep_raw:
        raw.discard()
    return CaptureReport(
        path=out,
        bytes=writer.bytes,
        sha256=writer.sha256,
        window_ns=raw.window_ns,
        loss=loss,
        void_reasons=(
            *raw.troubles,
            *not_set_up,
            *counter_reasons(raw.begin, raw.between, raw.end, raw.poller_period_ms),
            # With context switches missing the two differ anyway, and the loss is the better reason.
            *(() if loss else run_time_reasons(run_times.result(raw.stop_ns), raw.begin, raw.end)),
        ),
        thread_names=tuple(sorted({*raw.begin.threads.values(), *raw.end.threads.values()})),
        missing_events=missing,
        seconds=time.monotonic() - started,
        births=run_times.births,
        marks=tuple(mark for mark in run_times.marks if raw.window_ns[0] <= mark.t_ns <= raw.window_ns[1]),
    )


def _suite_packets(
    writer: PacketWriter,
    raw: RawCapture,
    switches: Sequence[Switch],
    loss: Sequence[str],
    missing: Sequence[str],
) -> None:
    tracks = SuiteTracks(writer)
    tracks.slice(
        conventions.CAPTURE_TRACK,
        conventions.CAPTURE_SLICE,
        raw.start_ns,
        raw.stop_ns,
        {
            conventions.CAPTURE_FORMAT_VERSION: conventions.FORMAT_VERSION,
            conventions.CAPTURE_BACKEND: BACKEND,
            conventions.CAPTURE_CLOCK: "boot",
            conventions.CAPTURE_POLLER_PERIOD_MS: raw.poller_period_ms,
            conventions.CAPTURE_SAMPLES: len(raw.between),
            conventions.CAPTURE_MAX_GAP_MS: longest_gap_ms(raw.begin, raw.between, raw.end),
            conventions.CAPTURE_LOSS: "\n".join(loss),
            conventions.CAPTURE_EVENTS: " ".join(sorted(set(raw.events) - set(missing))),
            conventions.CAPTURE_MISSING_EVENTS: " ".join(missing),
            conventions.CAPTURE_MISSING_SOURCES: " ".join(raw.begin.missing),
            conventions.CAPTURE_PROBES: " ".join(f"{one.probe.name}={one.symbol}" for one in raw.probes),
            conventions.CAPTURE_MISSING_PROBES: "\n".join(
                f"{name}: {why}" for name, why in raw.missing_probes.items()
            ),
            conventions.CAPTURE_PROBE_COST_NS: raw.probe_cost_ns,
            conventions.CAPTURE_THREADS: " ".join(
                f"{tid}:{comm}" for tid, comm in sorted(raw.begin.threads.items())
            ),
        },
    )
    tracks.slice(conventions.SUITE_TRACK, conventions.REPETITION_SLICE, *raw.window_ns)
    tracks.switches(switches)
    tracks.samples(raw.begin, raw.between, raw.end)
