"""Memory for the kernel's trace buffer, reserved before a workload fills the device.

A kernel under memory pressure refuses a trace buffer larger than si_mem_available()
(kernel/trace/ring_buffer.c), which Perfetto does not notice, and a buffer that it grants evicts
pages of the workload. So the buffer gets its size before the workload starts. Perfetto asks for the
same size when it starts, which changes nothing, and shrinks the buffer when it ends; then it is
grown back before the next recording.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from foundation.contract.device import Device
from foundation.errors import StateError, SuiteError

_SIZE: Final = re.compile(r"(\d+)(?: \(expanded: (\d+)\))?")
#: A size is rounded up to whole pages, which are shorter by their headers.
_ROUNDING_KB: Final = 64
_ATTEMPTS: Final = 10
_PAUSE_S: Final = 0.5
_TOTAL: Final = re.compile(r"MemTotal:\s+(\d+) kB")
_AVAILABLE: Final = re.compile(r"MemAvailable:\s+(\d+) kB")
_FILLER: Final = "/data/local/tmp/reclaim-suite-filler"
#: What else is allocated between looking and allocating.
_SPARE_KB: Final = 2048


class BufferReservation:
    """Holds ``size_kb`` for each CPU in the kernel's trace buffer; needs root.

    A context manager: the buffer has its former size again on exit. ``root`` is the tracefs.
    """

    def __init__(self, device: Device, root: str, size_kb: int, sleep: Callable[[float], None]) -> None:
        self._device = device
        self._sleep = sleep
        self._root = root
        self._path = f"{root}/buffer_size_kb"
        self._size_kb = size_kb
        self._before_kb: int | None = None

    def hold(self) -> None:
        """Allocate the memory. StateError if the device still lacks it after a few seconds."""
        if self._before_kb is None:
            self._before_kb = self._read_kb()
        stderr = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._make_room()
                self._sleep(_PAUSE_S)
            stderr = self._device.script(f"echo {self._size_kb} > {self._path}", check=False).stderr
            if self._read_kb() >= self._size_kb:
                return
        self.release()
        raise StateError(
            f"no memory for a trace buffer of {self._size_kb} KiB per CPU: {stderr.strip()}",
            device=self._device.serial,
            next_step="give the device more memory, or the workload less",
        )

    def _make_room(self) -> None:
        """Push out as much of the workload as lacks for the buffer, if any; at most half of the memory.

        Reclaim ends at a watermark that si_mem_available() counts as used, so on a full device the very
        memory that was just freed may be refused. A file in memory makes room when it is removed. (On a
        phone it is on flash; there the page cache counts as available.)
        """
        need_kb = self._size_kb * self._cpus() + _SPARE_KB
        for _ in range(_ATTEMPTS):
            meminfo = self._device.read_text("/proc/meminfo")
            total, available = _TOTAL.search(meminfo), _AVAILABLE.search(meminfo)
            if total is None or available is None:
                return
            if int(available[1]) >= need_kb or 2 * need_kb > int(total[1]):
                return
            filler = f"head -c {need_kb + _SPARE_KB}K /dev/zero > {_FILLER}; rm -f {_FILLER}"
            self._device.script(filler, check=False, deadline_s=60.0)

    def _cpus(self) -> int:
        return len(self._device.script(f"ls -d {self._root}/per_cpu/cpu*", check=False).stdout.split()) or 1

    def release(self) -> None:
        """Give the buffer its former size; may be called twice. StateError if it stays larger."""
        before, self._before_kb = self._before_kb, None
        if before is None:
            return
        self._device.script(f"echo {before} > {self._path}", check=False, deadline_s=60.0)
        if self._read_kb() > before + _ROUNDING_KB:
            raise StateError(
                f"the trace buffer keeps its size of {self._read_kb()} KiB per CPU",
                device=self._device.serial,
                next_step=f"end what records, then write {before} to {self._path}",
            )

    def _read_kb(self) -> int:
        """The size; of a buffer that nothing has used yet, the one that its first use gives it."""
        found = _SIZE.match(self._device.read_text(self._path))
        if found is None:
            raise StateError(f"{self._path} holds no number", device=self._device.serial)
        return int(found[2] or found[1])

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
