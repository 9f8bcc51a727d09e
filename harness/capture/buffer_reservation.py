"""Memory for the kernel's trace buffer, reserved before a workload fills the device.

A kernel under memory pressure refuses a trace buffer larger than si_mem_available()
(kernel/trace/ring_buffer.c), which Perfetto does not notice, and a buffer that it grants evicts
pages of the workload. So an empty buffer of the same size is allocated before the workload starts,
and released for each recording: the workload has the same memory in every phase of a block.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from foundation.contract.device import Device
from foundation.errors import StateError, SuiteError

INSTANCE: Final = "reclaim-suite-room"

_EXPANDED: Final = re.compile(r"expanded: (\d+)")
_ATTEMPTS: Final = 10
_PAUSE_S: Final = 0.5
_AVAILABLE: Final = re.compile(r"MemAvailable:\s+(\d+) kB")
_FILLER: Final = "/data/local/tmp/reclaim-suite-filler"
#: What else is allocated between looking and allocating.
_SPARE_KB: Final = 2048


def expand_top_level(device: Device, root: str) -> None:
    """Give the top-level buffer the size that it would expand to at its first use. Needs root.

    Kernels such as 6.1 forget that size once an instance is resized, and the next tracer would
    get 7 KiB.
    """
    path = f"{root}/buffer_size_kb"
    expanded = _EXPANDED.search(device.read_text(path))
    if expanded:
        device.script(f"echo {expanded[1]} > {path}")


class BufferReservation:
    """Holds ``size_kb`` for each CPU in a tracefs instance that records nothing; needs root.

    A context manager: holds from entry to exit, except between `release` and `hold`. Without
    trace instances there is nothing to reserve: the kernel records in its top-level buffer.
    """

    def __init__(self, device: Device, root: str, size_kb: int, sleep: Callable[[float], None]) -> None:
        self._device = device
        self._sleep = sleep
        self._root = root
        self._size_kb = size_kb
        self._folder = f"{root}/instances/{INSTANCE}"

    def hold(self) -> None:
        """Allocate the memory. StateError if the device still lacks it after a few seconds."""
        # An instance left by a killed run is ours as well.
        created = self._device.script(f"[ -d {self._folder} ] || mkdir {self._folder}", check=False)
        if created.exit_status != 0:
            return
        expand_top_level(self._device, self._root)
        size = f"{self._folder}/buffer_size_kb"
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._make_room()
                self._sleep(_PAUSE_S)
            lines = [f"echo 0 > {self._folder}/tracing_on", f"echo {self._size_kb} > {size}", f"cat {size}"]
            result = self._device.script(" && ".join(lines), check=False)
            if result.exit_status == 0 and int(result.stdout.split()[0]) >= self._size_kb:
                return
        self.release()
        raise StateError(
            f"no memory for a trace buffer of {self._size_kb} KiB per CPU: {result.stderr.strip()}",
            device=self._device.serial,
            next_step="give the device more memory, or the workload less",
        )

    def give(self) -> None:
        """Free the memory for a recording that starts now, and see that the kernel will grant it."""
        self.release()
        self._make_room()

    def _make_room(self) -> None:
        """Push out as much of the workload as lacks for the buffer, if any.

        Reclaim ends at a watermark that si_mem_available() counts as used, so on a full device the very
        memory that was just freed may be refused. A file in memory makes room when it is removed. (On a
        phone it is on flash; there the page cache counts as available.)
        """
        need_kb = self._size_kb * self._cpus() + _SPARE_KB
        for _ in range(_ATTEMPTS):
            available = _AVAILABLE.search(self._device.read_text("/proc/meminfo"))
            if available is None or int(available[1]) >= need_kb:
                return
            self._device.script(
                f"head -c {need_kb + _SPARE_KB}K /dev/zero > {_FILLER}; rm -f {_FILLER}", deadline_s=60.0
            )

    def _cpus(self) -> int:
        return len(self._device.script(f"ls -d {self._root}/per_cpu/cpu*", check=False).stdout.split()) or 1

    def release(self) -> None:
        """Free the memory; may be called twice. StateError if the instance cannot be removed."""
        self._device.script(f"[ ! -d {self._folder} ] || rmdir {self._folder}; true", deadline_s=60.0)
        if self._device.script(f"[ ! -d {self._folder} ]", check=False).exit_status != 0:
            raise StateError(
                f"the trace instance {INSTANCE} is in use",
                device=self._device.serial,
                next_step=f"end the process that holds it open, then rmdir {self._folder}",
            )

    def __enter__(self) -> Self:
        self.hold()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.release()
        except SuiteError:
            # Do not hide another error.
            if error is None:
                raise
