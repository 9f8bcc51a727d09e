"""The test files below android_tests: which campaign each of them asks for.

``test_app_switching.py`` and ``test_throughput.py`` ask with a workload and with whatever the
command line compares; each other one is a campaign file that comes with the suite, such as
``test_forward_progress.py`` for ``forward-progress``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from android_tests.campaign.campaign_file import shipped
from android_tests.campaign.workloads import WORKLOADS
from foundation.errors import UsageError

FOLDER: Final = Path(__file__).parents[1]


@dataclass(frozen=True)
class Asked:
    """What a test file asks for: one of ``workload`` and ``campaign`` is set."""

    file: str
    workload: str | None = None
    campaign: str | None = None


def test_file_of(campaign: str) -> str:
    """The name of the test file that asks for a campaign of the suite."""
    return f"test_{campaign.replace('-', '_')}.py"


def question_files() -> dict[str, Asked]:
    """All of them, by file name."""
    asked = [Asked(kind.file, workload=kind.name) for kind in WORKLOADS.values()]
    asked += [Asked(test_file_of(name), campaign=name) for name in shipped()]
    return {one.file: one for one in asked}


def asked_by(paths: Iterable[Path]) -> Asked | None:
    """What the test files of a command line ask for; None if there is none among ``paths``.

    A folder asks nothing by itself. UsageError for two questions: a run is one campaign.
    """
    files = question_files()
    asked = {path.name: files[path.name] for path in paths if path.parent == FOLDER and path.name in files}
    if len(asked) > 1:
        raise UsageError(
            f"{' and '.join(sorted(asked))} are two questions, and a run is one campaign",
            next_step="run them one after another, each with its own --results",
        )
    return next(iter(asked.values()), None)


def campaign_of(asked: Asked | None, named: str | None) -> str | None:
    """The campaign file of a command line: by its test file, or ``named``. UsageError if they differ."""
    if asked is None or asked.campaign is None:
        return named
    if named not in (None, asked.campaign):
        raise UsageError(
            f"{asked.file} asks for campaign {asked.campaign}, and --campaign for {named}",
            next_step="leave --campaign out, or name android_tests in place of the test file",
        )
    return asked.campaign
