"""pytest's hooks during a campaign: items from the plan, quiet progress, verdicts at the end."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from analysis.report.page import write
from analysis.report.terminal import verdict_table
from foundation.contract.records import PlannedBlock
from foundation.errors import SuiteError
from harness.campaign.questions import FOLDER, QuestionFile, question_files
from harness.campaign.session import CampaignSession, questions_of
from harness.campaign.side_by_side import LaneBroken
from harness.campaign.workloads import WORKLOADS


class CampaignHooks:
    """A plugin for command lines that ask a question.

    ``question`` is the test file on the command line; None: that of the campaign's workload.
    """

    def __init__(self, session: CampaignSession, question: QuestionFile | None) -> None:
        self._session = session
        self._file = question.path.name if question else WORKLOADS[session.plan.workload].file

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Ignore the test files of other questions: a run is one campaign."""
        if collection_path.parent != FOLDER:
            return None
        return True if collection_path.name in question_files().keys() - {self._file} else None

    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> tuple[str, str, str] | None:
        """Suppress pytest's letters, which would break up the campaign's progress lines."""
        if isinstance(report, pytest.TestReport) and report.when != "call":
            return None
        return report.outcome, "", ""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Suppress pytest's file names, for the same reason, and say which blocks are left to run."""
        reporter = session.config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            reporter.showfspath = False
        blocks = [item.callspec.params.get("block") for item in session.items if hasattr(item, "callspec")]
        self._session.expect([block for block in blocks if isinstance(block, PlannedBlock)])

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make an item for each block of the plan and for each question."""
        plan, blocks = self._session.plan, self._session.blocks
        if "block" in metafunc.fixturenames:
            metafunc.parametrize(
                "block",
                blocks,
                ids=[f"{plan.workload}-{b.scenario}-{b.index:03d}-{b.variant}" for b in blocks],
            )
        if "question" in metafunc.fixturenames:
            questions = questions_of(plan)
            metafunc.parametrize(
                "question",
                questions,
                ids=[f"{plan.workload}-{q.scenario}-{q.metric}-{q.variant}" for q in questions],
            )

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Report an error of the suite in one line, and skip the blocks of a broken lane."""
        try:
            return (yield)
        except LaneBroken as error:
            raise pytest.skip.Exception(str(error)) from None
        except SuiteError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Judge what is on disk, write the report, and print the verdict table and the report's path."""
        if config.getoption("collectonly"):
            return
        terminalreporter.section("verdicts")
        try:
            judgement = self._session.judge()
            if judgement is None:
                text = "nothing was measured"
            else:
                page = write(self._session.store.root)
                text = f"{verdict_table(judgement)}\n\nreport: {page}"
        except SuiteError as error:
            text = f"no verdict: {error}"
        terminalreporter.write_line(text)
