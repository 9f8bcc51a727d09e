"""One recording on one device: start trace and counters, wrap the measured order, stop, undo."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from foundation.contract.arch import Arch, arch_of
from foundation.contract.conventions import PROBE_COST
from foundation.contract.device import Device
from foundation.contract.needs import Needs
from foundation.errors import DeviceError, SuiteError, UsageError
from foundation.progress import Progress, silent
from harness.capture import events
from harness.capture.buffer_reservation import BufferReservation
from harness.capture.device_facts import cpu_count, mem_total_kb, uptime_ns
from harness.capture.perfetto.perfetto_config import Limits, held_limits
from harness.capture.perfetto.perfetto_service import read_service
from harness.capture.perfetto.perfetto_session import PerfettoSession, end_leftover
from harness.capture.poller import EMULATED_PERIOD_MS, PERIOD_MS, Poller
from harness.capture.probes import ProbeSet, measure_cost
from harness.capture.raw import RawCapture
from harness.capture.remote import RemoteFolder
from harness.capture.samples import Sample, read_samples
from harness.capture.threads_found import PROC_SCRIPT, parse_status
from harness.native.build import binary

RAW_FOLDER: Final = "capture-raw"
COUNTERS_FILE: Final = "counters.jsonl"

#: An abandoned recording ends by itself after this time.
LONGEST_S: Final = 30 * 60.0


class Capture:
    """Records one repetition: `start`, the order that `wrap` makes, `stop`.

    The device's Perfetto records; calls of kernel functions (``needs.probes``) need root and a
    service that may enable their events. Files go to ``workdir``. The recording ends by itself
    after ``longest_s``; ``limits`` are its sizes (None: by the device); ``progress`` reports the
    pull of a large trace; ``program`` finds the suite's native programs; ``sleep`` waits while the
    device works (None: `Device.sleep`). Side effects on the device (recording, probes, poller, a
    folder under /data/local/tmp) last until `stop` or `cancel`, or until a call here raises.
    """

    def __init__(
        self,
        device: Device,
        needs: Needs,
        workdir: Path,
        *,
        period_ms: int | None = None,
        limits: Limits | None = None,
        reservation: BufferReservation | None = None,
        longest_s: float = LONGEST_S,
        progress: Progress = silent,
        program: Callable[[str, Arch], Path] = binary,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._device = device
        self._needs = needs
        self._folder = workdir / RAW_FOLDER
        self._counters = workdir / COUNTERS_FILE
        self._period_ms = period_ms or (EMULATED_PERIOD_MS if device.emulated else PERIOD_MS)
        self._limits = limits
        self._reservation = reservation
        self._longest_s = longest_s
        self._progress = progress
        self._program = program
        self._sleep = sleep or device.sleep
        self._remote = RemoteFolder(device)
        self._poller = Poller(device, self._remote, self._period_ms)
        self._session: PerfettoSession | None = None
        self._start_ns = 0
        self._probes: ProbeSet | None = None
        self._missing_probes: dict[str, str] = {}
        self._probe_cost_ns: float | None = None
        self._events: tuple[str, ...] = ()
        self._missing: tuple[str, ...] = ()

    def start(self) -> None:
        """Push the programs and start recording."""
        with self._cancelled_on_error():
            self._folder.mkdir(parents=True, exist_ok=True)
            arch = arch_of(self._device)
            self._remote.make()
            end_leftover(self._device)
            self._start_ns = uptime_ns(self._device)
            self._session = self._prepared()
            self._session.start()
            if self._probes is not None and PROBE_COST in {one.probe.name for one in self._probes.placed}:
                self._remote.push_program("probe-cost", self._program("probe-cost", arch))
                self._probe_cost_ns = measure_cost(self._device, self._remote)
            self._poller.start(self._program("poller", arch))

    def begin_text(self) -> str:
        """Shell text that takes the begin sample; the measured window starts when it is complete."""
        return self._poller.once_text("begin")

    def end_text(self) -> str:
        """Shell text that takes the end sample; the measured window ends where it starts."""
        return self._poller.once_text("end")

    def wrap(self, order: str) -> str:
        """``order`` between the begin and the end sample, as one shell text.

        Its exit status is the order's, which may call ``exit``; it is the failed sample's if one
        fails, and without a begin sample the order does not run. Run it once, between `start` and
        `stop`.
        """
        return (
            f"( {self.begin_text()} || exit\n(\n{order}\n)\norder_status=$?\n"
            f"{self.end_text()} || exit\nexit $order_status )"
        )

    def stop(self) -> RawCapture:
        """End the recording, copy it to the host, and undo everything on the device.

        UsageError if a sample at the window's edges is missing; StateError if something on the
        device cannot be undone.
        """
        with self._cancelled_on_error():
            if self._session is None:
                raise UsageError(
                    "a capture was stopped without being started",
                    device=self._device.serial,
                    next_step="call start, run the text of wrap, call stop",
                )
            (begin_line, begin), (end_line, end) = self._poller.edges()
            poller_died = self._poller.stop()
            self._session.stop()
            stop_ns = uptime_ns(self._device)
            self._session.collect(self._folder)
            between = self._collect_counters(begin_line, end_line)
            no_sample = None if between or poller_died else "the counter poller wrote no sample"
            missed = self._probes.misses() if self._probes is not None else ()
            self._session.close()
            if self._probes is not None:
                self._probes.remove()
            if self._reservation is not None:
                self._reservation.hold()
            self._remote.remove()
        return RawCapture(
            serial=self._device.serial,
            folder=self._folder,
            counters=self._counters,
            start_ns=self._start_ns,
            stop_ns=stop_ns,
            begin=begin,
            end=end,
            between=tuple(
                sample for sample in between if begin.t_end_boot_ns < sample.t_boot_ns < end.t_boot_ns
            ),
            poller_period_ms=self._period_ms,
            events=self._events,
            missing_events=self._missing,
            troubles=(*filter(None, (poller_died, no_sample)), *missed, *self._session.troubles),
            probes=self._probes.placed if self._probes is not None else (),
            missing_probes=self._missing_probes,
            probe_cost_ns=self._probe_cost_ns,
        )

    def cancel(self) -> None:
        """Undo everything on the device without a result. Raises nothing, even if the device is gone."""
        with contextlib.suppress(SuiteError):
            self._poller.stop()
        if self._session is not None:
            self._session.close(quiet=True)
        if self._probes is not None:
            self._probes.remove(quiet=True)
        self._remote.remove(quiet=True)

    @contextlib.contextmanager
    def _cancelled_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.cancel()
            raise

    def _collect_counters(self, begin_line: str, end_line: str) -> list[Sample]:
        pulled = self._folder / "samples.jsonl"
        self._poller.pull(pulled)
        samples = read_samples(pulled, device=self._device.serial)
        body = pulled.read_text(encoding="utf-8").rpartition("\n")[0]
        lines = [begin_line, *body.splitlines(), end_line]
        self._counters.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return samples

    def _prepared(self) -> PerfettoSession:
        """Place the probes, and find the events that can be recorded. DeviceError without Perfetto."""
        self._events = events.wanted(self._needs.ftrace_events)
        root = events.tracefs_root(self._device)
        service = read_service(self._device)
        if service is None:
            raise DeviceError(
                "the device has no perfetto",
                device=self._device.serial,
                next_step="measure on Android 10 or newer, where it is part of the system",
            )
        if root is not None:
            asked = {*self._events, *events.EXTRA_EVENTS}
            self._events, missing = events.split_present(self._device, root, asked)
            self._missing = tuple(event for event in missing if event not in events.EXTRA_EVENTS)
        if self._needs.probes:
            self._place_probes(root)
        return PerfettoSession(
            self._device,
            self._events,
            self._period_ms,
            service=service,
            mem_total_kb=mem_total_kb(self._device),
            cpus=cpu_count(self._device),
            longest_s=self._longest_s,
            tracefs=root,
            power_rails=self._needs.power_rails,
            probes=bool(self._probes and self._probes.placed),
            limits=self._limits,
            progress=self._progress,
            sleep=self._sleep,
        )

    def _place_probes(self, root: str | None) -> None:
        if root is None or not self._device.is_root:
            why = "recording calls of kernel functions needs tracefs and a root shell"
            self._missing_probes = {probe.name: why for probe in sorted(self._needs.probes)}
            return
        self._probes = ProbeSet(self._device, root, self._sleep)
        self._probes.place(self._needs.probes)
        present, _ = events.split_present(self._device, root, self._probes.events)
        self._probes.keep(present)
        self._probes.filter_by(parse_status(self._device.script(PROC_SCRIPT).stdout))
        self._missing_probes = dict(self._probes.missing)
        self._events = (*self._events, *self._probes.events)


def reserve_buffer(
    device: Device, needs: Needs, sleep: Callable[[float], None]
) -> contextlib.AbstractContextManager[BufferReservation | None]:
    """Reserve the kernel's trace buffer of a `Capture` of ``needs``; None on a phone, which has room.

    Enter it before the workload fills the memory.
    """
    root = events.tracefs_root(device) if device.emulated and device.is_root else None
    if root is None:
        return contextlib.nullcontext()
    limits = held_limits(mem_total_kb(device), cpu_count(device), LONGEST_S, probes=bool(needs.probes))
    return BufferReservation(device, root, limits.cpu_buffer_kb, sleep)
