"""The trace processor's own messages: requests to bytes, answers to rows."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from google.protobuf import descriptor_pb2, message_factory  # type: ignore[import-untyped]
from google.protobuf.descriptor_pool import DescriptorPool  # type: ignore[import-untyped]

from foundation.errors import HostError, TraceError

#: enum TraceProcessorMethod of trace_processor.proto.
APPEND: Final = 1
FINALIZE: Final = 2
QUERY: Final = 3
COMPUTE_METRIC: Final = 5
STATUS: Final = 10
RESET: Final = 11
REGISTER: Final = 13
SUMMARIZE: Final = 15

#: Kinds of cells in a QueryResult; 1 is NULL.
_INT, _FLOAT, _TEXT, _BLOB = 2, 3, 4, 5

Cell = int | float | str | bytes | None
Reply = Any


class Rows(NamedTuple):
    """Column names of a query and its rows."""

    names: list[str]
    rows: list[tuple[Cell, ...]]


class QueryError(TraceError):
    """The engine refused a query; the text is the engine's own."""


@functools.cache
def message(name: str) -> Any:
    """Message class of ``perfetto.protos`` by name. HostError if the client is not installed.

    Only the descriptor file of the ``perfetto`` wheel is used: importing the client itself
    would load pandas, which costs more than a whole small trace.
    """
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"perfetto.protos.{name}"))


@functools.cache
def _pool() -> DescriptorPool:
    spec = importlib.util.find_spec("perfetto")
    places = list(spec.submodule_search_locations or ()) if spec else []
    files = [Path(place) / "trace_processor" / "trace_processor.descriptor" for place in places]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise HostError("the perfetto package is not installed", next_step="install requirements.txt")
    files_in_set = descriptor_pb2.FileDescriptorSet.FromString(found.read_bytes())
    pool = DescriptorPool()
    for file in files_in_set.file:
        pool.Add(file)
    return pool


def request(method: int, field: str | None = None, content: Any = None) -> bytes:
    """One request as bytes of a stream; ``field`` is set to ``content`` (message or bytes)."""
    stream = message("TraceProcessorRpcStream")()
    rpc = stream.msg.add()
    rpc.request = method
    if isinstance(content, bytes):
        setattr(rpc, str(field), content)
    elif field is not None:
        getattr(rpc, field).CopyFrom(content)
    encoded: bytes = stream.SerializeToString()
    return encoded


def reset_request(*, ftrace_in_raw: bool = True) -> bytes:
    """Start empty, with ftrace events kept in their table and packets sorted over the whole trace.

    kswapd's wake and sleep are nowhere but in that table. Sorting by windows, the default
    for streamed traces, drops packets that come late.
    """
    arguments = message("ResetTraceProcessorArgs")(ingest_ftrace_in_raw_table=ftrace_in_raw, sorting_mode=1)
    return request(RESET, "reset_trace_processor_args", arguments)


def register_request(package: str, modules: Mapping[str, str]) -> bytes:
    """Make SQL modules known under their full names (``package.module``), for INCLUDE PERFETTO MODULE."""
    arguments = message("RegisterSqlPackageArgs")(package_name=package, allow_override=True)
    for name, sql in modules.items():
        arguments.modules.add(name=name, sql=sql)
    return request(REGISTER, "register_sql_package_args", arguments)


def check_registered(answers: list[Reply]) -> None:
    """HostError if the engine did not take a package: it is of a version that we do not know."""
    for answer in answers:
        error = answer.register_sql_package_result.error
        if error:
            raise HostError(
                f"the engine does not take the suite's SQL package: {_first_line(error)}",
                next_step="use --engine wasm",
            )


def check_loaded(error: str, path: Path) -> None:
    """TraceError if the engine had something against the trace."""
    if error:
        raise TraceError(
            f"{path} is not a trace that can be read: {_first_line(error)}",
            next_step="check that it is a Perfetto or systrace file, and record it again",
        )


def version_of(status: Any) -> str:
    """Version text of a StatusResult."""
    return str(status.human_readable_version or status.version_code)


def replies(data: bytes) -> list[Any]:
    """Messages of a reply stream; TraceError for one that is fatal."""
    stream = message("TraceProcessorRpcStream").FromString(data)
    for rpc in stream.msg:
        if rpc.fatal_error:
            raise TraceError(f"the trace processor gave up: {rpc.fatal_error}")
    return list(stream.msg)


def query_result(parts: list[Any]) -> Any:
    """One QueryResult from the parts that a streamed query came in."""
    whole = message("QueryResult")()
    for part in parts:
        whole.MergeFrom(part)
    return whole


def rows_of(result: Any, sql: str) -> Rows:
    """Rows of a QueryResult. QueryError with the engine's text."""
    if result.error:
        raise QueryError(_first_line(result.error), next_step=f"the query begins: {sql.strip()[:120]}")
    names = list(result.column_names)
    cells: list[Cell] = []
    for batch in result.batch:
        ints, floats, blobs = iter(batch.varint_cells), iter(batch.float64_cells), iter(batch.blob_cells)
        raw = batch.string_cells
        text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
        texts = iter(text.split("\0"))
        for kind in batch.cells:
            if kind == _INT:
                cells.append(next(ints))
            elif kind == _FLOAT:
                cells.append(next(floats))
            elif kind == _TEXT:
                cells.append(next(texts))
            elif kind == _BLOB:
                cells.append(next(blobs))
            else:
                cells.append(None)
    width = len(names)
    if width == 0:
        return Rows(names, [])
    if len(cells) % width or (result.batch and not result.batch[-1].is_last_batch):
        raise QueryError("the engine's answer was cut short", next_step=f"query: {sql.strip()[:120]}")
    return Rows(names, list(zip(*[iter(cells)] * width, strict=True)))


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # The engine's trace-back ends with the cause.
    return lines[-1] if lines else "the engine refused the query"
