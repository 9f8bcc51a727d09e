"""Room for the kernel's trace buffer on a device that a workload has filled."""

from __future__ import annotations

import pytest

from foundation.contract.device import CommandResult
from foundation.errors import StateError
from harness.capture.buffer_reservation import BufferReservation

ROOT = "/sys/kernel/tracing"
USUAL = "7 (expanded: 1408)\n"


class FullDevice:
    """A device whose kernel grants a larger buffer by MemAvailable, as si_mem_available() tells it."""

    serial = "full"

    def __init__(self, available_kb: int, cpus: int = 1, room_kb: int = 1 << 30) -> None:
        self.available_kb = available_kb
        self.cpus = cpus
        self.room_kb = room_kb
        self.size = USUAL
        self.fillers: list[str] = []

    def script(self, text: str, *, deadline_s: float = 30.0, check: bool = True) -> CommandResult:
        status, out = 0, ""
        if text.startswith("head -c "):
            self.fillers.append(text)
            pushed_out_kb = min(int(text.split("K ")[0].rpartition(" ")[2]), self.room_kb)
            self.available_kb = max(self.available_kb, pushed_out_kb)
        elif "per_cpu" in text:
            out = "\n".join(f"{ROOT}/per_cpu/cpu{number}" for number in range(self.cpus))
        else:
            assert text.endswith(f" > {ROOT}/buffer_size_kb"), text
            more_kb = (int(text.split()[1]) - int(self.size.split()[0])) * self.cpus
            status = 1 if more_kb > max(self.available_kb, 0) else 0
            if not status:
                # Whole pages, less their headers.
                self.size = f"{int(text.split()[1]) + 2}\n"
                self.available_kb -= more_kb
        return CommandResult(status, out, "Out of memory" if status else "", 0.0)

    def read_text(self, remote: str, *, deadline_s: float = 10.0) -> str:
        if remote == "/proc/meminfo":
            return f"MemTotal: 240000 kB\nMemAvailable:    {max(self.available_kb, 0)} kB\n"
        return self.size


def reservation(device: FullDevice, size_kb: int = 16384) -> BufferReservation:
    return BufferReservation(device, ROOT, size_kb, lambda dur_s: None)  # type: ignore[arg-type]


def test_a_buffer_has_its_size_inside_and_its_former_one_after() -> None:
    device = FullDevice(100_000)
    with reservation(device):
        assert device.size == "16386\n"
    assert device.size == "1410\n"
    assert device.fillers == []


def test_a_buffer_that_a_recording_has_shrunk_is_grown_back_on_a_full_device() -> None:
    device = FullDevice(20_000)
    room = reservation(device)
    room.hold()
    device.size, device.available_kb = "4\n", -2_000
    room.hold()
    assert device.size == "16386\n"
    assert len(device.fillers) == 1
    room.release()
    room.release()
    assert device.size == "1410\n", "the size before the first of both"


def test_a_buffer_that_is_refused_is_held_after_room_was_made() -> None:
    device = FullDevice(3_000, cpus=2)
    room = reservation(device, 8192)
    room.hold()
    assert device.size == "8194\n"
    assert len(device.fillers) == 1
    assert "/data/local/tmp/" in device.fillers[0]
    assert "rm -f" in device.fillers[0]


def test_without_memory_for_it_the_device_is_left_as_it_was() -> None:
    device = FullDevice(3_000, room_kb=4_000)
    with pytest.raises(StateError, match="no memory for a trace buffer of 16384 KiB"):
        reservation(device).hold()
    assert int(device.size.split()[0]) <= 1410
