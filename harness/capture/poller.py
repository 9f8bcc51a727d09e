"""The counter poller on the device: push it, run it during the workload, stop it, pull its lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from foundation.contract import threads
from foundation.contract.device import Device, RemoteProcess
from harness.capture.remote import RemoteFolder
from harness.capture.samples import Mark, Sample, parse_sample

PERIOD_MS: Final = 250

#: A sample costs an emulated device 6 to 17 ms of CPU, a phone less than one.
EMULATED_PERIOD_MS: Final = 1000
ONCE_DEADLINE_S: Final = 30.0

#: Files with one number each, polled if they exist.
EXTRA_GLOBS: Final = (
    "/sys/kernel/zram_kcompressd/*",
    "/sys/kernel/mm/kcompressd/*",
    # Throttling lowers these.
    "/sys/devices/system/cpu/cpufreq/policy*/scaling_max_freq",
)

PROGRAM: Final = "poller"
OUTPUT: Final = "samples.jsonl"


class Poller:
    """Samples counters until `stop`. Without root the schedstat of kernel threads may be hidden.

    Side effects: one process until `stop`, and files in the remote folder.
    """

    def __init__(self, device: Device, remote: RemoteFolder, period_ms: int) -> None:
        self._device = device
        self._remote = remote
        self._period_ms = period_ms
        self._extra: Sequence[str] = ()
        self._process: RemoteProcess | None = None

    def start(self, program: Path) -> None:
        """Push ``program`` and run it until `stop`."""
        self._remote.push_program(PROGRAM, program)
        self._extra = self._device.script(f"ls -d {' '.join(EXTRA_GLOBS)} 2>/dev/null; true").stdout.split()
        output = self._remote.path(OUTPUT)
        self._device.push_bytes(b"", output)
        path = self._remote.path(PROGRAM)
        self._process = self._device.spawn(run_argv(path, self._period_ms, output, self._extra))

    def once(self, mark: Mark) -> tuple[str, Sample]:
        """Read all sources now; returns the line as written, and the sample in it."""
        argv = once_argv(self._remote.path(PROGRAM), mark, self._extra)
        result = self._device.shell(argv, deadline_s=ONCE_DEADLINE_S)
        line = result.stdout.strip()
        return line, parse_sample(line, device=self._device.serial)

    def stop(self) -> str | None:
        """End it. Returns why its samples cannot be trusted, or None."""
        process, self._process = self._process, None
        if process is None:
            return None
        exit_status = process.poll()
        result = process.stop()
        if exit_status is None:
            return None
        output = (result.stderr or result.stdout).strip()[-200:]
        return f"the counter poller ended by itself with exit status {exit_status}: {output}"

    def pull(self, local: Path) -> None:
        """Pull its lines; the file may be empty."""
        self._device.pull(self._remote.path(OUTPUT), local)


def run_argv(program: str, period_ms: int, output: str, extra: Sequence[str]) -> list[str]:
    """The command that samples until it is killed; ``extra`` are files with one number each."""
    return [program, "--period-ms", str(period_ms), "--out", output, *_sources(extra)]


def once_argv(program: str, mark: str, extra: Sequence[str]) -> list[str]:
    """The command that takes one sample."""
    return [program, "--once", "--mark", mark, *_sources(extra)]


def _sources(extra: Sequence[str]) -> list[str]:
    # All roles as one POSIX extended regular expression.
    match = "|".join(f"({pattern})" for pattern in threads.PATTERNS.values())
    return ["--match", match, *(word for path in extra for word in ("--file", path))]
