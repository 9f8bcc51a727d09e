"""What a device says about itself that decides what can be measured on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: ``open``: the recorder may enable it; ``closed``: it is there, and the build does not let it.
EventAccess = Literal["open", "closed", "absent"]
#: What records a trace: Perfetto's service, the kernel's tracer in the suite's own hands, or nothing.
Recorder = Literal["perfetto", "ftrace"]
#: How root is had: adbd runs as root, this reading used su, it could be had, or there is none.
RootLevel = Literal["shell", "su", "adb root", "su, not used", "none"]


@dataclass(frozen=True)
class Readable:
    """A file or a program's answer: ``text``, or None and the reason."""

    text: str | None
    why: str = ""


@dataclass(frozen=True)
class CompressionSwitch:
    """A file that switches or sizes the compression threads; ``value`` None where it may not be read."""

    path: str
    value: str | None
    writable: bool


@dataclass(frozen=True)
class CpuCluster:
    """CPUs that share a clock, frequencies in kHz; empty or None where they are not told."""

    cpus: str
    governor: str
    min_khz: int | None
    max_khz: int | None


@dataclass(frozen=True)
class DeviceFacts:
    """One reading of a device.

    ``events`` are those that the metrics need. ``vmstat`` and ``meminfo`` (kB) hold the keys of
    those files. ``psi`` maps a resource to its file. ``threads`` are comms of kernel threads
    with a role. ``kprobe_events``: calls of kernel functions can be recorded, which takes root.
    What may not be read is None, with the reason beside it.
    """

    serial: str
    emulated: bool
    properties: Mapping[str, str]
    release: str
    root: RootLevel
    perfetto: str | None
    service: str
    recorder: Recorder | None
    tracefs: str | None
    kprobe_events: bool
    events: Mapping[str, EventAccess]
    threads: tuple[str, ...]
    thread_cpu: Readable
    vmstat: frozenset[str] | None
    vmstat_why: str
    meminfo: Mapping[str, int]
    psi: Mapping[str, Readable]
    swaps: Readable
    zram_disk: str | None
    zram_size: Readable
    zram_algorithm: Readable
    zram_statistics: Readable
    swappiness: Readable
    page_cluster: Readable
    lru_gen: Readable
    huge_pages: Readable
    switches: tuple[CompressionSwitch, ...]
    clusters: tuple[CpuCluster, ...]
    thermal_status: int | None
    hottest: str | None
    battery: str | None
    activity_manager: bool

    @property
    def is_root(self) -> bool:
        """Whether settings can be written."""
        return self.root in ("shell", "su")

    @property
    def user_build(self) -> bool:
        return self.properties.get("build type") == "user"
