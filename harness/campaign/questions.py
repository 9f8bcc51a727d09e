"""The test files of android_tests: the question of each, and the campaign that answers it.

``CAMPAIGN`` in a file is a campaign file as text; ``WORKLOAD`` names a workload for whatever the
command line compares. The files are parsed, not imported.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.errors import UsageError

FOLDER: Final = Path(__file__).parents[2] / "android_tests"


@dataclass(frozen=True)
class QuestionFile:
    """One test file; it has either ``workload`` or ``campaign`` (the text of a campaign file)."""

    path: Path
    question: str
    workload: str | None = None
    campaign: str | None = None

    @property
    def name(self) -> str:
        """``forward-progress`` for ``test_forward_progress.py``."""
        return self.path.stem.removeprefix("test_").replace("_", "-")


def read_question(path: Path) -> QuestionFile:
    """Parse one test file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        node.targets[0].id: str(ast.literal_eval(node.value))
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("CAMPAIGN", "WORKLOAD")
    }
    return QuestionFile(
        path=path,
        question=" ".join((ast.get_docstring(tree) or "").split()),
        workload=constants.get("WORKLOAD"),
        campaign=constants.get("CAMPAIGN"),
    )


@functools.cache
def question_files() -> Mapping[str, QuestionFile]:
    """All test files with a question, by file name."""
    return {path.name: read_question(path) for path in sorted(FOLDER.glob("test_*.py"))}


def shipped_campaigns() -> Mapping[str, QuestionFile]:
    """The campaigns that come with the suite, by name."""
    return {file.name: file for file in question_files().values() if file.campaign is not None}


def question_of(paths: Iterable[Path]) -> QuestionFile | None:
    """The question among the ``paths`` of a command line, if any; a folder is not a question.

    UsageError for two questions: a run is one campaign.
    """
    files = question_files()
    named = {path.name: files[path.name] for path in paths if path.parent == FOLDER and path.name in files}
    if len(named) > 1:
        raise UsageError(
            f"{' and '.join(sorted(named))} are two questions, but a run is one campaign",
            next_step="run them one after another, each with its own --results",
        )
    return next(iter(named.values()), None)


def campaign_of(question: QuestionFile | None, named: str | None) -> str | None:
    """The campaign of a command line: that of its test file, or ``named``. UsageError if they differ."""
    if question is None or question.campaign is None:
        return named
    if named not in (None, question.name):
        raise UsageError(
            f"{question.path.name} asks for campaign {question.name}, but --campaign for {named}",
            next_step="leave --campaign out, or name android_tests instead of the test file",
        )
    return question.name
