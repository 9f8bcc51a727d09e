"""Room for the kernel's trace buffer on a device that a workload has filled."""

from __future__ import annotations

from foundation.contract.device import CommandResult
from harness.capture.buffer_reservation import BufferReservation

ROOT = "/sys/kernel/tracing"


class FullDevice:
    """A device whose kernel grants a buffer by MemAvailable, as si_mem_available() tells it."""

    serial = "full"

    def __init__(self, available_kb: int, cpus: int = 1) -> None:
        self.available_kb = available_kb
        self.cpus = cpus
        self.held_kb = 0
        self.fillers: list[str] = []

    def script(self, text: str, *, deadline_s: float = 30.0, check: bool = True) -> CommandResult:
        status, out = 0, ""
        if "rmdir" in text:
            self.available_kb += self.held_kb
            self.held_kb = 0
        elif text.startswith("head -c "):
            self.fillers.append(text)
            self.available_kb = max(self.available_kb, int(text.split("K ")[0].rpartition(" ")[2]))
        elif "per_cpu" in text:
            out = "\n".join(f"{ROOT}/per_cpu/cpu{number}" for number in range(self.cpus))
        elif "buffer_size_kb" in text:
            size_kb = int(text.split("&& echo ")[1].split()[0])
            status = 1 if size_kb * self.cpus > self.available_kb else 0
            out = f"{size_kb}\n"
            if not status:
                self.held_kb = size_kb * self.cpus
                self.available_kb -= self.held_kb
        return CommandResult(status, out, "Out of memory" if status else "", 0.0)

    def read_text(self, remote: str, *, deadline_s: float = 10.0) -> str:
        if remote == "/proc/meminfo":
            return f"MemTotal: 240000 kB\nMemAvailable:    {self.available_kb} kB\n"
        return "7"


def reservation(device: FullDevice, size_kb: int = 16384) -> BufferReservation:
    return BufferReservation(device, ROOT, size_kb, lambda dur_s: None)  # type: ignore[arg-type]


def test_a_device_with_room_is_left_alone() -> None:
    device = FullDevice(100_000)
    room = reservation(device)
    room.hold()
    room.give()
    assert device.fillers == []


def test_the_memory_that_was_held_is_granted_on_a_full_device() -> None:
    device = FullDevice(20_000)
    room = reservation(device)
    room.hold()
    device.available_kb = -2_000
    room.give()
    assert len(device.fillers) == 1
    assert device.available_kb >= 16384, "the recording gets its buffer"


def test_a_buffer_that_is_refused_is_held_after_room_was_made() -> None:
    device = FullDevice(3_000, cpus=2)
    room = reservation(device, 8192)
    room.hold()
    assert device.held_kb == 2 * 8192
    assert len(device.fillers) == 1
    assert "/data/local/tmp/" in device.fillers[0]
    assert "rm -f" in device.fillers[0]
