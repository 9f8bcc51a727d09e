"""Memory for the trace buffers, put aside before a workload fills the device.

A kernel under memory pressure refuses a trace buffer that is larger than what
si_mem_available() (mm/page_alloc.c) says is left, and one that it grants pushes pages out that
the workload had in memory. So an empty buffer of the same size is held from before the workload
begins, and gives way to each recording.
"""

from __future__ import annotations

import re
import time
from types import TracebackType
from typing import Final, Self

from foundation.contract.device import Device
from foundation.errors import StateError, SuiteError

INSTANCE: Final = "reclaim-suite-room"

_EXPANDED: Final = re.compile(r"expanded: (\d+)")
_ATTEMPTS: Final = 10
_PAUSE_S: Final = 0.5


def expand_top_level(device: Device, root: str) -> None:
    """Give the top-level buffer the size that the kernel promises it at its first use.

    Kernels such as 6.1 forget that promise as soon as an instance is sized, and would
    leave whoever traces next with 7 KiB. Needs root.
    """
    path = f"{root}/buffer_size_kb"
    promised = _EXPANDED.search(device.read_text(path))
    if promised:
        device.script(f"echo {promised[1]} > {path}")


class BufferReservation:
    """Holds ``size_kb`` a CPU in a tracefs instance that records nothing; needs root.

    A context manager: held from entry to exit, except between `release` and `hold`. A kernel
    without trace instances has no room to hold, and records in its top-level buffer.
    """

    def __init__(self, device: Device, root: str, size_kb: int) -> None:
        self._device = device
        self._root = root
        self._size_kb = size_kb
        self._folder = f"{root}/instances/{INSTANCE}"

    def hold(self) -> None:
        """Take the memory. StateError if the device has not got it, also after a few seconds."""
        # One that is left over from a run that was killed is ours.
        made = self._device.script(f"[ -d {self._folder} ] || mkdir {self._folder}", check=False)
        if made.exit_status != 0:
            return
        expand_top_level(self._device, self._root)
        size = f"{self._folder}/buffer_size_kb"
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE_S)
            lines = [f"echo 0 > {self._folder}/tracing_on", f"echo {self._size_kb} > {size}", f"cat {size}"]
            said = self._device.script(" && ".join(lines), check=False)
            if said.exit_status == 0 and int(said.stdout.split()[0]) >= self._size_kb:
                return
        self.release()
        raise StateError(
            f"no memory for a trace buffer of {self._size_kb} KiB a CPU: {said.stderr.strip()}",
            device=self._device.serial,
            next_step="give the device more memory, or the workload less",
        )

    def release(self) -> None:
        """Give the memory back; may be called twice. StateError if the instance stays."""
        self._device.script(f"[ ! -d {self._folder} ] || rmdir {self._folder}; true", deadline_s=60.0)
        if self._device.script(f"[ ! -d {self._folder} ]", check=False).exit_status != 0:
            raise StateError(
                f"the trace instance {INSTANCE} is in use",
                device=self._device.serial,
                next_step=f"end what holds it open, then rmdir {self._folder}",
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
            # Another error is on its way out and must not be hidden.
            if error is None:
                raise
