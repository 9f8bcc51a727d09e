"""``python -m analysis open``: the traces of a pair in Perfetto's UI, served on loopback."""

from __future__ import annotations

import tempfile
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from analysis.perfetto_ui.choose import Selection, choose
from analysis.perfetto_ui.derived import Kind
from analysis.perfetto_ui.page import Shown, pages
from analysis.perfetto_ui.server import UiServer
from analysis.perfetto_ui.trace_copy import copy_with_tracks
from foundation.contract.results import load
from foundation.errors import HostError, UsageError
from foundation.progress import Progress
from foundation.signals import sigterm_as_interrupt

if TYPE_CHECKING:
    from analysis.trace_processor import EngineChoice

_MAX_TRACES: Final = 2
_FIRST_PAIR: Final = Selection()


@dataclass(frozen=True)
class Source:
    """A trace to show: its variant or folder as a label, its full name, and the file."""

    label: str
    name: str
    trace: Path


@dataclass(frozen=True)
class View:
    """What to show, and the moment to open at."""

    title: str
    sources: tuple[Source, ...]
    moment: Kind


def view_of(
    what: Sequence[Path], selection: Selection = _FIRST_PAIR, engine: EngineChoice | None = None
) -> View:
    """A pair of a results folder, or one or two trace files.

    UsageError for other paths, for a selection with trace files, and as `choose`; ResultsError as
    `foundation.contract.results.load`.
    """
    moment: Kind = selection.slowest or "repetition"
    if len(what) == 1 and (what[0].is_dir() or not what[0].exists()):
        campaign = load(what[0])
        chosen = choose(campaign, selection, engine)
        sources = [
            Source(side.block.place.variant, side.name, side.repetition.trace_path) for side in chosen.sides
        ]
        return View(f"{campaign.name}, {chosen.scenario}, pair {chosen.pair}", tuple(sources), moment)
    if replace(selection, slowest=None) != _FIRST_PAIR:
        raise UsageError(
            "--scenario, --variant and --pair need a results folder", next_step="leave them out"
        )
    if len(what) > _MAX_TRACES:
        raise UsageError(f"{len(what)} traces were given", next_step="give one, or two to compare")
    if any(path.is_dir() for path in what):
        raise UsageError(
            "a folder among several paths", next_step="give one results folder, or trace files"
        )
    return View(
        " and ".join(path.name for path in what),
        tuple(Source(path.parent.name or path.name, str(path), path) for path in what),
        moment,
    )


def save(view: View, folder: Path, engine: EngineChoice | None = None) -> list[Path]:
    """Write the traces with their added tracks into ``folder``, for a UI elsewhere.

    Returns the files. HostError if they cannot be written, TraceError for a trace that cannot be read.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(f"{folder} cannot be made: {error.strerror}") from error
    files = [folder / _file_name(number, source) for number, source in enumerate(view.sources)]
    for source, file in zip(view.sources, files, strict=True):
        copy_with_tracks(source.trace, file, engine)
    return files


def serve(
    view: View,
    *,
    port: int = 0,
    browser: bool = True,
    engine: EngineChoice | None = None,
    progress: Progress = print,
) -> None:
    """Serve ``view`` until its page is closed; the first line to ``progress`` has the address.

    Keeps copies of the traces in a temporary folder while it runs. HostError if it cannot listen,
    TraceError for a trace that cannot be read, KeyboardInterrupt on Ctrl-C and SIGTERM.
    """
    with (
        # The copies are large and must be removed.
        sigterm_as_interrupt(),
        tempfile.TemporaryDirectory(prefix="reclaim-suite-ui-") as folder,
    ):
        shown: list[Shown] = []
        files: dict[str, Path] = {}
        for number, source in enumerate(view.sources):
            name = _file_name(number, source)
            files[name] = Path(folder) / name
            derived = copy_with_tracks(source.trace, files[name], engine)
            shown.append(Shown(source.label, source.name, name, derived))
        server = UiServer(files, port)
        server.pages.update(pages(view.title, shown, view.moment, server.origin))
        progress(f"{view.title}: {server.origin}/")
        if browser and not webbrowser.open(f"{server.origin}/"):
            progress("no browser found: open the address in one")
        server.serve_until_idle()
    progress("the page was closed" if server.read else "the page was not opened in time")


def _file_name(number: int, source: Source) -> str:
    """Safe in a URL, and readable, as the UI shows it as the trace's title."""
    words = f"{number}-{source.label}-{Path(source.name).name}"
    return "".join(
        char if char.isascii() and (char.isalnum() or char in "-_") else "-" for char in words
    ) + (".pftrace")
