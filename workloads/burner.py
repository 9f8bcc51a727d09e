"""The CPU burner: the conditions "all CPUs busy" and "all CPUs taken by real-time threads"."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from foundation.contract.device import Device, RemoteProcess
from foundation.errors import DeviceError

REMOTE: Final = "/data/local/tmp/reclaim-suite-burner"
BUSY_SHARE_MIN: Final = 0.9
_CHECK_S: Final = 0.5
_ATTEMPTS: Final = 6


@dataclass(frozen=True)
class RealTime:
    """Threads of policy SCHED_FIFO that take all CPUs for ``busy_ms`` of each ``every_ms``.

    They do so at the same time on all CPUs: meanwhile no thread of a lower priority or of the
    normal policy runs anywhere. The rest of the time is left to the device, which else would
    not even answer; it is more than the kernel's own limit for real-time threads leaves
    (sched_rt_runtime_us of sched_rt_period_us, 95 % by default), which is not touched.
    """

    priority: int = 1
    busy_ms: int = 80
    every_ms: int = 100

    @property
    def share(self) -> float:
        """Of each CPU's time."""
        return self.busy_ms / self.every_ms

    def argv(self) -> list[str]:
        """Options of the burner."""
        return [
            *("--fifo", str(self.priority)),
            *("--busy-ms", str(self.busy_ms), "--every-ms", str(self.every_ms)),
        ]


class CpuBurner:
    """Keeps every CPU of a device busy while the ``with`` block runs.

    One spinning thread pinned to each CPU: at normal nice, as a program of the user would be,
    or as ``realtime`` says. ``program`` is the burner on the host, built for the device. Side
    effects: one process and one file in /data/local/tmp, both gone at the end. Needs no root, but
    for real-time threads. DeviceError if a CPU stays idle, since then the condition is not met.
    """

    def __init__(
        self,
        device: Device,
        program: Path,
        sleep: Callable[[float], None] = time.sleep,
        *,
        realtime: RealTime | None = None,
    ) -> None:
        self._device = device
        self._program = program
        self._sleep = sleep
        self._realtime = realtime
        self._process: RemoteProcess | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _start(self) -> None:
        self._device.push(self._program, REMOTE, mode=0o755)
        realtime = self._realtime
        share_min = BUSY_SHARE_MIN * (realtime.share if realtime else 1.0)
        self._process = self._device.spawn([REMOTE, "--all-cpus", *(realtime.argv() if realtime else ())])
        shares: dict[str, float] = {}
        before = self._idle_ticks()
        for _ in range(_ATTEMPTS):
            self._sleep(_CHECK_S)
            ended = self._process.poll()
            if ended is not None:
                raise DeviceError(
                    f"the CPU burner ended with exit status {ended}",
                    device=self._device.serial,
                    next_step="real-time threads need a root shell" if realtime else None,
                )
            after = self._idle_ticks()
            shares = busy_shares(before, after)
            if shares and min(shares.values()) >= share_min:
                return
            before = after
        text = ", ".join(f"{cpu} {share:.0%}" for cpu, share in sorted(shares.items()))
        raise DeviceError(
            f"the CPU burner does not keep every CPU busy: {text}",
            device=self._device.serial,
            next_step="check that no CPU is offline, isolated, or forbidden to shell by a cpuset",
        )

    def _idle_ticks(self) -> dict[str, tuple[int, int]]:
        return parse_cpus(self._device.read_text("/proc/stat"))

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.stop()
        self._device.shell(["rm", "-f", REMOTE])


def parse_cpus(stat: str) -> dict[str, tuple[int, int]]:
    """/proc/stat -> CPU: (idle and iowait ticks, all ticks)."""
    found = {}
    for line in stat.splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu":
            # The last two fields, guest time, are part of user and nice (man 5 proc).
            ticks = [int(word) for word in fields[:8]]
            found[name] = (ticks[3] + ticks[4], sum(ticks))
    return found


def busy_shares(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> dict[str, float]:
    """Share of time each CPU was not idle between two readings; CPUs that did not tick are left out."""
    shares = {}
    for cpu, (idle, total) in after.items():
        idle_before, total_before = before.get(cpu, (0, 0))
        if total > total_before:
            shares[cpu] = 1 - (idle - idle_before) / (total - total_before)
    return shares
