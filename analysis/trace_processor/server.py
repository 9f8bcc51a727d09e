"""The offline engine behind HTTP on loopback, for programs that speak to a trace_processor_shell.

The ``perfetto`` client works with it unmodified: give it `analysis.trace_processor.client.client_config`,
or the address of a server that already runs. One process serves one trace, as the original
does.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Sequence
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Final

from analysis.sql import PACKAGE, modules
from analysis.trace_processor import messages
from analysis.trace_processor.choice import MEMORY64_FROM_BYTES, EngineChoice, find_engine
from analysis.trace_processor.wasm import CHUNK, WasmInstance
from foundation.errors import SuiteError, UsageError
from foundation.loopback import LoopbackHandler
from foundation.ports import LOOPBACK, TRACE_PROCESSOR_PORT

_LARGEST_BODY: Final = 1 << 30
_PARENT_POLL_S: Final = 0.5


class HttpEngine:
    """One WebAssembly instance and what HTTP requests do to it, one at a time."""

    def __init__(self, instance: WasmInstance, *, ftrace_in_raw: bool = True) -> None:
        self._instance = instance
        self._lock = threading.Lock()
        self._load_error = ""
        instance.request(messages.reset_request(ftrace_in_raw=ftrace_in_raw))
        instance.request(messages.register_request(PACKAGE, modules()))

    def status(self, body: bytes) -> bytes:
        return self._one(messages.request(messages.STATUS), "status")

    def parse(self, body: bytes) -> bytes:
        answer = b""
        for start in range(0, len(body), CHUNK):
            piece = messages.request(messages.APPEND, "append_trace_data", body[start : start + CHUNK])
            answer = self._one(piece, "append_result")
        return answer

    def notify_eof(self, body: bytes) -> bytes:
        # The client throws this answer away: what went wrong is told by the first query.
        result = messages.message("FinalizeDataResult").FromString(
            self._one(messages.request(messages.FINALIZE), "finalize_data_result")
        )
        self._load_error = result.error
        return b""

    def query(self, body: bytes) -> bytes:
        result = messages.message("QueryResult")
        if self._load_error:
            refused: bytes = result(error=self._load_error).SerializeToString()
            return refused
        arguments = messages.message("QueryArgs").FromString(body)
        answers = self._ask(messages.request(messages.QUERY, "query_args", arguments))
        joined: bytes = messages.query_result([one.query_result for one in answers]).SerializeToString()
        return joined

    def compute_metric(self, body: bytes) -> bytes:
        arguments = messages.message("ComputeMetricArgs").FromString(body)
        return self._one(
            messages.request(messages.COMPUTE_METRIC, "compute_metric_args", arguments), "metric_result"
        )

    def trace_summary(self, body: bytes) -> bytes:
        arguments = messages.message("TraceSummaryArgs").FromString(body)
        return self._one(
            messages.request(messages.SUMMARIZE, "trace_summary_args", arguments), "trace_summary_result"
        )

    def rpc(self, body: bytes) -> bytes:
        """Requests and replies as they are, in one stream each."""
        with self._lock:
            return b"".join(
                self._instance.request(body[start : start + CHUNK]) for start in range(0, len(body), CHUNK)
            )

    def _ask(self, request: bytes) -> list[messages.Reply]:
        with self._lock:
            return messages.replies(self._instance.request(request))

    def _one(self, request: bytes, field: str) -> bytes:
        encoded: bytes = getattr(self._ask(request)[-1], field).SerializeToString()
        return encoded


_ROUTES: Final = {
    ("GET", "/status"): HttpEngine.status,
    ("POST", "/parse"): HttpEngine.parse,
    ("GET", "/notify_eof"): HttpEngine.notify_eof,
    ("POST", "/query"): HttpEngine.query,
    ("POST", "/compute_metric"): HttpEngine.compute_metric,
    ("POST", "/trace_summary"): HttpEngine.trace_summary,
    ("POST", "/rpc"): HttpEngine.rpc,
}


class Server(ThreadingHTTPServer):
    """Listens on loopback only. UsageError for the port where web pages look for an engine."""

    daemon_threads = True

    def __init__(self, engine: HttpEngine, port: int) -> None:
        if port == TRACE_PROCESSOR_PORT:
            raise UsageError(
                f"port {TRACE_PROCESSOR_PORT} is where web pages look for an engine",
                next_step="take another port",
            )
        self.engine = engine
        super().__init__((LOOPBACK, port), _Handler)
        if self.server_port == TRACE_PROCESSOR_PORT:
            raise UsageError(
                f"port {TRACE_PROCESSOR_PORT} was given by the system", next_step="start again"
            )


class _Handler(LoopbackHandler):
    server: Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not self.is_local():
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        if not length.isdigit() or int(length) > _LARGEST_BODY:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        route = _ROUTES.get((self.command, self.path))
        if route is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        body = self.rfile.read(int(length))
        try:
            self._answer(HTTPStatus.OK, route(self.server.engine, body))
        except SuiteError as error:
            self.close_connection = True
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, str(error).encode())

    def _refuse(self, status: HTTPStatus) -> None:
        # The body was not read: what follows on this connection cannot be told from it.
        self.close_connection = True
        self._answer(status, b"")

    def _answer(self, status: HTTPStatus, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the parent exits. Flags are those of a trace_processor_shell."""
    parser = argparse.ArgumentParser(prog="trace_processor (offline)")
    parser.add_argument("-D", "--httpd", action="store_true")
    parser.add_argument("--http-port", type=int, default=0)
    parser.add_argument("--no-ftrace-raw", action="store_true")
    parser.add_argument("--full-sort", action="store_true", help="always on")
    parser.add_argument("--memory64", action="store_true", help="for traces above 200 MB")
    parser.add_argument("--announce", action="store_true", help="print the port once it answers")
    options = parser.parse_args(arguments)
    parent = os.getppid()
    try:
        size = MEMORY64_FROM_BYTES if options.memory64 else 0
        file = find_engine(EngineChoice(kind="wasm"), size)
        instance = WasmInstance(file.path, memory64=file.kind == "wasm64")
        server = Server(HttpEngine(instance, ftrace_in_raw=not options.no_ftrace_raw), options.http_port)
    except SuiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: cannot listen on port {options.http_port}: {error.strerror}", file=sys.stderr)
        return 2
    if options.announce:
        print(server.server_port, flush=True)
    threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 130
    return 0


def _exit_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL_S)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
