"""Recording with the kernel's own tracer, in a buffer of the suite's own.

A tracefs instance is used, so that whatever else traces on the device is left alone; where
the kernel has no instances the top-level buffer is used, if it is idle. The buffer is
read after the recording has stopped: reading while it runs lost 77,000 events a run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from foundation.contract.device import Device
from foundation.errors import CommandFailed, DeviceError, StateError, SuiteError
from foundation.quoting import quote
from harness.capture.buffer_reservation import expand_top_level
from harness.capture.ftrace.ftrace_format import parse_header_page
from harness.capture.ftrace.ftrace_stats import CpuStats, parse_stats, stats_to_json
from harness.capture.remote import RemoteFolder

INSTANCE: Final = "reclaim-suite"
BUFFER_KB_MIN: Final = 8 * 1024
BUFFER_KB_MAX: Final = 16 * 1024

#: Recorded calls of kernel functions: eight to twelve records for each page that is swapped out.
BUFFER_FACTOR_PROBES: Final = 2

#: Share of the device's memory that all buffers together may take, if that is above the minimum.
BUFFER_MEMORY_SHARE: Final = 0.06

#: Read in parts: on a small device the file system is memory, taken from the apps.
DRAIN_BYTES: Final = 4 * 1024 * 1024
DRAIN_DEADLINE_S: Final = 120.0

SEPARATOR: Final = "@@@"

_EXPANDED: Final = re.compile(r"expanded: (\d+)")


def buffer_kb(mem_total_kb: int, cpus: int) -> int:
    """Size of each CPU's buffer: a share of memory, within fixed bounds."""
    share = int(mem_total_kb * BUFFER_MEMORY_SHARE / max(cpus, 1))
    return min(max(share, BUFFER_KB_MIN), BUFFER_KB_MAX)


def drain_argv(recorder: str, page_size: str, output: str, pipe: str) -> list[str]:
    """Copies at most `DRAIN_BYTES` of a CPU's buffer to a file."""
    size = ["--page-size", page_size, "--limit", str(DRAIN_BYTES)]
    return [recorder, "drain", *size, "--out", output, pipe]


class FtraceSession:
    """One recording with ftrace; needs root and a mounted tracefs at ``root``.

    Side effects until `close`: a tracefs instance (or settings of the top-level buffer)
    with the given events enabled, those in ``filters`` only where the filter lets them pass.
    """

    def __init__(
        self,
        device: Device,
        remote: RemoteFolder,
        root: str,
        events: Sequence[str],
        buffer_kb_per_cpu: int,
        filters: Mapping[str, str] | None = None,
    ) -> None:
        self._device = device
        self._remote = remote
        self._root = root
        self._events = tuple(events)
        self._filters = dict(filters or {})
        self._buffer_kb = buffer_kb_per_cpu
        self._base: str | None = None
        self._restore: str | None = None
        self.own_instance = True
        self.troubles: tuple[str, ...] = ()
        self.cpus: tuple[int, ...] = ()
        self.stats_begin: list[CpuStats] = []
        self.stats_end: list[CpuStats] = []

    def start(self) -> None:
        """Set the buffer up and switch recording on. StateError if a setting does not hold."""
        if not self._device.is_root:
            raise DeviceError(
                "recording with ftrace needs a root shell",
                device=self._device.serial,
                next_step="use a userdebug build (`adb root`), or a device with perfetto",
            )
        try:
            self._open_buffer()
            self._configure()
            self.stats_begin = self._read_stats()
            self._device.script(f"echo 1 > {self._base}/tracing_on")
        except BaseException:
            self.close(quiet=True)
            raise

    def stop(self) -> None:
        """Switch recording off and read how much was lost; the buffer keeps its records."""
        switch = f"{self._base}/tracing_on"
        if self._device.script(f"cat {switch} && echo 0 > {switch}").stdout.strip() != "1":
            self.troubles = ("the kernel or another program had switched the recording off",)
        self.stats_end = self._read_stats()

    def collect(self, folder: Path) -> None:
        """Read the stopped buffer into ``folder``: cpuN.raw, formats.txt, header_page.txt, stats_*.json."""
        page = self._device.read_text(f"{self._root}/events/header_page")
        (folder / "header_page.txt").write_text(page, encoding="utf-8")
        (folder / "formats.txt").write_text(self._formats(), encoding="utf-8")
        (folder / "stats_begin.json").write_text(stats_to_json(self.stats_begin), encoding="utf-8")
        (folder / "stats_end.json").write_text(stats_to_json(self.stats_end), encoding="utf-8")
        page_size = parse_header_page(page).page_size
        for cpu in self.cpus:
            self._drain(cpu, page_size, folder / f"cpu{cpu}.raw")

    def close(self, *, quiet: bool = False) -> None:
        """Undo everything and check that it is undone; may be called twice.

        StateError if the device is not as it was found. With ``quiet`` errors are
        swallowed: another error is on its way out and must not be hidden.
        """
        if self._base is None:
            return
        try:
            self._undo()
        except SuiteError:
            if not quiet:
                raise
        finally:
            self._base = None

    def _open_buffer(self) -> None:
        instance = f"{self._root}/instances/{INSTANCE}"
        # One that is left over from a run that was killed is ours to remove.
        self._device.script(f"[ -d {instance} ] && rmdir {instance}; true")
        made = self._device.script(f"mkdir {instance}", check=False)
        if made.exit_status == 0:
            self._base = instance
            expand_top_level(self._device, self._root)
            return
        if self._device.script(f"[ -d {instance} ]", check=False).exit_status == 0:
            raise StateError(
                f"the trace instance {INSTANCE} of an earlier run is still in use",
                device=self._device.serial,
                next_step=f"end what holds it open, then rmdir {instance}",
            )
        self.own_instance = False
        busy = self._device.read_text(f"{self._root}/set_event").strip()
        if busy:
            raise StateError(
                "this kernel has no trace instances, and its only trace buffer is in use "
                f"({busy.split()[0]} is enabled)",
                device=self._device.serial,
                next_step="end the other trace session",
            )
        self._restore = self._restore_script()
        self._base = self._root

    def _restore_script(self) -> str:
        found = {
            name: self._device.read_text(f"{self._root}/{name}").strip()
            for name in ("tracing_on", "buffer_size_kb", "trace_clock")
        }
        size = _EXPANDED.search(found["buffer_size_kb"])
        kb = size[1] if size else found["buffer_size_kb"]
        clock = re.search(r"\[(\w+)\]", found["trace_clock"])
        if not kb.isdigit() or clock is None:
            raise StateError(
                f"the trace buffer's settings cannot be put back as they are: {found}",
                device=self._device.serial,
                next_step="give every CPU's buffer the same size",
            )
        return (
            f"echo {clock[1]} > {self._root}/trace_clock && echo {kb} > {self._root}/buffer_size_kb"
            f" && echo {found['tracing_on']} > {self._root}/tracing_on"
        )

    def _configure(self) -> None:
        base = self._base
        lines = [
            f"echo 0 > {base}/tracing_on",
            f"echo boot > {base}/trace_clock",
            f"echo {self._buffer_kb} > {base}/buffer_size_kb",
            *(
                f"echo {quote(text)} > {base}/events/{event}/filter"
                for event, text in self._filters.items()
            ),
            *(f"echo 1 > {base}/events/{event}/enable" for event in self._events),
            f"cat {base}/trace_clock",
            f"cat {base}/buffer_size_kb",
            *(f"cat {base}/events/{event}/enable" for event in self._events),
            *(f"cat {base}/events/{event}/filter" for event in self._filters),
            f"ls {base}/per_cpu",
        ]
        try:
            output = self._device.script(" &&\n".join(lines)).stdout.splitlines()
        except CommandFailed as failed:
            raise StateError(
                f"the trace buffer could not be set up: {failed.stderr.strip() or failed.stdout.strip()}",
                device=self._device.serial,
                next_step=f"a buffer of {self._buffer_kb} KiB a CPU may be more than the device has free",
            ) from failed
        clock, size, *rest = output
        enabled = rest[: len(self._events)]
        filters, rest = rest[len(self._events) :][: len(self._filters)], rest[len(self._events) :]
        off = [name for name, state in zip(self._events, enabled, strict=True) if state.strip() != "1"]
        off += [
            name
            for (name, text), said in zip(self._filters.items(), filters, strict=True)
            if said.strip() != text
        ]
        if "[boot]" not in clock or int(size.split()[0]) < self._buffer_kb or off:
            raise StateError(
                f"the trace buffer did not take its settings: clock {clock.strip()!r}, size {size!r}, "
                f"not enabled: {off}",
                device=self._device.serial,
                next_step="read the files under /sys/kernel/tracing on the device by hand",
            )
        self.cpus = tuple(
            sorted(int(word[3:]) for word in rest[len(self._filters) :] if word.startswith("cpu"))
        )

    def _read_stats(self) -> list[CpuStats]:
        lines = [f"cat {self._base}/per_cpu/cpu{cpu}/stats; echo {SEPARATOR}" for cpu in self.cpus]
        parts = self._device.script("\n".join(["set -e", *lines])).stdout.split(SEPARATOR)
        return [parse_stats(cpu, part) for cpu, part in zip(self.cpus, parts, strict=False)]

    def _formats(self) -> str:
        return self._device.script(
            "\n".join(
                f"echo '{SEPARATOR} {event}'; cat {self._root}/events/{event}/format"
                for event in self._events
            )
        ).stdout

    def _drain(self, cpu: int, page_size: int, target: Path) -> None:
        remote = self._remote.path(f"cpu{cpu}.raw")
        part = target.with_suffix(".part")
        target.write_bytes(b"")
        empty = False
        while not empty:
            pipe = f"{self._base}/per_cpu/cpu{cpu}/trace_pipe_raw"
            argv = drain_argv(self._remote.path("recorder"), str(page_size), remote, pipe)
            result = self._device.shell(argv, deadline_s=DRAIN_DEADLINE_S)
            told = json.loads(result.stdout)
            empty = bool(told["empty"])
            self._device.pull(remote, part)
            if part.stat().st_size != told["bytes"]:
                raise DeviceError(
                    f"{part.stat().st_size} of {told['bytes']} bytes of CPU {cpu}'s trace arrived",
                    device=self._device.serial,
                    next_step="measure the repetition again",
                )
            with target.open("ab") as file:
                file.write(part.read_bytes())
            part.unlink()
        self._device.shell(["rm", "-f", remote])

    def _undo(self) -> None:
        base = self._base
        off = [
            f"echo 0 > {base}/tracing_on",
            *(f"echo 0 > {base}/events/{name}/enable" for name in self._events),
        ]
        self._device.script("; ".join([*off, "true"]))
        if self._restore is not None:
            self._device.script(f"echo > {self._root}/trace; {self._restore}")
            left = self._device.read_text(f"{self._root}/set_event").strip()
        else:
            self._device.script(f"rmdir {base}; true", deadline_s=60.0)
            gone = self._device.script(f"[ ! -d {base} ]", check=False).exit_status == 0
            left = "" if gone else base or ""
        if left:
            raise StateError(
                f"the trace buffer could not be put back as it was found: {left.split()[0]} is left",
                device=self._device.serial,
                next_step="remove it by hand, or reboot the device",
            )
