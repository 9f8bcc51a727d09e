"""``python -m analysis open``: the traces of a pair in Perfetto's UI, served on loopback."""

from __future__ import annotations

import tempfile
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from analysis.perfetto_ui.choose import Slowest, choose
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

_AT_MOST: Final = 2


@dataclass(frozen=True)
class Source:
    """A trace to show: the name of its variant, where it stands, and the file."""

    label: str
    name: str
    trace: Path


@dataclass(frozen=True)
class View:
    """What to show, and where to begin."""

    title: str
    sources: tuple[Source, ...]
    moment: Kind


def view_of(
    what: Sequence[Path],
    *,
    scenario: str | None = None,
    variant: str | None = None,
    pair: int | None = None,
    slowest: Slowest | None = None,
    engine: EngineChoice | None = None,
) -> View:
    """A pair of a results folder, or one or two trace files. UsageError for anything else."""
    moment: Kind = slowest or "repetition"
    if len(what) == 1 and (what[0].is_dir() or not what[0].exists()):
        campaign = load(what[0])
        chosen = choose(
            campaign, scenario=scenario, variant=variant, pair=pair, slowest=slowest, engine=engine
        )
        sources = [
            Source(side.block.place.variant, side.name, side.repetition.trace_path) for side in chosen.sides
        ]
        return View(f"{campaign.name}, {chosen.scenario}, pair {chosen.pair}", tuple(sources), moment)
    if scenario is not None or variant is not None or pair is not None:
        raise UsageError(
            "--scenario, --variant and --pair choose in a results folder", next_step="leave them out"
        )
    if len(what) > _AT_MOST:
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
    """Write the traces with their added tracks into ``folder``, for a UI elsewhere. Returns the files."""
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
    say: Progress = print,
) -> None:
    """Show ``view`` until its page is closed; ``say`` is told the address first.

    Copies of the traces are kept in a temporary folder meanwhile. HostError if nothing can be
    served, TraceError for a trace that cannot be read, KeyboardInterrupt at Ctrl-C and SIGTERM.
    """
    with (
        # The copies are large and must not stay.
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
        say(f"{view.title}: {server.origin}/")
        if browser and not webbrowser.open(f"{server.origin}/"):
            say("no browser was found here: open the address in one")
        server.serve_until_idle()
    say("the page was closed" if server.read else "nobody opened the page")


def _file_name(number: int, source: Source) -> str:
    """Safe in an address, and telling: the UI shows it as the trace's title."""
    words = f"{number}-{source.label}-{Path(source.name).name}"
    return "".join(
        char if char.isascii() and (char.isalnum() or char in "-_") else "-" for char in words
    ) + (".pftrace")
