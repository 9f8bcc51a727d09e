"""Recording a repetition: trace, counters, and the proof that nothing was lost."""

from android_tests.capture.assemble import CaptureReport, assemble
from android_tests.capture.capture import Capture, room_for
from android_tests.capture.host_load import HostLoad
from android_tests.capture.raw import RawCapture
from android_tests.capture.trace_room import TraceRoom

__all__ = ["Capture", "CaptureReport", "HostLoad", "RawCapture", "TraceRoom", "assemble", "room_for"]
