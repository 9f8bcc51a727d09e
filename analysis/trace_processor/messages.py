"""The trace processor's messages: requests to bytes, replies to rows."""

from __future__ import annotations

import functools
import importlib.resources
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from google.protobuf import descriptor_pb2, message_factory  # type: ignore[import-untyped]
from google.protobuf.descriptor_pool import DescriptorPool  # type: ignore[import-untyped]

from foundation.errors import HostError, TraceError

#: enum TraceProcessorMethod of trace_processor.proto.
APPEND: Final = 1
FINALIZE: Final = 2
QUERY: Final = 3
STATUS: Final = 10
RESET: Final = 11
REGISTER: Final = 13

Cell = int | float | str | bytes | None
Reply = Any


class Rows(NamedTuple):
    """Column names of a query and its rows."""

    names: list[str]
    rows: list[tuple[Cell, ...]]


class QueryError(TraceError):
    """The trace processor refused a query; the text is its own."""


@functools.cache
def message(name: str) -> Any:
    """Message class of ``perfetto.protos`` by name. HostError if the client is not installed.

    Reads only the descriptor file of the ``perfetto`` wheel: importing the client would load pandas,
    which takes longer than evaluating a small trace.
    """
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"perfetto.protos.{name}"))


@functools.cache
def _pool() -> DescriptorPool:
    try:
        folder = importlib.resources.files("perfetto")
        content = folder.joinpath("trace_processor", "trace_processor.descriptor").read_bytes()
    except (ModuleNotFoundError, OSError) as error:
        raise HostError(
            "the perfetto package is not installed", next_step="install requirements.txt"
        ) from error
    pool = DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(content).file:
        pool.Add(file)
    return pool


def request(method: int, field: str | None = None, content: Any = None) -> bytes:
    """One request as bytes of a stream; ``field`` is set to ``content`` (message or bytes)."""
    stream = message("TraceProcessorRpcStream")()
    rpc = stream.msg.add()
    rpc.request = method
    if field is not None:
        if isinstance(content, bytes):
            setattr(rpc, field, content)
        else:
            getattr(rpc, field).CopyFrom(content)
    encoded: bytes = stream.SerializeToString()
    return encoded


def reset_request(*, ftrace_in_raw: bool = True) -> bytes:
    """Drop any trace, keep ftrace events in their table, and sort packets over the whole trace.

    kswapd's wake and sleep are only in that table. Sorting in windows, the default for streamed
    traces, drops late packets.
    """
    arguments = message("ResetTraceProcessorArgs")(ingest_ftrace_in_raw_table=ftrace_in_raw, sorting_mode=1)
    return request(RESET, "reset_trace_processor_args", arguments)


def register_request(package: str, modules: Mapping[str, str]) -> bytes:
    """Register SQL modules by full name (``package.module``), for INCLUDE PERFETTO MODULE."""
    arguments = message("RegisterSqlPackageArgs")(package_name=package, allow_override=True)
    for name, sql in modules.items():
        arguments.modules.add(name=name, sql=sql)
    return request(REGISTER, "register_sql_package_args", arguments)


def replies(data: bytes) -> list[Reply]:
    """Messages of a reply stream; TraceError if one reports a fatal error."""
    stream = message("TraceProcessorRpcStream").FromString(data)
    for rpc in stream.msg:
        if rpc.fatal_error:
            raise TraceError(f"the trace processor gave up: {rpc.fatal_error}")
    return list(stream.msg)


def rows_of(result: Any, sql: str) -> Rows:
    """Rows of a QueryResult. QueryError with the trace processor's text, or if rows are missing.

    Perfetto's client takes 1.7 to 4 times as long and drops what is not UTF-8.
    """
    if result.error:
        raise QueryError(last_line(result.error), next_step=f"query: {sql.strip()[:120]}")
    names = list(result.column_names)
    cells: list[Cell] = []
    for batch in result.batch:
        raw = batch.string_cells
        text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
        # By kind of cell: invalid, NULL, integer, float, string, blob.
        values: tuple[Iterator[Cell], ...] = (
            itertools.repeat(None),
            itertools.repeat(None),
            iter(batch.varint_cells),
            iter(batch.float64_cells),
            iter(text.split("\0")),
            iter(batch.blob_cells),
        )
        cells += [next(values[kind]) for kind in batch.cells]
    width = len(names)
    if width == 0:
        return Rows(names, [])
    if len(cells) % width or (result.batch and not result.batch[-1].is_last_batch):
        raise QueryError(
            "the trace processor's answer is incomplete", next_step=f"query: {sql.strip()[:120]}"
        )
    return Rows(names, list(zip(*[iter(cells)] * width, strict=True)))


def last_line(text: str) -> str:
    """The last line of an error of the trace processor: its traceback ends with the cause."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "the trace processor gave no reason"
