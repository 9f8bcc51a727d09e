"""One recording on one device: start trace and counters, wrap the measured order, stop, undo."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from foundation.contract.arch import Arch, arch_of
from foundation.contract.conventions import PROBE_COST
from foundation.contract.device import Device
from foundation.contract.needs import Needs
from foundation.errors import DeviceError, SuiteError, UsageError
from foundation.progress import Progress, silent
from harness.capture import events
from harness.capture.buffer_reservation import BufferReservation
from harness.capture.facts import Facts, read_facts
from harness.capture.ftrace.ftrace_session import BUFFER_FACTOR_PROBES, FtraceSession, buffer_kb
from harness.capture.perfetto.perfetto_service import PerfettoService, read_service
from harness.capture.perfetto.perfetto_session import PerfettoSession
from harness.capture.poller import EMULATED_PERIOD_MS, PERIOD_MS, Poller
from harness.capture.probes import ProbeSet, measure_cost
from harness.capture.process_tree import PROC_SCRIPT, Thread, parse_status
from harness.capture.raw import Backend, RawCapture
from harness.capture.remote import RemoteFolder
from harness.capture.samples import Sample, read_samples
from harness.native.build import binary

RAW_FOLDER: Final = "capture-raw"
COUNTERS_FILE: Final = "counters.jsonl"

#: An abandoned recording ends by itself after this time.
LONGEST_S: Final = 30 * 60.0


class Session(Protocol):
    """A backend: the kernel's tracer or Perfetto.

    ``cpus`` are those with a raw buffer, ``troubles`` void reasons met while recording.
    """

    cpus: tuple[int, ...]
    troubles: tuple[str, ...]

    def start(self) -> None:
        """Start recording. DeviceError or StateError, with everything undone."""
        ...

    def stop(self) -> None:
        """Stop recording; the data stays on the device."""
        ...

    def collect(self, folder: Path) -> None:
        """Copy the recording into ``folder`` on the host."""
        ...

    def close(self, *, quiet: bool = False) -> None:
        """Undo everything on the device; may be called twice. StateError unless ``quiet``."""
        ...


class Capture:
    """Records one repetition: `start`, the order that `wrap` makes, `stop`.

    Uses Perfetto if the device has it, else ftrace (needs root); only ftrace records calls of
    kernel functions, so with ``needs.probes`` and root it is ftrace. Files go to ``workdir``.
    Perfetto's recording ends by itself after ``longest_s``; ``progress`` reports the pull of a
    large trace; ``program`` finds the suite's native programs. Side effects on the device (trace
    buffer, probes, poller, a folder under /data/local/tmp) last until `stop` or `cancel`, or
    until a call here raises.
    """

    def __init__(
        self,
        device: Device,
        needs: Needs,
        workdir: Path,
        *,
        period_ms: int | None = None,
        backend: Backend | None = None,
        buffer_kb_per_cpu: int | None = None,
        reservation: BufferReservation | None = None,
        longest_s: float = LONGEST_S,
        progress: Progress = silent,
        program: Callable[[str, Arch], Path] = binary,
    ) -> None:
        self._device = device
        self._needs = needs
        self._folder = workdir / RAW_FOLDER
        self._counters = workdir / COUNTERS_FILE
        self._period_ms = period_ms or (EMULATED_PERIOD_MS if device.emulated else PERIOD_MS)
        self._backend: Backend | None = backend
        self._buffer_kb = buffer_kb_per_cpu
        self._reservation = reservation
        self._longest_s = longest_s
        self._progress = progress
        self._program = program
        self._remote = RemoteFolder(device)
        self._poller = Poller(device, self._remote, self._period_ms)
        self._session: Session | None = None
        self._facts: Facts | None = None
        self._probes: ProbeSet | None = None
        self._missing_probes: dict[str, str] = {}
        self._probe_cost_ns: float | None = None
        self._events: tuple[str, ...] = ()
        self._missing: tuple[str, ...] = ()
        self._threads_begin: tuple[Thread, ...] = ()

    def start(self) -> None:
        """Push the programs and start recording."""
        with self._cancelled_on_error():
            self._folder.mkdir(parents=True, exist_ok=True)
            arch = arch_of(self._device)
            self._remote.make()
            self._remote.push_program("recorder", self._program("recorder", arch))
            self._facts = read_facts(self._device, self._remote)
            self._threads_begin = self._read_threads()
            self._session = self._choose(self._facts)
            if self._reservation is not None:
                self._reservation.release()
            self._session.start()
            if self._probes is not None and PROBE_COST in {one.probe.name for one in self._probes.placed}:
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
            if self._session is None or self._facts is None:
                raise UsageError(
                    "a capture was stopped without being started",
                    device=self._device.serial,
                    next_step="call start, run the text of wrap, call stop",
                )
            (begin_line, begin), (end_line, end) = self._poller.edges()
            poller_died = self._poller.stop()
            self._session.stop()
            stop_ns = read_facts(self._device, self._remote).boot_ns
            threads_end = self._read_threads()
            self._session.collect(self._folder)
            between = self._collect_counters(begin_line, end_line)
            no_sample = None if between or poller_died else "the counter poller wrote no sample"
            cpus = self._session.cpus
            missed = self._probes.misses() if self._probes is not None else ()
            self._session.close()
            if self._probes is not None:
                self._probes.remove()
            if self._reservation is not None:
                self._reservation.hold()
            self._remote.remove()
        return RawCapture(
            serial=self._device.serial,
            backend="perfetto" if isinstance(self._session, PerfettoSession) else "ftrace",
            folder=self._folder,
            counters=self._counters,
            facts=self._facts,
            start_ns=self._facts.boot_ns,
            stop_ns=stop_ns,
            begin=begin,
            end=end,
            between=tuple(
                sample for sample in between if begin.t_end_boot_ns < sample.t_boot_ns < end.t_boot_ns
            ),
            poller_period_ms=self._period_ms,
            events=self._events,
            missing_events=self._missing,
            cpus=cpus,
            threads_begin=self._threads_begin,
            threads_end=threads_end,
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

    def _read_threads(self) -> tuple[Thread, ...]:
        return tuple(parse_status(self._device.script(PROC_SCRIPT).stdout))

    def _collect_counters(self, begin_line: str, end_line: str) -> list[Sample]:
        pulled = self._folder / "samples.jsonl"
        self._poller.pull(pulled)
        samples = read_samples(pulled, device=self._device.serial)
        body = pulled.read_text(encoding="utf-8").rpartition("\n")[0]
        lines = [begin_line, *body.splitlines(), end_line]
        self._counters.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return samples

    def _choose(self, facts: Facts) -> Session:
        self._events = events.wanted(self._needs.ftrace_events)
        root = events.tracefs_root(self._device)
        service = self._service(root)
        if self._needs.probes:
            self._place_probes(None if service else root)
        if root is not None:
            self._events, self._missing = events.split_present(
                self._device, root, self._events, by_service=service is not None
            )
        if service is not None:
            return PerfettoSession(
                self._device,
                self._events,
                self._period_ms,
                service=service,
                mem_total_kb=mem_total_kb(self._device),
                cpus=facts.cpus,
                longest_s=self._longest_s,
                tracefs=root,
                power_rails=self._needs.power_rails,
                progress=self._progress,
            )
        if root is None:
            raise DeviceError(
                "the device has neither perfetto nor a readable tracefs",
                device=self._device.serial,
                next_step="mount -t tracefs nodev /sys/kernel/tracing (needs root)",
            )
        size = self._buffer_kb or usual_buffer_kb(self._device, self._needs, facts.cpus)
        probes = self._probes.events if self._probes is not None else ()
        filters = self._probes.filters(self._threads_begin) if self._probes is not None else {}
        self._events = (*self._events, *probes)
        return FtraceSession(self._device, self._remote, root, self._events, size, filters)

    def _service(self, root: str | None) -> PerfettoService | None:
        """The Perfetto to record with; None for ftrace."""
        backend = self._backend or usual_backend(self._device, self._needs, root)
        if backend == "ftrace":
            return None
        service = read_service(self._device)
        if service is None:
            raise DeviceError("the device has no perfetto", device=self._device.serial)
        return service

    def _place_probes(self, root: str | None) -> None:
        if root is not None:
            self._probes = ProbeSet(self._device, root)
            self._probes.place(self._needs.probes)
            self._missing_probes = dict(self._probes.missing)
        else:
            why = "recording calls of kernel functions needs ftrace and a root shell"
            self._missing_probes = {probe.name: why for probe in sorted(self._needs.probes)}


def usual_backend(device: Device, needs: Needs, root: str | None) -> Backend:
    """Perfetto if the device has it, else ftrace; ``root`` is where tracefs can be read, or None."""
    if needs.probes and root is not None and device.is_root:
        return "ftrace"
    return "perfetto" if read_service(device) else "ftrace"


def mem_total_kb(device: Device) -> int:
    """MemTotal of /proc/meminfo, KiB."""
    return int(device.read_text("/proc/meminfo").partition("\n")[0].split()[1])


def usual_buffer_kb(device: Device, needs: Needs, cpus: int) -> int:
    """Size of ftrace's buffer for each CPU, by the device's memory and the amount of data, KiB."""
    return buffer_kb(mem_total_kb(device), cpus) * (BUFFER_FACTOR_PROBES if needs.probes else 1)


def reserve_buffer(
    device: Device, needs: Needs
) -> contextlib.AbstractContextManager[BufferReservation | None]:
    """Reserve the trace buffer of a `Capture` of ``needs``; None with Perfetto, which has its own.

    Enter it before the workload fills the memory.
    """
    root = events.tracefs_root(device)
    if root is None or not device.is_root or usual_backend(device, needs, root) == "perfetto":
        return contextlib.nullcontext()
    cpus = int(device.script("ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l").stdout)
    return BufferReservation(device, root, usual_buffer_kb(device, needs, cpus))
