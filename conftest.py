"""Pytest's entrance: options and fixtures, nothing else."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import pytest

from foundation.errors import SuiteError

if TYPE_CHECKING:
    from harness.campaign.options import CommandLine
    from harness.campaign.session import CampaignSession

SESSION = pytest.StashKey["CampaignSession"]()
_QUESTIONS = Path(__file__).parent / "android_tests"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("reclaim suite", "kernels under test, devices, and the campaign")
    # Numbers and choices are read with the rest: pytest would tell a mistake in three lines.
    group.addoption("--device", default="virtual", metavar="virtual|phone", help="what to measure on")
    group.addoption("--serial", help="which phone, if several are attached")
    group.addoption("--adb-port", metavar="N", help="port of the adb server that holds the phone")
    group.addoption("--lab", type=Path, metavar="FILE", help="the lab file (default: ./lab.toml)")
    group.addoption("--role", help="the attached phone that has this role in the lab file")
    group.addoption("--su", action="store_true", help="be root on the phone through its su")
    group.addoption(
        "--reboot-between", action="store_true", help="restart the phone before each block but the first"
    )
    group.addoption(
        "--allow-flash",
        action="store_true",
        help="let variants boot: and flash: bring kernels, if the lab file allows it for this very device",
    )
    group.addoption(
        "--known-good",
        metavar="SET",
        help="what a flashed phone is rolled back to: images that are on it now, or the word slot",
    )
    group.addoption("--fastboot-serial", metavar="SERIAL", help="the phone's name in its bootloader")
    group.addoption(
        "--boot-deadline-s",
        type=float,
        metavar="S",
        help="how long a kernel may take to boot (default: 300)",
    )
    group.addoption(
        "--suppress",
        action="append",
        default=[],
        metavar="NAME",
        help="a precondition of a phone that is neither set nor checked, such as thermal; every result"
        " says so (several with commas)",
    )
    group.addoption(
        "--variant",
        action="append",
        default=[],
        metavar="NAME=KIND[:KEY=VALUE,...]",
        help="a kernel under test, twice or more; the others are compared with the first",
    )
    group.addoption(
        "--campaign",
        metavar="FILE",
        help="a campaign file, which says what is compared: a path, or the name of one of the suite's",
    )
    group.addoption("--leg", metavar="NAME", help="which leg of the campaign file")
    group.addoption("--scenario", help="CPU conditions, of idle, busy and rt-busy (default: idle,busy)")
    group.addoption(
        "--pairs", metavar="N", help="pairs of blocks a scenario (default: 8; 7 can show a change)"
    )
    group.addoption("--reps", metavar="N", help="measured repetitions a block (default: 2)")
    group.addoption(
        "--profile", help="workload profile: a name or a TOML file (default: phone-like, or eater)"
    )
    group.addoption("--seed", metavar="N", help="seed of the block order (default: drawn, and recorded)")
    group.addoption("--results", type=Path, help="results folder (default: results/<workload or campaign>)")
    group.addoption(
        "--trace-queue",
        action="store_true",
        help="also trace each page's way through the compression queue: explains a verdict, and costs the"
        " kernels that have one CPU time",
    )
    group.addoption(
        "--redo-void",
        action="store_true",
        help="when resuming: also measure pairs with a void block again, each as a whole",
    )
    group.addoption(
        "--trace-reclaim",
        action="store_true",
        help="also time the parts of kswapd's reclaim cycles (scanning, unmapping, compressing): explains a"
        " verdict, and costs kswapd CPU time",
    )
    group.addoption(
        "--trace-faults",
        action="store_true",
        help="also time each fault on a swapped-out page, and tell which hit the compression queue: costs"
        " every fault CPU time",
    )
    group.addoption(
        "--dry-run", action="store_true", help="print the schedule (and what a phone is sent) and stop"
    )
    group.addoption(
        "--fail-on",
        metavar="regressed|none",
        default="regressed",
        help="whether a REGRESSED verdict fails its item",
    )
    group.addoption("--virtual-cpus", metavar="N", help="CPUs of the virtual device (default: 2)")
    group.addoption("--virtual-memory-mb", metavar="N", help="memory of the virtual device (default: 256)")
    group.addoption("--virtual-kernel", type=Path, metavar="IMAGE", help="boot this kernel as 'stock'")
    group.addoption("--virtual-modules", type=Path, metavar="DIR", help="modules of that kernel")


def _paths(config: pytest.Config) -> list[Path]:
    return [Path(str(arg).partition("::")[0]).resolve() for arg in config.args]


def _asks_a_question(config: pytest.Config) -> bool:
    """Whether the command line names anything below android_tests."""
    return any(path == _QUESTIONS or _QUESTIONS in path.parents for path in _paths(config))


def _command_line(config: pytest.Config) -> CommandLine:
    from harness.campaign.options import CommandLine, chosen, whole
    from harness.campaign.questions import campaign_of, question_of

    option = config.getoption
    chosen("--fail-on", option("fail_on"), ("regressed", "none"))
    asked = question_of(_paths(config))
    return CommandLine(
        device=chosen("--device", option("device"), ("virtual", "phone")),
        serial=option("serial"),
        adb_port=whole("--adb-port", option("adb_port")),
        lab=option("lab"),
        role=option("role"),
        su=option("su"),
        reboot_between=option("reboot_between"),
        allow_flash=option("allow_flash"),
        known_good=option("known_good"),
        fastboot_serial=option("fastboot_serial"),
        boot_deadline_s=option("boot_deadline_s"),
        suppress=tuple(option("suppress")),
        workload=asked.workload if asked else None,
        campaign=campaign_of(asked, option("campaign")),
        leg=option("leg"),
        variants=tuple(option("variant")),
        scenarios=option("scenario"),
        pairs=whole("--pairs", option("pairs")),
        reps=whole("--reps", option("reps")),
        profile=option("profile"),
        seed=whole("--seed", option("seed")),
        results=option("results"),
        trace_queue=option("trace_queue"),
        redo_void=option("redo_void"),
        trace_reclaim=option("trace_reclaim"),
        trace_faults=option("trace_faults"),
        cpus=whole("--virtual-cpus", option("virtual_cpus")),
        memory_mb=whole("--virtual-memory-mb", option("virtual_memory_mb")),
        kernel=option("virtual_kernel"),
        modules=option("virtual_modules"),
    )


def _session(config: pytest.Config) -> CampaignSession:
    from harness.campaign.options import settings_of
    from harness.campaign.session import CampaignSession, plan_of
    from harness.campaign.terminal.beside_pytest import view_of

    settings = settings_of(_command_line(config))
    # The plan first: what is wrong with a command line must be said before anything is set up.
    plan = plan_of(settings)
    return CampaignSession(settings, plan, view_of(config))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
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
    if not config.getoption("dry_run"):
        return None
    if not _asks_a_question(config):
        raise pytest.UsageError(
            "--dry-run shows the schedule of a campaign: name a file below android_tests"
        )
    from harness.campaign.dry_run import dry_run_text
    from harness.campaign.options import settings_of_all

    try:
        text = dry_run_text(settings_of_all(_command_line(config)), reads=config.getoption("verbose") > 0)
    except SuiteError as error:
        raise pytest.UsageError(str(error)) from error
    print(text)
    return 0


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A run is one campaign: the test files of other questions are left out."""
    session = config.stash.get(SESSION, None)
    if session is None or collection_path.parent != _QUESTIONS:
        return None
    from harness.campaign.questions import question_files, question_of
    from harness.campaign.workloads import WORKLOADS

    asked = question_of(_paths(config))
    file = asked.path.name if asked else WORKLOADS[session.plan.workload].file
    return True if collection_path.name in question_files().keys() - {file} else None


def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport, config: pytest.Config
) -> tuple[str, str, str] | None:
    """A campaign tells its own progress in lines; pytest's letters would cut them up."""
    if SESSION not in config.stash or (isinstance(report, pytest.TestReport) and report.when != "call"):
        return None
    return report.outcome, "", ""


def pytest_collection_finish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if SESSION in session.config.stash and reporter is not None:
        reporter.showfspath = False


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    session = metafunc.config.stash.get(SESSION, None)
    if session is None:
        return
    workload = session.plan.workload
    if "block" in metafunc.fixturenames:
        metafunc.parametrize(
            "block",
            session.plan.blocks,
            ids=[f"{workload}-{b.scenario}-{b.index:03d}-{b.variant}" for b in session.plan.blocks],
        )
    if "question" in metafunc.fixturenames:
        questions = session.questions()
        metafunc.parametrize(
            "question",
            questions,
            ids=[f"{workload}-{q.scenario}-{q.metric}-{q.variant}" for q in questions],
        )


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    try:
        return (yield)
    except SuiteError as error:
        if SESSION not in pyfuncitem.config.stash:
            raise
        from harness.campaign.session import LaneBroke

        if isinstance(error, LaneBroke):
            raise pytest.skip.Exception(str(error)) from None
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _close(session: CampaignSession) -> None:
    """A device that could not be put back is one line, with what to do."""
    try:
        session.close()
    except SuiteError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.fixture(scope="session")
def campaign(pytestconfig: pytest.Config) -> Generator[CampaignSession, None, None]:
    """The campaign of this command line; SIGTERM unwinds it as Ctrl-C does."""
    session = pytestconfig.stash[SESSION]

    def stop(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if main else None
    try:
        yield session
    finally:
        _close(session)
        if main:
            signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def fail_on(pytestconfig: pytest.Config) -> str:
    """``regressed`` or ``none``: whether a regression fails its item."""
    return str(pytestconfig.getoption("fail_on"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    session = config.stash.get(SESSION, None)
    if session is None or config.getoption("collectonly"):
        return
    from harness.campaign.summary import summary_text

    terminalreporter.section("verdicts")
    terminalreporter.write_line(summary_text(session))
