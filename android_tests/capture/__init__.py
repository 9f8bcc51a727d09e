"""Recording a repetition: trace, counters, and the proof that nothing was lost."""

from android_tests.capture.assemble import CaptureReport, assemble
from android_tests.capture.capture import Capture
from android_tests.capture.host_load import HostLoad
from android_tests.capture.raw import RawCapture

__all__ = ["Capture", "CaptureReport", "HostLoad", "RawCapture", "assemble"]
