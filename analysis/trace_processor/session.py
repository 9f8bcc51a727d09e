"""A loaded trace that answers SQL, whatever engine is behind it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from analysis.sql import PACKAGE, modules
from analysis.trace_processor import messages
from analysis.trace_processor.choice import (
    MEMORY64_FROM_BYTES,
    EngineChoice,
    EngineFile,
    EngineInfo,
    find_engine,
)
from analysis.trace_processor.local import LocalEngine
from analysis.trace_processor.native import NativeEngine
from analysis.trace_processor.trace_file import size_of
from analysis.trace_processor.wasm import WasmAborted

if TYPE_CHECKING:
    import pandas as pd


class Engine(Protocol):
    """What a trace processor must do for one trace."""

    def load(self, path: Path) -> None:
        """Read the whole trace. TraceError if the engine refuses it."""
        ...

    def query(self, sql: str) -> messages.Rows:
        """Answer one query. QueryError if the engine refuses it."""
        ...

    def register(self, package: str, modules: Mapping[str, str]) -> None:
        """Make SQL modules known by name. HostError if the engine refuses them."""
        ...

    def version(self) -> str: ...

    def close(self) -> None: ...


class TraceSession:
    """One trace in one engine. ``path`` is the file, ``engine`` what answers."""

    def __init__(self, path: Path, engine: EngineInfo, backend: Engine) -> None:
        self.path = path
        self.engine = engine
        self._backend = backend

    def rows(self, sql: str) -> list[tuple[messages.Cell, ...]]:
        """Rows of a query, each a tuple in the order of its columns. QueryError."""
        return self._backend.query(sql).rows

    def query(self, sql: str) -> pd.DataFrame:
        """Rows of a query as a frame: a column for each of the query's, a default index. QueryError."""
        import pandas as pd

        result = self._backend.query(sql)
        return pd.DataFrame(result.rows, columns=result.names)


@contextlib.contextmanager
def open_trace(path: Path, engine: EngineChoice | None = None) -> Iterator[TraceSession]:
    """Load a trace of any kind that the trace processor reads; closed on the way out.

    The modules of `analysis.sql` can be included in its queries.

    TraceError if the file is missing, empty, or not a trace; HostError if there is no engine.
    """
    file = find_engine(engine or EngineChoice(), size_of(path))
    backend = _loaded(path, file, engine)
    try:
        yield TraceSession(path, EngineInfo(file.kind, backend.version(), file.sha256), backend)
    finally:
        backend.close()


def _loaded(path: Path, file: EngineFile, choice: EngineChoice | None) -> Engine:
    backend = _engine(file)
    try:
        backend.load(path)
        backend.register(PACKAGE, modules())
    except WasmAborted:
        backend.close()
        if file.kind != "wasm" or (choice is not None and choice.path is not None):
            raise
        # A compressed trace may be small on disk and need more than 4 GiB all the same.
        larger = find_engine(choice or EngineChoice(), MEMORY64_FROM_BYTES)
        return _loaded(path, larger, choice)
    except BaseException:
        backend.close()
        raise
    return backend


def _engine(file: EngineFile) -> Engine:
    if file.kind == "native":
        return NativeEngine(file.path)
    return LocalEngine(file.path, memory64=file.kind == "wasm64")
