"""Perfetto's own Python client on the offline trace processor: for notebooks and other people's scripts."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final

from perfetto.trace_processor import TraceProcessor, TraceProcessorConfig, TraceProcessorException
from perfetto.trace_processor.backend import TraceProcessorBackend
from perfetto.trace_processor.http import TraceProcessorHttp

from analysis.sql import PACKAGE, modules
from analysis.trace_processor import messages
from analysis.trace_processor.choice import EngineChoice, find_engine, trace_size
from analysis.trace_processor.wasm import CHUNK, WasmInstance

# enum TraceProcessorMethod of trace_processor.proto.
_METRIC: Final = 5
_METATRACE_ON: Final = 8
_METATRACE_OFF: Final = 9
_SUMMARY: Final = 15

#: Paths that the client asks for: method, field of the arguments, their message, field of the reply.
_ROUTES: Final[dict[str, tuple[int, str | None, str | None, str]]] = {
    "/status": (messages.STATUS, None, None, "status"),
    "/parse": (messages.APPEND, "append_trace_data", None, "append_result"),
    "/notify_eof": (messages.FINALIZE, None, None, "finalize_data_result"),
    "/query": (messages.QUERY, "query_args", "QueryArgs", "query_result"),
    "/compute_metric": (_METRIC, "compute_metric_args", "ComputeMetricArgs", "metric_result"),
    "/enable_metatrace": (_METATRACE_ON, None, None, "metatrace"),
    "/disable_and_read_metatrace": (_METATRACE_OFF, None, None, "metatrace"),
    "/trace_summary": (_SUMMARY, "trace_summary_args", "TraceSummaryArgs", "trace_summary_result"),
}


class OfflineTraceProcessor(TraceProcessor):  # type: ignore[misc] # the package has no types
    """``perfetto.trace_processor.TraceProcessor`` without a network, a server or a child process.

    Takes the path of one trace; ftrace events are kept in their table, and queries can include the
    modules of `analysis.sql`. Use it as a context manager, or call ``close``.

    Raises the client's TraceProcessorException for a query or a trace that the trace processor
    refuses, TraceError for a missing file and for a trace that breaks the trace processor.
    """

    def __init__(self, trace: Path | str, config: TraceProcessorConfig | None = None) -> None:
        self._bytes = trace_size(Path(trace))
        super().__init__(trace=str(trace), config=config or TraceProcessorConfig(ingest_ftrace_in_raw=True))

    def _create_backend(self, remote: str | None, addr: str | None) -> TraceProcessorBackend:
        engine = find_engine(EngineChoice(kind="wasm"), self._bytes)
        instance = WasmInstance(engine.path, memory64=engine.kind == "wasm64")
        instance.request(messages.reset_request(ftrace_in_raw=self.config.ingest_ftrace_in_raw))
        instance.request(messages.register_request(PACKAGE, modules()))
        return _Backend(instance, self.protos)


class _Backend(TraceProcessorHttp):  # type: ignore[misc] # the package has no types
    """The client's HTTP backend, with a WebAssembly instance in place of the connection."""

    def __init__(self, instance: WasmInstance, protos: Any) -> None:
        TraceProcessorBackend.__init__(self, protos)
        self.conn = _Connection(instance)

    def notify_eof(self) -> None:
        # The client ignores this answer.
        result = messages.message("FinalizeDataResult").FromString(super().notify_eof())
        if result.error:
            raise TraceProcessorException(result.error)


class _Connection:
    """What the client uses of ``http.client.HTTPConnection``."""

    def __init__(self, instance: WasmInstance) -> None:
        self._instance = instance
        self._answer = b""

    def request(self, http_method: str, path: str, body: bytes = b"") -> None:
        if path not in _ROUTES:
            raise TraceProcessorException(f"the offline trace processor does not offer {path}")
        method, field, kind, reply_field = _ROUTES[path]
        contents = (
            [messages.message(kind).FromString(body)]
            if kind
            else [body[start : start + CHUNK] for start in range(0, len(body), CHUNK) or (0,)]
        )
        replies = [
            reply
            for content in contents
            for reply in messages.replies(self._instance.request(messages.request(method, field, content)))
        ]
        # Encoded messages one after the other are the encoding of their union.
        self._answer = b"".join(getattr(reply, reply_field).SerializeToString() for reply in replies)

    def getresponse(self) -> io.BytesIO:
        return io.BytesIO(self._answer)

    def close(self) -> None:
        self._instance.close()
