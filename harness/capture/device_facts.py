"""Facts of a device that decide about a recording: time, memory, processors."""

from __future__ import annotations

from foundation.contract.device import Device


def uptime_ns(device: Device) -> int:
    """CLOCK_BOOTTIME of the device, ns, in steps of 10 ms (/proc/uptime)."""
    return round(float(device.read_text("/proc/uptime").split()[0]) * 1e9)


def mem_total_kb(device: Device) -> int:
    """MemTotal of /proc/meminfo, KiB."""
    return int(device.read_text("/proc/meminfo").partition("\n")[0].split()[1])


def cpu_count(device: Device) -> int:
    """Processors that exist, also those that are off (such as ``0-3,6``, cputopology.rst)."""
    ranges = device.read_text("/sys/devices/system/cpu/present").strip().split(",")
    ends = [part.partition("-") for part in ranges]
    return sum(int(last or first) - int(first) + 1 for first, _, last in ends)
