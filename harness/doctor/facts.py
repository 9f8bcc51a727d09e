"""The facts about a device that decide what it can measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.doctor.surroundings import Surroundings

#: ``open``: the recorder may enable it; ``closed``: it exists, but the build does not allow that.
EventAccess = Literal["open", "closed", "absent"]
#: What records a trace: Perfetto's service, or the suite through tracefs.
Recorder = Literal["perfetto"]
#: Root access: adbd runs as root, this reading used su, two ways to get root, or none.
RootLevel = Literal["shell", "su", "adb root", "su, not used", "none"]


@dataclass(frozen=True)
class Readable:
    """The content of a file or output of a program: ``text``, or None and the reason."""

    text: str | None
    why: str = ""


@dataclass(frozen=True)
class CompressionSwitch:
    """A file that switches or sizes the compression threads; ``value`` None if not readable."""

    path: str
    value: str | None
    writable: bool


@dataclass(frozen=True)
class CpuCluster:
    """CPUs that share a clock, frequencies in kHz; empty or None if not readable."""

    cpus: str
    governor: str
    min_khz: int | None
    max_khz: int | None


@dataclass(frozen=True)
class DeviceFacts:
    """One reading of a device.

    ``events`` are those that the metrics need. ``vmstat`` holds the keys of /proc/vmstat, ``meminfo`` the
    values of /proc/meminfo in kB, ``psi`` the files of /proc/pressure by resource. ``threads`` are the
    comms of kernel threads with a role. ``kprobe_events``: calls of kernel functions can be recorded,
    which needs root. ``surroundings``: what else acts on the device. What is not readable is None, with
    its reason next to it.
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
    surroundings: Surroundings = field(default_factory=Surroundings)

    @property
    def is_root(self) -> bool:
        """Whether the suite can write settings."""
        return self.root in ("shell", "su")
