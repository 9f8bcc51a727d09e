"""The share of the host's CPUs that other processes used during a measurement.

An emulated device slows down on a busy host, and the guest cannot see it: it has no steal
time. So the host's CPU time is split into the device's, the suite's, and that of others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.errors import HostError

_PROC: Final = Path("/proc")

#: A virtual device is our child process; its CPU time comes from its own counter.
_DEVICE_COMM: Final = "qemu-system"


@dataclass(frozen=True)
class _Reading:
    """CPU seconds: of the whole host, of the device, of the suite's processes."""

    at_s: float
    busy_s: float
    steal_s: float
    device_s: float | None
    own_s: float


class HostLoad:
    """Measures from `start` to `stop`. HostError without /proc.

    ``device_cpu_s`` returns the device's CPU seconds so far (None for a real device);
    ``own_pid`` is the suite's process, counted with all children that run or were waited for.
    """

    def __init__(
        self,
        *,
        device_cpu_s: Callable[[], float | None] = lambda: None,
        own_pid: int | None = None,
        proc: Path = _PROC,
    ) -> None:
        self._device_cpu_s = device_cpu_s
        self._own_pid = os.getpid() if own_pid is None else own_pid
        self._proc = proc
        self._tick = os.sysconf("SC_CLK_TCK")
        self._begin: _Reading | None = None

    def start(self) -> None:
        """Take the first reading."""
        self._begin = self._read()

    def stop(self) -> dict[str, float | None]:
        """Shares of all CPU capacity since `start`.

        ``other_cpu_share``: used by neither the device nor the suite; ``device_cpu_share``
        (None without a device on this host); ``own_cpu_share``; ``steal_share``: taken
        from this host by a hypervisor. A share of 1.0 is ``cpus`` times ``dur_s``.
        """
        if self._begin is None:
            raise HostError("HostLoad was stopped before it was started", next_step="call start first")
        begin, end = self._begin, self._read()
        cpus = os.cpu_count() or 1
        dur_s = max(end.at_s - begin.at_s, 1e-9)
        capacity_s = dur_s * cpus
        device_s = None
        if begin.device_s is not None and end.device_s is not None:
            device_s = end.device_s - begin.device_s
        own_s = max(end.own_s - begin.own_s, 0.0)
        other_s = end.busy_s - begin.busy_s - own_s - (device_s or 0.0)
        return {
            "other_cpu_share": max(other_s, 0.0) / capacity_s,
            "device_cpu_share": None if device_s is None else device_s / capacity_s,
            "own_cpu_share": own_s / capacity_s,
            "steal_share": (end.steal_s - begin.steal_s) / capacity_s,
            "cpus": float(cpus),
            "dur_s": dur_s,
        }

    def _read(self) -> _Reading:
        user, nice, system, _idle, _iowait, irq, softirq, steal = self._host_ticks()
        return _Reading(
            at_s=time.monotonic(),
            busy_s=(user + nice + system + irq + softirq) / self._tick,
            steal_s=steal / self._tick,
            device_s=self._device_cpu_s(),
            own_s=self._own_ticks() / self._tick,
        )

    def _host_ticks(self) -> list[int]:
        try:
            line = (self._proc / "stat").read_text().partition("\n")[0]
        except OSError as error:
            raise HostError(
                f"the host's load cannot be read: {error}", next_step="run the suite on Linux"
            ) from error
        # Eight fields are enough: user and nice include guest time (man 5 proc).
        return [int(word) for word in (*line.split()[1:9], *["0"] * 8)[:8]]

    def _own_ticks(self) -> int:
        """Ticks of the suite's process tree without its virtual machines.

        A child that ended is counted by the parent that waited for it.
        """
        children: dict[int, list[int]] = {}
        ticks: dict[int, int] = {}
        for folder in self._proc.iterdir():
            if not folder.name.isdigit():
                continue
            try:
                text = (folder / "stat").read_text(errors="replace")
            except OSError:
                continue  # the process has ended
            comm, _, rest = text.partition("(")[2].rpartition(")")
            fields = rest.split()
            pid, parent = int(folder.name), int(fields[1])
            if not comm.startswith(_DEVICE_COMM):
                children.setdefault(parent, []).append(pid)
            ticks[pid] = sum(int(word) for word in fields[11:15])
        total, left = 0, [self._own_pid]
        while left:
            pid = left.pop()
            total += ticks.get(pid, 0)
            left += children.get(pid, [])
        return total
