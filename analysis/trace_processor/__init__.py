"""The trace processor: choose one, load a trace, query it."""

from analysis.trace_processor.choice import EngineChoice, EngineInfo
from analysis.trace_processor.session import TraceSession, open_trace

__all__ = ["EngineChoice", "EngineInfo", "TraceSession", "open_trace"]
