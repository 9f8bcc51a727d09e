"""The CPU burner, for the conditions `busy` and `rt-busy`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from foundation.contract.device import Device, RemoteProcess
from foundation.errors import DeviceError

REMOTE: Final = "/data/local/tmp/reclaim-suite-burner"
BUSY_SHARE_MIN: Final = 0.9
_CHECK_S: Final = 0.5
_ATTEMPTS: Final = 6


@dataclass(frozen=True)
class RealTime:
    """SCHED_FIFO threads that take all CPUs at once for ``busy_ms`` of every ``every_ms``.

    Meanwhile no thread of lower priority or of the normal policy runs anywhere. The rest of the time
    is left to the device, which would not even answer otherwise. It is more than the kernel's limit
    for real-time threads leaves (sched_rt_runtime_us, by default 95 % of sched_rt_period_us), which is
    not changed.
    """

    priority: int = 1
    busy_ms: int = 80
    every_ms: int = 100

    @property
    def share(self) -> float:
        """Share of each CPU's time."""
        return self.busy_ms / self.every_ms

    def argv(self) -> list[str]:
        """The burner's options."""
        return [
            *("--fifo", str(self.priority)),
            *("--busy-ms", str(self.busy_ms), "--every-ms", str(self.every_ms)),
        ]


class CpuBurner:
    """Keeps every CPU of a device busy while the ``with`` block runs.

    One spinning thread is pinned to each CPU, at nice 0 like a user's program, or as ``realtime``
    defines. ``program`` is the burner on the host, built for the device. Side effects, undone at the
    end: a process, and a file in /data/local/tmp. Only real-time threads need root. DeviceError if a
    CPU stays idle, since the condition is not met.
    """

    def __init__(
        self,
        device: Device,
        program: Path,
        *,
        realtime: RealTime | None = None,
    ) -> None:
        self._device = device
        self._program = program
        self._realtime = realtime
        self._process: RemoteProcess | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def _start(self) -> None:
        self._device.push(self._program, REMOTE, mode=0o755)
        realtime = self._realtime
        share_min = BUSY_SHARE_MIN * (realtime.share if realtime else 1.0)
        self._process = self._device.spawn([REMOTE, "--all-cpus", *(realtime.argv() if realtime else ())])
        shares: dict[str, float] = {}
        before = self._idle_ticks()
        for _ in range(_ATTEMPTS):
            self._device.sleep(_CHECK_S)
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
            next_step="check that no CPU is offline, isolated, or excluded from the shell's cpuset",
        )

    def _idle_ticks(self) -> dict[str, tuple[int, int]]:
        return parse_cpus(self._device.read_text("/proc/stat"))

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.stop()
        self._device.shell(["rm", "-f", REMOTE])


def parse_cpus(stat: str) -> dict[str, tuple[int, int]]:
    """(idle and iowait ticks, all ticks) by CPU, from /proc/stat."""
    ticks_by_cpu = {}
    for line in stat.splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu":
            # The last two fields, guest time, are part of user and nice (man 5 proc).
            ticks = [int(word) for word in fields[:8]]
            ticks_by_cpu[name] = (ticks[3] + ticks[4], sum(ticks))
    return ticks_by_cpu


def busy_shares(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> dict[str, float]:
    """Share of time that each CPU was not idle between two readings, without CPUs that did not tick."""
    shares = {}
    for cpu, (idle, total) in after.items():
        idle_before, total_before = before.get(cpu, (0, 0))
        if total > total_before:
            shares[cpu] = 1 - (idle - idle_before) / (total - total_before)
    return shares
