"""``python -m android_tests.campaign list|show|run|reference``: campaign files, all of their legs."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence

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


def _say(text: str) -> None:
    print(text, flush=True)


class _Parser(OneLineParser):
    #: Not argparse's 2, which here says interrupted.
    status = _USAGE


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m android_tests.campaign", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="list|show|run|reference")
    commands.add_parser("list", help="the campaigns that come with the suite, and what each asks")
    show = commands.add_parser("show", help="print one of them as a campaign file, to copy and change")
    show.add_argument("name", metavar="NAME", help="the name of one that comes with the suite")
    run = commands.add_parser("run", help="run all legs of a campaign file, or go on with them")
    run.add_argument("file", metavar="FILE", help="a path, or the name of one that comes with the suite")
    add_options(OPTIONS, run, "run")
    run.add_argument("-v", "--verbose", action="count", default=0, help="show each device command")
    commands.add_parser("reference", help="print docs/options.md, made from the table of options")
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
    given = {"campaign": options.file, **given_at(OPTIONS, vars(options).get, "run")}
    if options.dry_run:
        _say(dry_run_text(settings_of_all(given), reads=options.verbose > 0))
        return 0
    return run_all(runs_of(given, ["-v"] * options.verbose), _say)


def main(words: Sequence[str]) -> int:
    """0: nothing failed; 1: a verdict or a kernel failed; 2: interrupted; 4: asked for what cannot be."""

    def run() -> int:
        options = _parser().parse_args(words)
        if options.command == "show":
            return _show(options.name)
        if options.command == "reference":
            print(reference(OPTIONS), end="")
            return 0
        return _list() if options.command == "list" else _run(options)

    return exit_status_of(run, usage=_USAGE, failed=_USAGE)
