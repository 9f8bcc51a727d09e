"""Whether the other end of a program's connection has gone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

# State of a TCP connection whose other end has closed: include/net/tcp_states.h of the kernel.
_CLOSE_WAIT: Final = "08"


def closed_by_device(pid: int) -> bool:
    """Whether a TCP connection of ``pid`` was closed from the far end; False where that is not known."""
    inodes = _sockets(pid)
    if not inodes:
        return False
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if words[3] == _CLOSE_WAIT and words[9] in inodes:
                return True
    return False


def _sockets(pid: int) -> set[str]:
    found = set()
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            target = str(entry.readlink())
            if target.startswith("socket:["):
                found.add(target[8:-1])
    except OSError:
        return set()
    return found
