"""``python -m android_tests.campaign list|show|run``: campaign files, all of their legs."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from foundation.arguments import OneLineParser
from foundation.errors import SuiteError, UsageError
from harness.campaign.campaign_file import load_campaign, shipped
from harness.campaign.dry_run import dry_run_text
from harness.campaign.options import CommandLine, settings_of_all
from harness.campaign.questions import shipped_campaigns
from harness.campaign.runner import run_all, runs_of

_USAGE = 4


def _say(text: str) -> None:
    print(text, flush=True)


class _Parser(OneLineParser):
    #: Not argparse's 2, which here says interrupted.
    status = _USAGE


def _add_phone_arguments(run: argparse.ArgumentParser) -> None:
    """As conftest.py has them for pytest."""
    run.add_argument("--lab", type=Path, metavar="FILE", help="the lab file (default: ./lab.toml)")
    run.add_argument("--role", help="the attached phone that has this role in the lab file")
    run.add_argument("--su", action="store_true", help="be root on the phone through its su")
    run.add_argument("--reboot-between", action="store_true", help="restart the phone between blocks")
    run.add_argument("--allow-flash", action="store_true", help="let variants bring kernels to the phone")
    run.add_argument("--known-good", metavar="SET", help="images to roll back to, or the word slot")
    run.add_argument("--fastboot-serial", metavar="SERIAL", help="the phone's name in its bootloader")
    run.add_argument(
        "--boot-deadline-s", type=float, metavar="S", help="how long a kernel may take to boot"
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m android_tests.campaign", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="list|show|run")
    commands.add_parser("list", help="the campaigns that come with the suite, and what each asks")
    show = commands.add_parser("show", help="print one of them as a campaign file, to copy and change")
    show.add_argument("name", metavar="NAME", help="the name of one that comes with the suite")
    run = commands.add_parser("run", help="run all legs of a campaign file, or go on with them")
    run.add_argument("file", metavar="FILE", help="a path, or the name of one that comes with the suite")
    run.add_argument("--leg", metavar="NAME", help="only this leg")
    run.add_argument(
        "--results", type=Path, help="folder of the legs' folders (default: results/<campaign>)"
    )
    run.add_argument("--device", choices=("virtual", "phone"), default="virtual")
    run.add_argument("--serial", help="which phone, if several are attached")
    run.add_argument("--adb-port", type=int, help="port of the adb server that holds the phone")
    _add_phone_arguments(run)
    run.add_argument("--scenario", help="CPU conditions, instead of the file's")
    run.add_argument("--pairs", type=int, help="pairs of blocks a scenario, instead of the file's")
    run.add_argument("--reps", type=int, help="measured repetitions a block, instead of the file's")
    run.add_argument("--seed", type=int, help="seed of the block order, instead of the file's")
    run.add_argument("--fail-on", choices=("regressed", "none"), default="regressed")
    run.add_argument(
        "--suppress",
        action="append",
        default=[],
        metavar="NAME",
        help="a precondition of a phone that is neither set nor checked, and said so in every result",
    )
    run.add_argument(
        "--redo-void",
        action="store_true",
        help="when resuming: also measure pairs with a void block again, each as a whole",
    )
    run.add_argument("-v", "--verbose", action="count", default=0, help="show each device command")
    run.add_argument("--dry-run", action="store_true", help="print the schedule of every leg and stop")
    return parser


def _list() -> int:
    for name in shipped():
        file = load_campaign(name)
        legs = [leg.name for leg in file.legs if leg.name]
        among = f" (legs {', '.join(legs)})" if legs else ""
        _say(f"{name}{among}\n    {file.question}")
    return 0


def _show(name: str) -> int:
    file = load_campaign(name)
    if name not in shipped_campaigns():
        raise UsageError(f"{name} is a file of your own", next_step="show prints those of the suite")
    comment = textwrap.wrap(file.question, 100, initial_indent="# ", subsequent_indent="# ")
    _say("\n".join([*comment, str(shipped_campaigns()[name].campaign).rstrip()]))
    return 0


def _run(options: argparse.Namespace) -> int:
    line = CommandLine(
        device=options.device,
        serial=options.serial,
        adb_port=options.adb_port,
        campaign=options.file,
        leg=options.leg,
        scenarios=options.scenario,
        pairs=options.pairs,
        reps=options.reps,
        seed=options.seed,
        results=options.results,
        lab=options.lab,
        role=options.role,
        su=options.su,
        reboot_between=options.reboot_between,
        allow_flash=options.allow_flash,
        known_good=options.known_good,
        fastboot_serial=options.fastboot_serial,
        boot_deadline_s=options.boot_deadline_s,
        suppress=tuple(options.suppress),
    )
    if options.dry_run:
        _say(dry_run_text(settings_of_all(line), reads=options.verbose > 0))
        return 0
    more = ["--fail-on", options.fail_on, *["-v"] * options.verbose]
    more += ["--redo-void"] if options.redo_void else []
    return run_all(runs_of(line, more), _say)


def main(words: Sequence[str]) -> int:
    """0: nothing failed; 1: a verdict or a kernel failed; 2: interrupted; 4: asked for what cannot be."""
    options = _parser().parse_args(words)
    try:
        if options.command == "show":
            return _show(options.name)
        return _list() if options.command == "list" else _run(options)
    except SuiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return _USAGE
