"""The trace processor: which one, and how a trace is asked."""

from analysis.engine.choice import EngineChoice, EngineInfo
from analysis.engine.session import TraceSession, open_trace

__all__ = ["EngineChoice", "EngineInfo", "TraceSession", "open_trace"]
