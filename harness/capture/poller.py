"""The counter poller on the device: push it, run it during the workload, stop it, pull its lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from foundation.contract import threads
from foundation.contract.device import Device, RemoteProcess
from foundation.errors import UsageError
from foundation.quoting import quote
from harness.capture.remote import RemoteFolder
from harness.capture.samples import Mark, Sample, parse_sample

PERIOD_MS: Final = 250

#: A sample costs an emulated device 6 to 17 ms of CPU, a phone less than one.
EMULATED_PERIOD_MS: Final = 1000

#: Files with one number each, polled if they exist.
EXTRA_GLOBS: Final = (
    "/sys/kernel/zram_kcompressd/*",
    "/sys/kernel/mm/kcompressd/*",
    # Throttling lowers these, and so does a phone's power service.
    "/sys/devices/system/cpu/cpufreq/policy*/scaling_max_freq",
)

#: Of these, the ones of CPUs are polled: above 0, heat limits a frequency.
COOLING_TYPES: Final = "/sys/class/thermal/cooling_device*/type"

PROGRAM: Final = "poller"
OUTPUT: Final = "samples.jsonl"
#: The samples at the window's edges, one line each.
EDGES: Final = "edges.jsonl"


class Poller:
    """Samples counters until `stop`. Without root the schedstat of kernel threads may be hidden.

    The samples at the window's edges are taken by `once_text`, as part of an order to the device.

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
        listing = (
            f"ls -d {' '.join(EXTRA_GLOBS)} 2>/dev/null; grep -il cpu {COOLING_TYPES} 2>/dev/null; true"
        )
        listed = self._device.script(listing).stdout.split()
        self._extra = [
            f"{path.removesuffix('type')}cur_state" if path.endswith("/type") else path for path in listed
        ]
        output = self._remote.path(OUTPUT)
        # Made by the shell user, so that it can be read back if the samples are taken by root.
        for name in (OUTPUT, EDGES):
            self._device.push_bytes(b"", self._remote.path(name))
        path = self._remote.path(PROGRAM)
        self._process = self._device.spawn(run_argv(path, self._period_ms, output, self._extra))

    def once_text(self, mark: Mark) -> str:
        """Shell text that reads all sources and appends the sample to a file on the device."""
        argv = once_argv(self._remote.path(PROGRAM), mark, self._extra)
        return f"{' '.join(map(quote, argv))} >> {quote(self._remote.path(EDGES))}"

    def edges(self) -> tuple[tuple[str, Sample], tuple[str, Sample]]:
        """The begin and the end sample, each with its line as written.

        UsageError if not exactly one of each was taken, DeviceError if one is damaged.
        """
        text = self._device.read_text(self._remote.path(EDGES))
        taken = [(line, parse_sample(line, device=self._device.serial)) for line in text.splitlines()]
        if [sample.mark for _, sample in taken] != ["begin", "end"]:
            raise UsageError(
                f"the samples at the window's edges are {[sample.mark for _, sample in taken]}, "
                "not one at the begin and one at the end",
                device=self._device.serial,
                next_step="run the order that `Capture.wrap` makes once, between start and stop",
            )
        return taken[0], taken[1]

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
