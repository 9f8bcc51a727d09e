"""The first look at a file that is said to be a trace."""

from __future__ import annotations

import stat
from pathlib import Path

from foundation.errors import TraceError


def size_of(path: Path) -> int:
    """Bytes of a file that can be read. TraceError if it is missing, no file, or empty."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise TraceError(f"{path} is not a file", next_step="give a trace file")
        with path.open("rb"):
            pass
    except OSError as error:
        raise TraceError(f"cannot read {path}: {error.strerror}", next_step="check the path") from error
    if facts.st_size == 0:
        raise TraceError(f"{path} is empty", next_step="record the trace again")
    return facts.st_size
