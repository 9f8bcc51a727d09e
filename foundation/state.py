"""Where the suite keeps what must not be lost: how to undo its changes to a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from foundation.cache import made_private, root_folder

ENV_STATE: Final = "RECLAIM_SUITE_STATE"


def state_dir(*parts: str) -> Path:
    """Return (and create) a folder below `state_root`."""
    return made_private(state_root(), *parts)


def state_root() -> Path:
    """``$RECLAIM_SUITE_STATE``, else in ``$XDG_STATE_HOME``, else in ``~/.local/state``. Read-only."""
    return root_folder(ENV_STATE, "XDG_STATE_HOME", ".local/state")
