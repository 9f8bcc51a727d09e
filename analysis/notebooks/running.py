"""Fills a notebook with its parameters, runs it, and writes it as a notebook or as Markdown."""

from __future__ import annotations

import importlib.util
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from foundation.contract.measured_on import check_comparable
from foundation.contract.records import CAMPAIGN_FILE
from foundation.contract.results import read_campaign
from foundation.errors import HostError, UsageError

_HERE: Final = Path(__file__).parent
_ROOT: Final = _HERE.parents[1]
_CELL_S: Final = 900
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")

#: Each notebook and its argument.
NOTEBOOKS: Final = {
    "trace": "one trace",
    "campaign": "one results folder",
    "campaigns": "several results folders",
}
PARAMETERS_TAG: Final = "parameters"


def notebook_for(what: Sequence[Path]) -> tuple[str, dict[str, object]]:
    """Name of the notebook for these paths, and its parameters.

    UsageError if none fits, or if several campaigns have not the same clock, base and page size.
    """
    for path in what:
        if not path.exists():
            raise UsageError(f"{path} does not exist", next_step="give a results folder, or a trace")
    if len(what) == 1 and what[0].is_file():
        return "trace", {"trace": str(what[0].resolve())}
    if not all(path.is_dir() for path in what):
        raise UsageError(
            "several paths, not all of them folders", next_step="give one trace, or results folders"
        )
    folders = [str(path.resolve()) for path in what]
    if len(folders) == 1:
        return "campaign", {"results": folders[0]}
    records = {path.name: path / CAMPAIGN_FILE for path in what}
    check_comparable({name: read_campaign(file) for name, file in records.items() if file.exists()})
    return "campaigns", {"results": folders}


def filled(name: str, parameters: Mapping[str, object]) -> Any:
    """The notebook of that name, with a cell of ``parameters`` after its own parameters."""
    nbformat = _module("nbformat")
    book = nbformat.read(_HERE / f"{name}.ipynb", as_version=4)
    place = next(
        number for number, cell in enumerate(book.cells) if PARAMETERS_TAG in cell.metadata.get("tags", ())
    )
    given = {"suite": str(_ROOT), **parameters}
    source = "\n".join(f"{key} = {value!r}" for key, value in given.items())
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["injected-parameters"]}, id="injected")
    book.cells.insert(place + 1, cell)
    return book


def run(book: Any) -> None:
    """Run a notebook from top to bottom and store the outputs in it.

    HostError without nbclient or a Jupyter kernel, or if a cell takes too long; UsageError with the
    first line of a cell's error.
    """
    client = _module("nbclient")
    jupyter = _module("jupyter_client")
    with tempfile.TemporaryDirectory(prefix="reclaim-suite-notebook-") as folder:
        # Unix sockets in a private folder: over TCP, other users of this machine could connect.
        config = _module("traitlets.config").Config(
            {"KernelManager": {"transport": "ipc", "ip": f"{folder}/ipc"}}
        )
        resources = {"metadata": {"path": folder}}
        runner = client.NotebookClient(
            book, kernel_name="python3", config=config, timeout=_CELL_S, resources=resources
        )
        try:
            runner.execute()
        except jupyter.kernelspec.NoSuchKernel as error:
            raise HostError(f"no Jupyter kernel: {error}", next_step="install requirements.txt") from error
        except client.exceptions.CellTimeoutError as error:
            raise HostError(f"a cell did not finish within {_CELL_S} s") from error
        except client.exceptions.CellExecutionError as error:
            lines = _COLOUR.sub("", error.evalue).strip().splitlines()
            raise UsageError(f"{error.ename}: {lines[0] if lines else 'no message'}") from error


def write(book: Any, into: Path) -> None:
    """Write a notebook, as Markdown if ``into`` ends in ``.md``. HostError if it cannot be written."""
    if into.suffix == ".md":
        from analysis.notebooks.markdown import as_markdown

        text = as_markdown(book, into)
    else:
        text = _module("nbformat").writes(book) + "\n"
    try:
        into.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HostError(f"{into} cannot be written: {error.strerror}") from error


def _module(name: str) -> Any:
    if importlib.util.find_spec(name) is None:
        raise HostError(
            f"notebooks need {name}, which is not installed", next_step="install requirements.txt"
        )
    return importlib.import_module(name)
