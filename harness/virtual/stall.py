"""Tells an emulator that hangs from one that is slow: the first uses no CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

#: On a host with twenty busy threads a CPU, one that runs gets this much in a second.
_RUNS_S: Final = 0.05
STALL_S: Final = 20.0


class StallWatch:
    """Watches a machine from now on. ``cpu_s`` returns the CPU seconds that it has used."""

    def __init__(self, cpu_s: Callable[[], float], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._cpu_s = cpu_s
        self._clock = clock
        self._begin_cpu_s = self._seen_cpu_s = cpu_s()
        self._seen_s = clock()

    def used_s(self) -> float:
        """CPU seconds since the start of the watch: the deadline of a guest must not be the host's load."""
        return self._cpu_s() - self._begin_cpu_s

    def progress(self) -> None:
        """Something else shows that the machine runs."""
        self._seen_s, self._seen_cpu_s = self._clock(), self._cpu_s()

    def hung(self) -> str | None:
        """Why the machine hangs, or None: `STALL_S` have passed in which it used no CPU time."""
        now, cpu_s = self._clock(), self._cpu_s()
        if cpu_s - self._seen_cpu_s >= _RUNS_S:
            self._seen_s, self._seen_cpu_s = now, cpu_s
        elif now - self._seen_s >= STALL_S:
            return f"the emulator hangs: it has used no CPU time for {now - self._seen_s:.0f} s"
        return None
