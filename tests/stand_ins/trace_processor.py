"""A stand-in for a native trace_processor_shell: the WebAssembly one behind the same HTTP endpoint."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from analysis.trace_processor.choice import EngineChoice, find_engine
from analysis.trace_processor.wasm import WasmInstance

_ROOT = Path(__file__).resolve().parents[2]


def program(folder: Path) -> Path:
    """An executable in ``folder`` that takes the flags ``-D --http-port PORT``."""
    path = folder / "trace_processor_shell"
    path.write_text(
        f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(_ROOT))} "
        f'exec {shlex.quote(sys.executable)} -m tests.stand_ins.trace_processor "$@"\n'
    )
    path.chmod(0o755)
    return path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    instance: WasmInstance

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.instance.request(body) if self.path == "/rpc" else b""
        self.send_response(200 if self.path == "/rpc" else 404)
        # The reply comes in chunks, as from the original.
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in filter(None, (answer[:7], answer[7:])):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing."""


def _exit_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-D", action="store_true")
    parser.add_argument("--http-port", type=int, required=True)
    options = parser.parse_args()
    threading.Thread(target=_exit_with_parent, args=(os.getppid(),), daemon=True).start()
    _Handler.instance = WasmInstance(find_engine(EngineChoice(kind="wasm"), 0).path)
    HTTPServer(("127.0.0.1", options.http_port), _Handler).serve_forever()


if __name__ == "__main__":
    main()
