"""All legs of a campaign file, one pytest run after another, unattended."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

from foundation.progress import Progress
from foundation.signals import handled_by
from harness.campaign.legs_table import LegResult, legs_table
from harness.campaign.merging import settings_of_all
from harness.campaign.options import Given
from harness.campaign.session import plan_of
from harness.campaign.settings import OPTIONS, Settings
from harness.device.lab import find_lab

ROOT: Final = Path(__file__).parents[2]

#: Exit statuses of pytest: some item failed, interrupted.
_FAILED: Final = 1
_INTERRUPTED: Final = 2

_STOPS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Run:
    """One leg's pytest run: the arguments after ``-m pytest``, and where its results are."""

    name: str
    results: Path
    arguments: tuple[str, ...]


def runs_of(given: Given, more: Sequence[str] = ()) -> list[Run]:
    """The runs of a campaign file, checked as a whole: nothing begins if a later leg is wrong.

    ``given`` is handed on to each, and the words ``more`` after it. UsageError, ResultsError.
    """
    runs = []
    for settings in settings_of_all(given):
        plan = plan_of(settings)
        runs.append(Run(plan.name, settings.results, (*_arguments(given, settings), *more)))
    return runs


def _arguments(given: Given, settings: Settings) -> list[str]:
    """The run's own folder is the suite's, so that no path may be relative to this one."""
    campaign = Path(given["campaign"])
    own: dict[str, Any] = {"results": settings.results if settings.leg is None else settings.results.parent}
    if campaign.suffix == ".toml":
        own["campaign"] = str(campaign.absolute())
    if settings.leg is not None:
        own["leg"] = settings.leg
    # The run would look for its lab file elsewhere.
    lab = find_lab(settings.lab).path if settings.device == "phone" else None
    if lab is not None:
        own["lab"] = lab
    asked = {**given, **own}
    words = [word for one in OPTIONS if one.name in asked for word in one.words(asked[one.name])]
    return ["android_tests", *words]


def run_all(runs: Sequence[Run], say: Progress) -> int:
    """Run them in order, and end with one table over all; the exit status.

    A leg whose items fail does not stop the next one. Ctrl-C, SIGTERM and SIGHUP let the
    run of the moment restore its device and end, and no other begins; the same command
    goes on later. 0: nothing failed; 1: a verdict or a kernel failed; 2: interrupted; else
    what pytest ended with.
    """
    worst = 0
    stopped = False
    for number, run in enumerate(runs, 1):
        say(f"=== {number}/{len(runs)}: {run.name}, results in {run.results}")
        status, stopped = _run(run)
        worst = max(worst, status)
        if stopped or status == _INTERRUPTED:
            worst = _INTERRUPTED
            break
    say("")
    say(legs_table([LegResult(run.name, run.results) for run in runs]))
    if worst == _INTERRUPTED:
        say("\ninterrupted: the same command goes on where it stopped")
    return worst


def _run(run: Run) -> tuple[int, bool]:
    """Exit status, and whether this program was asked to stop meanwhile."""
    stops = _Stops()
    with handled_by(stops.stop, _STOPS):
        # A group of its own: a Ctrl-C at the terminal must reach it once, through us, and not twice.
        child = subprocess.Popen(
            [sys.executable, "-m", "pytest", *run.arguments], cwd=ROOT, process_group=0
        )
        stops.hand_to(child)
        status = child.wait()
        return (status if status >= 0 else _FAILED), stops.count > 0


class _Stops:
    """Requests to stop (Ctrl-C, SIGTERM, SIGHUP), held from before the run begins until it has ended.

    The first becomes the run's Ctrl-C. The second changes nothing, since a run that is
    restoring its device must not be disturbed; the third ends it at once.
    """

    def __init__(self) -> None:
        self.count = 0
        self._child: subprocess.Popen[bytes] | None = None

    def hand_to(self, child: subprocess.Popen[bytes]) -> None:
        """From now on they are the business of ``child``; also one that came before."""
        self._child = child
        if self.count:
            child.send_signal(signal.SIGINT)

    def stop(self, number: int, frame: FrameType | None) -> None:
        """The handler of these signals."""
        self.count += 1
        if self._child is not None and self.count != 2:
            self._child.send_signal(signal.SIGINT if self.count == 1 else signal.SIGKILL)
