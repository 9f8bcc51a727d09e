"""``python -m analysis notebook``: a notebook on results or a trace, opened in Jupyter or run."""

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

    ``into`` None: ``<notebook>.ipynb`` in the current folder. UsageError if it exists or has another
    suffix; errors as `notebook_for`, `run` and `write`.
    """
    name, parameters = notebook_for(what)
    target = into or Path(f"{name}.ipynb")
    if target.suffix not in _SUFFIXES:
        raise UsageError(f"{target} is neither .ipynb nor .md", next_step="name a file with one of these")
    if target.suffix == ".md" and not execute:
        raise UsageError("a Markdown page needs the outputs", next_step="add --run")
    if target.exists():
        raise UsageError(f"{target} already exists", next_step="give --into FILE, or move it away")
    book = filled(name, parameters)
    if execute:
        run(book)
    write(book, target)
    return target


def open_in_jupyter(file: Path, progress: Progress) -> int:
    """Run Jupyter on ``file`` and return its exit status; without Jupyter, explain how to open it."""
    for module in ("jupyterlab", "notebook"):
        if importlib.util.find_spec(module) is not None:
            return subprocess.run([sys.executable, "-m", module, str(file)], check=False).returncode
    progress(f"{file} ({NOTEBOOKS.get(file.stem, 'a notebook')})")
    progress(
        "Jupyter is not installed: pip install jupyterlab, or open the file in an editor for notebooks"
    )
    return 0
