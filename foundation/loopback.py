"""HTTP on loopback: the checks that all servers of the suite share."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from foundation.ports import LOOPBACK


class LoopbackHandler(BaseHTTPRequestHandler):
    """A request handler that recognises requests of this machine and writes no log."""

    protocol_version = "HTTP/1.1"
    server: HTTPServer

    def is_local(self) -> bool:
        """Whether the request is for this server and does not come from a page of another site.

        The Host check stops DNS rebinding: a foreign name that resolves to loopback.
        """
        hosts = {f"{host}:{self.server.server_port}" for host in ("localhost", LOOPBACK)}
        origin = self.headers.get("Origin")
        return self.headers.get("Host") in hosts and (
            origin is None or origin in {f"http://{host}" for host in hosts}
        )

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing."""
