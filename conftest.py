"""pytest's entrance: options and fixtures, nothing else."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from foundation.errors import SuiteError
from foundation.signals import sigterm_as_interrupt
from harness.campaign.options import given_at
from harness.campaign.settings import OPTIONS

if TYPE_CHECKING:
    from harness.campaign.questions import QuestionFile
    from harness.campaign.session import CampaignSession

SESSION = pytest.StashKey["CampaignSession"]()
_QUESTIONS = Path(__file__).parent / "android_tests"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the suite's options."""
    group = parser.getgroup("reclaim suite", "kernels under test, devices, and the campaign")
    for option in OPTIONS:
        if "pytest" in option.where:
            option.add_to(group.addoption, "pytest")


def _paths(config: pytest.Config) -> list[Path]:
    return [Path(str(arg).partition("::")[0]).resolve() for arg in config.args]


def _asks_a_question(config: pytest.Config) -> bool:
    """Whether the command line names android_tests or anything in it."""
    return any(path == _QUESTIONS or _QUESTIONS in path.parents for path in _paths(config))


def _command_line(config: pytest.Config) -> tuple[dict[str, Any], QuestionFile | None]:
    """The options given, completed by the test file on the command line, and that file. UsageError."""
    from harness.campaign.questions import campaign_of, question_of

    given = given_at(OPTIONS, config.getoption, "pytest")
    question = question_of(_paths(config))
    by_file = {
        "campaign": campaign_of(question, given.get("campaign")),
        "workload": question.workload if question else None,
    }
    return given | {name: word for name, word in by_file.items() if word is not None}, question


def _session(config: pytest.Config) -> CampaignSession:
    from harness.campaign.hooks import CampaignHooks
    from harness.campaign.merging import settings_of
    from harness.campaign.session import CampaignSession, plan_of
    from harness.campaign.terminal.pytest_terminal import view_of

    given, question = _command_line(config)
    settings = settings_of(given)
    # The plan first: report a bad command line before anything is set up.
    plan = plan_of(settings)
    session = CampaignSession(settings, plan, view_of(config))
    config.pluginmanager.register(CampaignHooks(session, question), "reclaim-suite-campaign")
    return session


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Plan the campaign of a command line that asks a question. pytest.UsageError."""
    if not _asks_a_question(config):
        return
    try:
        session = _session(config)
    except SuiteError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[SESSION] = session
    if not config.option.xmlpath:
        config.option.xmlpath = str(session.settings.results / "junit.xml")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Handle ``--dry-run``, which collects and runs nothing. pytest.UsageError."""
    if not config.getoption("dry_run"):
        return None
    if not _asks_a_question(config):
        raise pytest.UsageError("--dry-run shows the schedule of a campaign: name a file in android_tests")
    from harness.campaign.dry_run import dry_run_text
    from harness.campaign.merging import settings_of_all

    try:
        given = _command_line(config)[0]
        text = dry_run_text(settings_of_all(given), reads=config.getoption("verbose") > 0)
    except SuiteError as error:
        raise pytest.UsageError(str(error)) from error
    print(text)
    return 0


@pytest.fixture(scope="session")
def campaign(pytestconfig: pytest.Config) -> Generator[CampaignSession, None, None]:
    """The campaign of this command line; SIGTERM unwinds it as Ctrl-C does, and the device is restored."""
    session = pytestconfig.stash[SESSION]
    with sigterm_as_interrupt():
        try:
            yield session
        finally:
            try:
                session.close()
            except SuiteError as error:
                raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.fixture(scope="session")
def fail_on(campaign: CampaignSession) -> str:
    """``regressed`` or ``none``: whether a regression fails its test item."""
    return campaign.settings.fail_on
