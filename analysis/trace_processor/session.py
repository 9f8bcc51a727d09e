"""A loaded trace that answers SQL, whichever trace processor is behind it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from analysis.sql import PACKAGE, modules
from analysis.trace_processor import messages
from analysis.trace_processor.choice import (
    MEMORY64_FROM_BYTES,
    EngineChoice,
    EngineFile,
    EngineInfo,
    find_engine,
    trace_size,
)
from analysis.trace_processor.native import NativeProcess
from analysis.trace_processor.wasm import CHUNK, WasmAborted, WasmInstance
from foundation.errors import HostError, TraceError

if TYPE_CHECKING:
    import pandas as pd


class Transport(Protocol):
    """Carries messages to one trace processor: an instance in this process, or a child process."""

    def request(self, data: bytes) -> bytes:
        """Send bytes of the request stream; return all bytes of the reply stream. TraceError."""
        ...

    def close(self) -> None:
        """End the trace processor. May be called twice."""
        ...


class TraceSession:
    """One trace in one trace processor. ``path`` is the trace, ``engine`` the trace processor."""

    def __init__(self, path: Path, engine: EngineFile) -> None:
        self.path = path
        self._transport: Transport = (
            NativeProcess(engine.path)
            if engine.kind == "native"
            else WasmInstance(engine.path, memory64=engine.kind == "wasm64")
        )
        try:
            self._load()
            self._register(PACKAGE, modules())
            status = self._ask(messages.STATUS)[0].status
        except BaseException:
            self.close()
            raise
        version = str(status.human_readable_version or status.version_code)
        self.engine = EngineInfo(engine.kind, version, engine.sha256)

    def rows(self, sql: str) -> list[tuple[messages.Cell, ...]]:
        """Rows of a query, each a tuple in the order of its columns. QueryError."""
        return self._rows(sql).rows

    def query(self, sql: str) -> pd.DataFrame:
        """Rows of a query as a frame with the query's columns and a default index. QueryError."""
        import pandas as pd

        result = self._rows(sql)
        return pd.DataFrame(result.rows, columns=result.names)

    def close(self) -> None:
        """End the trace processor. May be called twice."""
        self._transport.close()

    def _rows(self, sql: str) -> messages.Rows:
        arguments = messages.message("QueryArgs")(sql_query=sql)
        result = messages.message("QueryResult")()
        for part in self._ask(messages.QUERY, "query_args", arguments):
            result.MergeFrom(part.query_result)
        return messages.rows_of(result, sql)

    def _load(self) -> None:
        self._send(messages.reset_request())
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK):
                for reply in self._ask(messages.APPEND, "append_trace_data", chunk):
                    self._check_loaded(reply.append_result.error)
        for reply in self._ask(messages.FINALIZE):
            self._check_loaded(reply.finalize_data_result.error)

    def _check_loaded(self, error: str) -> None:
        if error:
            raise TraceError(
                f"{self.path} is not a trace: {messages.last_line(error)}",
                next_step="check that it is a Perfetto or systrace file, and record it again",
            )

    def _register(self, package: str, modules: Mapping[str, str]) -> None:
        for reply in self._send(messages.register_request(package, modules)):
            error = reply.register_sql_package_result.error
            if error:
                raise HostError(
                    f"the trace processor rejects the suite's SQL package: {messages.last_line(error)}",
                    next_step="use --engine wasm",
                )

    def _ask(self, method: int, field: str | None = None, content: Any = None) -> list[messages.Reply]:
        return self._send(messages.request(method, field, content))

    def _send(self, request: bytes) -> list[messages.Reply]:
        answers = messages.replies(self._transport.request(request))
        if not answers:
            raise TraceError("the trace processor did not answer", next_step="record the trace again")
        return answers


@contextlib.contextmanager
def open_trace(path: Path, engine: EngineChoice | None = None) -> Iterator[TraceSession]:
    """Load a trace of any format that the trace processor reads; it is closed on exit.

    Queries can include the modules of `analysis.sql`.

    TraceError if the file is missing, empty, or not a trace; HostError if no trace processor is found.
    """
    choice = engine or EngineChoice()
    found = find_engine(choice, trace_size(path))
    try:
        session = TraceSession(path, found)
    except WasmAborted:
        if found.kind != "wasm" or choice.path is not None:
            raise
        # A compressed trace may be small on disk and still need more than 4 GiB.
        session = TraceSession(path, find_engine(choice, MEMORY64_FROM_BYTES))
    with contextlib.closing(session):
        yield session
