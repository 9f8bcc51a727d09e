"""Whether the peer of a program's TCP connection has closed it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

# TCP_CLOSE_WAIT in include/net/tcp_states.h of the kernel: the peer has closed.
_CLOSE_WAIT: Final = "08"


def closed_by_device(pid: int) -> bool:
    """Whether the peer has closed a TCP connection of ``pid``; False if that cannot be read."""
    inodes = _sockets(pid)
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        if any(words[3] == _CLOSE_WAIT and words[9] in inodes for words in map(str.split, lines)):
            return True
    return False


def _sockets(pid: int) -> set[str]:
    try:
        targets = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return set()
    return {target[8:-1] for target in targets if target.startswith("socket:[")}
