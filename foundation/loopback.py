"""HTTP for this machine only: what every server of the suite on loopback checks."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from foundation.ports import LOOPBACK


class LoopbackHandler(BaseHTTPRequestHandler):
    """A request handler that can tell who asks, and writes no log: the output is the caller's."""

    protocol_version = "HTTP/1.1"
    server: HTTPServer

    def is_local(self) -> bool:
        """Whether the request is meant for this server, and no page of another site has sent it.

        The Host check stops a foreign name that was made to resolve to loopback.
        """
        hosts = {f"{host}:{self.server.server_port}" for host in ("localhost", LOOPBACK)}
        origin = self.headers.get("Origin")
        return self.headers.get("Host") in hosts and (
            origin is None or origin in {f"http://{host}" for host in hosts}
        )

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing."""
