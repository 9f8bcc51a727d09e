"""Free ports on the loopback interface."""

from __future__ import annotations

import socket
from collections.abc import Container
from typing import Final

LOOPBACK: Final = "127.0.0.1"
#: Where Perfetto's UI, a public web page, looks for a trace processor; ours must not be there.
TRACE_PROCESSOR_PORT: Final = 9001


def free_port(avoid: Container[int] = ()) -> int:
    """A loopback TCP port that is free now and not in ``avoid``; another process may still take it."""
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in avoid:
            return port
