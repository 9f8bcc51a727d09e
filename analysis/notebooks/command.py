"""``python -m analysis notebook``: a notebook on these results, opened in Jupyter or run on the spot."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analysis.notebooks.running import NOTEBOOKS, filled, notebook_for, run, write
from foundation.errors import UsageError
from foundation.progress import Progress

_SUFFIXES: Final = (".ipynb", ".md")


def make(what: Sequence[Path], into: Path | None, *, execute: bool) -> Path:
    """Write the notebook for ``what``, with its outputs if ``execute``. Returns the file.

    ``into`` None: ``<notebook>.ipynb`` here. UsageError if it exists, or for another suffix.
    """
    name, parameters = notebook_for(what)
    target = into or Path(f"{name}.ipynb")
    if target.suffix not in _SUFFIXES:
        raise UsageError(f"{target} is neither .ipynb nor .md", next_step="name a file with one of these")
    if target.suffix == ".md" and not execute:
        raise UsageError("a page needs the outputs", next_step="add --run")
    if target.exists():
        raise UsageError(f"{target} exists already", next_step="give --into FILE, or move it away")
    book = filled(name, parameters)
    if execute:
        run(book)
    write(book, target)
    return target


def open_in_jupyter(file: Path, say: Progress) -> int:
    """Start Jupyter on ``file`` and wait for its end; ``say`` what to do where there is none."""
    for module in ("jupyterlab", "notebook"):
        if importlib.util.find_spec(module) is not None:
            return subprocess.run([sys.executable, "-m", module, str(file)], check=False).returncode
    say(f"{file} ({NOTEBOOKS.get(file.stem, 'a notebook')})")
    say("Jupyter is not installed here: pip install jupyterlab, or open the file in an editor that can")
    return 0
