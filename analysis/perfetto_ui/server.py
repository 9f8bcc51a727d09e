"""Serves the UI and the traces on loopback, to our own page only."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from analysis.perfetto_ui.files import HOOK_PATH, hook_script, index_page, ui_folder
from foundation.errors import HostError
from foundation.loopback import LoopbackHandler
from foundation.ports import LOOPBACK, TRACE_PROCESSOR_PORT

UI_PREFIX: Final = "/perfetto/"
TRACE_PREFIX: Final = "/traces/"
_PAGE_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)

#: Content types; the system's own table may be wrong.
_KINDS: Final = {
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}

#: How long to wait until the browser has fetched all traces.
FIRST_S: Final = 900.0
#: Longest silence of an open page; a tab in the background reports once a minute.
IDLE_S: Final = 150.0
#: How long to wait after the page was closed; a reload comes sooner.
_CLOSED_S: Final = 5.0


@dataclass(frozen=True)
class Page:
    """A prepared response; ``policy`` is its Content-Security-Policy."""

    content: bytes
    kind: str
    policy: str = _PAGE_POLICY


def _reserved_port() -> HostError:
    return HostError(
        f"port {TRACE_PROCESSOR_PORT} is reserved for trace processors", next_step="give another --port"
    )


class UiServer(ThreadingHTTPServer):
    """Serves ``traces`` by file name, ``pages`` by path, and the UI.

    HostError if it cannot listen, or for the port of trace processors.
    """

    daemon_threads = True

    def __init__(self, traces: Mapping[str, Path], port: int = 0) -> None:
        if port == TRACE_PROCESSOR_PORT:
            raise _reserved_port()
        self.ui = ui_folder()
        index, self.ui_policy = index_page(self.ui)
        self.pages: dict[str, Page] = {
            f"{UI_PREFIX}index.html": Page(index, "text/html; charset=utf-8", self.ui_policy),
            HOOK_PATH: Page(hook_script(), "text/javascript; charset=utf-8"),
        }
        self.traces = dict(traces)
        self._unread = set(traces)
        self._lock = threading.Lock()
        self._until = time.monotonic() + FIRST_S
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            raise HostError(
                f"cannot listen on {LOOPBACK}:{port}: {error.strerror}", next_step="give another --port"
            ) from error
        if self.server_port == TRACE_PROCESSOR_PORT:
            self.server_close()
            raise _reserved_port()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://{LOOPBACK}:{self.server_port}"

    @property
    def read(self) -> bool:
        """Whether all traces were fetched."""
        with self._lock:
            return not self._unread

    def sign_of_life(self, *, trace: str | None = None, closing: bool = False) -> None:
        """Note a request, which postpones the end of `serve_until_idle`."""
        with self._lock:
            self._unread.discard(trace or "")
            wait = FIRST_S if self._unread else _CLOSED_S if closing else IDLE_S
            self._until = time.monotonic() + wait

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a browser that disconnects during a response."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def serve_until_idle(self) -> None:
        """Serve until the page is closed or idle for too long. KeyboardInterrupt on Ctrl-C."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            while True:
                with self._lock:
                    left = self._until - time.monotonic()
                if left <= 0:
                    return
                time.sleep(min(left, 0.5))
        finally:
            self.shutdown()
            self.server_close()


class _Handler(LoopbackHandler):
    server: UiServer
    timeout = 60

    def do_GET(self) -> None:
        if not self._is_ours():
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        path = unquote(urlsplit(self.path).path)
        if path in ("/alive", "/closed"):
            self.server.sign_of_life(closing=path == "/closed")
            self._head(HTTPStatus.NO_CONTENT, 0)
            return
        self.server.sign_of_life()
        page = self.server.pages.get(path)
        if page is not None:
            self._head(HTTPStatus.OK, len(page.content), page.kind, page.policy)
            self.wfile.write(page.content)
        elif path.startswith(TRACE_PREFIX):
            name = path.removeprefix(TRACE_PREFIX)
            self.server.sign_of_life(trace=name)
            self._file(self.server.traces.get(name))
            self.server.sign_of_life()
        elif path.startswith(UI_PREFIX):
            self._file(self._of_ui(path.removeprefix(UI_PREFIX)))
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def _only_get(self) -> None:
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = _only_get

    def _is_ours(self) -> bool:
        """Whether the request comes from the address bar or from our own page.

        Sec-Fetch-Site keeps out pages of other sites that embed what is served here.
        """
        return self.is_local() and self.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")

    def _of_ui(self, name: str) -> Path | None:
        """A file inside the UI's folder; None for any other path."""
        path = (self.server.ui / name).resolve()
        return path if path.is_relative_to(self.server.ui.resolve()) else None

    def _file(self, path: Path | None) -> None:
        if path is None or not path.is_file():
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        kind = _KINDS.get(path.suffix, "application/octet-stream")
        with path.open("rb") as file:
            # The UI's worker compiles WebAssembly, so it needs the policy of its page.
            self._head(HTTPStatus.OK, path.stat().st_size, kind, self.server.ui_policy)
            shutil.copyfileobj(file, self.wfile)

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True
        self._head(status, 0)

    def _head(
        self, status: HTTPStatus, length: int, kind: str = "text/plain", policy: str = _PAGE_POLICY
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(length))
        self.send_header("Content-Security-Policy", policy)
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
