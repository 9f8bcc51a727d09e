"""Where the suite keeps what it downloads and builds, outside every checkout."""

from __future__ import annotations

import os
from pathlib import Path

ENV_CACHE = "RECLAIM_SUITE_CACHE"


def cache_dir(*parts: str) -> Path:
    """Return (and create) a folder below the suite's cache.

    The root is ``$RECLAIM_SUITE_CACHE``, else ``$XDG_CACHE_HOME/android-reclaim-suite``,
    else ``~/.cache/android-reclaim-suite``. Mode 0700: compiled code is loaded from it.
    """
    explicit = os.environ.get(ENV_CACHE)
    if explicit:
        root = Path(explicit)
    else:
        xdg = os.environ.get("XDG_CACHE_HOME")
        root = (Path(xdg) if xdg else Path.home() / ".cache") / "android-reclaim-suite"
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = root.joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
