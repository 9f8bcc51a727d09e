"""Recording a repetition: trace, counters, and the proof that nothing was lost."""

from harness.capture.assemble import CaptureReport, assemble
from harness.capture.buffer_reservation import BufferReservation
from harness.capture.capture import Capture, reserve_buffer
from harness.capture.host_load import HostLoad
from harness.capture.raw import RawCapture

__all__ = [
    "BufferReservation",
    "Capture",
    "CaptureReport",
    "HostLoad",
    "RawCapture",
    "assemble",
    "reserve_buffer",
]
