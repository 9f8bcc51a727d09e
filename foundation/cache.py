"""Where the suite keeps downloads and builds, outside every checkout; may be deleted at any time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

ENV_CACHE: Final = "RECLAIM_SUITE_CACHE"
_NAME: Final = "android-reclaim-suite"


def cache_dir(*parts: str) -> Path:
    """Return (and create) a folder below `cache_root`. Mode 0700: compiled code is loaded from it."""
    return made_private(cache_root(), *parts)


def cache_root() -> Path:
    """``$RECLAIM_SUITE_CACHE``, else ``$XDG_CACHE_HOME/android-reclaim-suite``, else below ``~/.cache``."""
    return root_folder(ENV_CACHE, "XDG_CACHE_HOME", ".cache")


def root_folder(override: str, xdg_variable: str, below_home: str) -> Path:
    """A root folder of the suite, by the XDG Base Directory Specification; creates nothing.

    The environment variable ``override`` names the folder itself, ``xdg_variable`` its parent.
    """
    if explicit := os.environ.get(override):
        return Path(explicit)
    xdg = os.environ.get(xdg_variable)
    return (Path(xdg) if xdg else Path.home() / below_home) / _NAME


def made_private(root: Path, *parts: str) -> Path:
    """Create ``root`` with mode 0700 and the folder ``parts`` below it; returns the latter."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = root.joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
