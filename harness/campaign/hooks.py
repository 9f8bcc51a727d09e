"""Pytest's hooks while it runs a campaign: items from the plan, quiet progress, verdicts at the end."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from foundation.errors import SuiteError
from harness.campaign.questions import FOLDER, QuestionFile, question_files
from harness.campaign.session import CampaignSession, LaneBroke
from harness.campaign.summary import summary_text
from harness.campaign.workloads import WORKLOADS


class CampaignHooks:
    """A plugin, registered once it is known that the command line asks a question.

    ``asked`` is the test file that was named; None: that of the campaign's workload.
    """

    def __init__(self, session: CampaignSession, asked: QuestionFile | None) -> None:
        self._session = session
        self._file = asked.path.name if asked else WORKLOADS[session.plan.workload].file

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """A run is one campaign: the test files of other questions are left out."""
        if collection_path.parent != FOLDER:
            return None
        return True if collection_path.name in question_files().keys() - {self._file} else None

    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> tuple[str, str, str] | None:
        """A campaign prints its own progress in lines; pytest's letters would cut them up."""
        if isinstance(report, pytest.TestReport) and report.when != "call":
            return None
        return report.outcome, "", ""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The names of files would cut the lines up as well."""
        reporter = session.config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            reporter.showfspath = False

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """An item for each block of the plan, and one for each question."""
        plan = self._session.plan
        if "block" in metafunc.fixturenames:
            metafunc.parametrize(
                "block",
                plan.blocks,
                ids=[f"{plan.workload}-{b.scenario}-{b.index:03d}-{b.variant}" for b in plan.blocks],
            )
        if "question" in metafunc.fixturenames:
            questions = self._session.questions()
            metafunc.parametrize(
                "question",
                questions,
                ids=[f"{plan.workload}-{q.scenario}-{q.metric}-{q.variant}" for q in questions],
            )

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """An error of the suite is one line, and a block of a broken lane is skipped."""
        try:
            return (yield)
        except LaneBroke as error:
            raise pytest.skip.Exception(str(error)) from None
        except SuiteError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """The verdict table, and where the report is."""
        if not config.getoption("collectonly"):
            terminalreporter.section("verdicts")
            terminalreporter.write_line(summary_text(self._session))
