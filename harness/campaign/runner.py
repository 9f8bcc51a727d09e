"""Run all legs of a campaign file unattended, one pytest run after another."""

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
from harness.campaign.legs_table import legs_table
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
    """One leg's pytest run: the arguments after ``-m pytest``, and its results folder."""

    name: str
    results: Path
    arguments: tuple[str, ...]


def runs_of(given: Given, more: Sequence[str] = ()) -> list[Run]:
    """The runs of a campaign file; all legs are checked before the first one starts.

    Each run gets the options ``given``, then the words ``more``. UsageError, ResultsError.
    """
    runs = []
    for settings in settings_of_all(given):
        plan = plan_of(settings)
        runs.append(Run(plan.name, settings.results, (*_arguments(given, settings), *more)))
    return runs


def _arguments(given: Given, settings: Settings) -> list[str]:
    """Words with absolute paths only, since the run has another working directory."""
    campaign = Path(given["campaign"])
    own: dict[str, Any] = {"results": settings.results if settings.leg is None else settings.results.parent}
    if campaign.suffix == ".toml":
        own["campaign"] = str(campaign.absolute())
    if settings.leg is not None:
        own["leg"] = settings.leg
    # The run would look for the lab file in its own directory.
    lab = find_lab(settings.lab).path if settings.device == "phone" else None
    if lab is not None:
        own["lab"] = lab
    values = {**given, **own}
    words = [word for one in OPTIONS if one.name in values for word in one.words(values[one.name])]
    return ["android_tests", *words]


def run_all(runs: Sequence[Run], progress: Progress) -> int:
    """Run the legs in order, print one table of all, and return the exit status.

    A leg whose items fail does not stop the next one. On Ctrl-C, SIGTERM or SIGHUP the current run
    restores its device and ends, and no other starts; the same command resumes. 0: nothing failed;
    1: a verdict or a kernel failed; 2: interrupted; else pytest's exit status.
    """
    worst = 0
    stopped = False
    for number, run in enumerate(runs, 1):
        progress(f"=== {number}/{len(runs)}: {run.name}, results in {run.results}")
        status, stopped = _run(run)
        worst = max(worst, status)
        if stopped or status == _INTERRUPTED:
            worst = _INTERRUPTED
            break
    progress("")
    progress(legs_table({run.name: run.results for run in runs}))
    if worst == _INTERRUPTED:
        progress("\ninterrupted: repeat the same command to resume")
    return worst


def _run(run: Run) -> tuple[int, bool]:
    """The exit status, and whether this program received a request to stop during the run."""
    stops = _Stops()
    with handled_by(stops.stop, _STOPS):
        # In a process group of its own, so that a Ctrl-C reaches it once, through us.
        child = subprocess.Popen(
            [sys.executable, "-m", "pytest", *run.arguments], cwd=ROOT, process_group=0
        )
        stops.hand_to(child)
        status = child.wait()
        return (status if status >= 0 else _FAILED), stops.count > 0


class _Stops:
    """Requests to stop (Ctrl-C, SIGTERM, SIGHUP), counted from before the run starts until it ends.

    The first becomes the run's Ctrl-C. The second is ignored, so as not to disturb a run that is
    restoring its device; the third kills it.
    """

    def __init__(self) -> None:
        self.count = 0
        self._child: subprocess.Popen[bytes] | None = None

    def hand_to(self, child: subprocess.Popen[bytes]) -> None:
        """Pass requests on to ``child``, including one that came before."""
        self._child = child
        if self.count:
            child.send_signal(signal.SIGINT)

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Handle one of the signals."""
        self.count += 1
        if self._child is not None and self.count != 2:
            self._child.send_signal(signal.SIGINT if self.count == 1 else signal.SIGKILL)
