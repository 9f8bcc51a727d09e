"""Recording a repetition: trace, counters, and the proof that nothing was lost."""

from harness.capture.assemble import CaptureReport, assemble
from harness.capture.capture import Capture, room_for
from harness.capture.host_load import HostLoad
from harness.capture.raw import RawCapture
from harness.capture.trace_room import TraceRoom

__all__ = ["Capture", "CaptureReport", "HostLoad", "RawCapture", "TraceRoom", "assemble", "room_for"]
