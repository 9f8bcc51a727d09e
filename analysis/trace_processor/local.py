"""The offline engine in this process.

The perfetto client would talk to it over HTTP, from another process. For a batch of small
traces that detour is pure cost: a Python start (0.1 s), a status poll once a second, and a
copy of every byte. The bytes of the protocol are the same in both (`analysis.trace_processor.server`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from analysis.trace_processor import messages
from analysis.trace_processor.wasm import CHUNK, WasmInstance
from foundation.errors import TraceError


class LocalEngine:
    """One trace in one WebAssembly instance."""

    def __init__(self, module: Path, *, memory64: bool = False) -> None:
        self._instance = WasmInstance(module, memory64=memory64)
        self._ask(messages.reset_request())

    def load(self, path: Path) -> None:
        """Read the whole trace. TraceError if the engine refuses it."""
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                for reply in self._ask(messages.request(messages.APPEND, "append_trace_data", chunk)):
                    messages.check_loaded(reply.append_result.error, path)
        for reply in self._ask(messages.request(messages.FINALIZE)):
            messages.check_loaded(reply.finalize_data_result.error, path)

    def query(self, sql: str) -> messages.Rows:
        """Answer one query. QueryError if the engine refuses it."""
        content = messages.message("QueryArgs")(sql_query=sql)
        parts = self._ask(messages.request(messages.QUERY, "query_args", content))
        return messages.rows_of(messages.query_result([part.query_result for part in parts]), sql)

    def register(self, package: str, modules: Mapping[str, str]) -> None:
        """Make SQL modules known by name. HostError if the engine refuses them."""
        messages.check_registered(self._ask(messages.register_request(package, modules)))

    def version(self) -> str:
        """The engine's own version text."""
        return messages.version_of(self._ask(messages.request(messages.STATUS))[0].status)

    def close(self) -> None:
        """Give the memory back. May be called twice."""
        self._instance.close()

    def _ask(self, data: bytes) -> list[messages.Reply]:
        answers = messages.replies(self._instance.request(data))
        if not answers:
            raise TraceError("the trace processor gave no answer", next_step="record the trace again")
        return answers
