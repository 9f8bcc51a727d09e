"""A native trace processor as a child process, asked over loopback HTTP as the perfetto client does."""

from __future__ import annotations

import contextlib
import http.client
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from analysis.trace_processor import messages
from foundation.errors import HostError, TraceError
from foundation.ports import TRACE_PROCESSOR_PORT, free_port

_START_S: Final = 30.0
_ANSWER_S: Final = 600.0
_CHUNK: Final = 8 << 20


class NativeEngine:
    """One trace in one child process, which is killed by `close`.

    HostError if the program does not start or does not answer.
    """

    def __init__(self, program: Path) -> None:
        self._program = program
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        port = free_port(avoid=(TRACE_PROCESSOR_PORT,))
        try:
            self._process = subprocess.Popen(
                [str(program), "-D", "--http-port", str(port), "--full-sort"],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            raise HostError(
                f"cannot run the engine {program}: {error.strerror}", next_step="check --engine"
            ) from error
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)
        try:
            self._version = self._wait()
        except BaseException:
            self.close()
            raise

    def load(self, path: Path) -> None:
        """Read the whole trace. TraceError if the engine refuses it."""
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                answer = messages.message("AppendTraceDataResult").FromString(
                    self._ask("POST", "/parse", chunk)
                )
                messages.check_loaded(answer.error, path)
        self._ask("GET", "/notify_eof")

    def query(self, sql: str) -> messages.Rows:
        """Answer one query. QueryError if the engine refuses it."""
        question = messages.message("QueryArgs")(sql_query=sql).SerializeToString()
        answer = messages.message("QueryResult").FromString(self._ask("POST", "/query", question))
        return messages.rows_of(answer, sql)

    def register(self, package: str, modules: Mapping[str, str]) -> None:
        """Make SQL modules known by name. HostError if the engine refuses them."""
        answer = self._ask("POST", "/rpc", messages.register_request(package, modules))
        messages.check_registered(messages.replies(answer))

    def version(self) -> str:
        """The engine's own version text."""
        return self._version

    def close(self) -> None:
        """Kill the child and forget it. May be called twice."""
        self._connection.close()
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self._log.close()

    def _wait(self) -> str:
        deadline = time.monotonic() + _START_S
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                status: Any = messages.message("StatusResult").FromString(self._ask("GET", "/status"))
            except TraceError:
                # Not listening yet.
                time.sleep(0.01)
                continue
            return messages.version_of(status)
        self._log.seek(0)
        said = self._log.read().decode("utf-8", "replace").strip().splitlines()
        raise HostError(
            f"the engine {self._program} did not start: {said[-1] if said else 'it said nothing'}",
            next_step="check --engine, or use --engine wasm",
        )

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        try:
            self._connection.request(method, path, body=body)
            with self._connection.getresponse() as response:
                content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise TraceError(
                f"the engine {self._program} went away at {path}: {error or type(error).__name__}",
                next_step="use --engine wasm, or record the trace again",
            ) from error
        if response.status != 200:
            raise TraceError(
                f"the engine {self._program} answered {response.status} to {path}",
                next_step="use --engine wasm",
            )
        return content
