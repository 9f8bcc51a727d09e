"""The trace processor: which one, and how a trace is asked."""

from analysis.trace_processor.choice import EngineChoice, EngineInfo
from analysis.trace_processor.session import TraceSession, open_trace

__all__ = ["EngineChoice", "EngineInfo", "TraceSession", "open_trace"]
