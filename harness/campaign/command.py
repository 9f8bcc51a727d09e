"""``python -m android_tests.campaign list|show|run|reference``: campaign files with all their legs."""

from __future__ import annotations

import argparse
import functools
import textwrap
from collections.abc import Sequence
from typing import Final

from foundation.arguments import OneLineParser, exit_status_of
from foundation.errors import UsageError
from harness.campaign.campaign_file import load_campaign, shipped
from harness.campaign.dry_run import dry_run_text
from harness.campaign.merging import settings_of_all
from harness.campaign.options import add_options, given_at
from harness.campaign.options_page import reference
from harness.campaign.questions import shipped_campaigns
from harness.campaign.runner import run_all, runs_of
from harness.campaign.settings import OPTIONS

_USAGE = 4


_say: Final = functools.partial(print, flush=True)


class _Parser(OneLineParser):
    #: Not argparse's 2, which means interrupted here.
    status = _USAGE


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m android_tests.campaign", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="list|show|run|reference")
    commands.add_parser("list", help="list the campaigns of the suite, with the question of each")
    show = commands.add_parser("show", help="print one of them as a campaign file, to copy and change")
    show.add_argument("name", metavar="NAME", help="name of a campaign of the suite")
    run = commands.add_parser("run", help="run or resume all legs of a campaign file")
    run.add_argument("file", metavar="FILE", help="a path, or the name of a campaign of the suite")
    add_options(OPTIONS, run, "run")
    run.add_argument(
        "-v", "--verbose", action="count", default=0, help="show each command sent to the device"
    )
    commands.add_parser("reference", help="print docs/options.md, generated from the table of options")
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
        raise UsageError(f"{name} is not a campaign of the suite", next_step="open the file itself")
    comment = textwrap.wrap(file.question, 100, initial_indent="# ", subsequent_indent="# ")
    _say("\n".join([*comment, str(shipped_campaigns()[name].campaign).rstrip()]))
    return 0


def _run(options: argparse.Namespace) -> int:
    given = {"campaign": options.file, **given_at(OPTIONS, vars(options).get, "run")}
    if options.dry_run:
        _say(dry_run_text(settings_of_all(given), reads=options.verbose > 0))
        return 0
    return run_all(runs_of(given, ["-v"] * options.verbose), _say)


def main(words: Sequence[str]) -> int:
    """Run the command line: 0, or 1 for a failed verdict or kernel, 2 if interrupted, 4 for bad usage."""

    def run() -> int:
        options = _parser().parse_args(words)
        if options.command == "show":
            return _show(options.name)
        if options.command == "reference":
            print(reference(OPTIONS), end="")
            return 0
        return _list() if options.command == "list" else _run(options)

    return exit_status_of(run, usage=_USAGE, failed=_USAGE)
