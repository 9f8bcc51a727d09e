"""The command line: traces to metrics, a results folder to its report."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from analysis.metrics import all_metrics, compute, metric_named
from analysis.metrics.value import MetricValue
from foundation.arguments import OneLineParser, exit_status_of, print_error
from foundation.errors import SuiteError, UsageError

if TYPE_CHECKING:
    from analysis.trace_processor import EngineChoice

_PROGRAM: Final = "python -m analysis"
_OK: Final = 0
_FAILED: Final = 2
_BROKEN_PIPE: Final = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 on success, 2 for bad input, 130 after Ctrl-C, 141 for a closed pipe."""
    # A file name may hold bytes that are not UTF-8.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return exit_status_of(lambda: _run_and_flush(words), failed=_FAILED)
    except BrokenPipeError:
        # The reader (`head`, a closed pager) has seen enough. Without this the interpreter would
        # flush on exit and complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE


def _run_and_flush(words: list[str]) -> int:
    parser = OneLineParser(
        prog=_PROGRAM,
        description="Judge traces and results, without a device.",
        epilog="metrics: print the metrics of traces; report: judge a results folder and write its report;"
        " open: show the traces of a pair in Perfetto's UI; notebook: explore results or a trace (Jupyter);"
        " mail: print the result as plain text for a mailing list; verdicts: print all verdicts of several"
        " campaigns as CSV; pack: copy a results folder without its traces; reference: print the"
        " documentation of metrics, SQL modules or data columns. Each has --help.",
    )
    parser.add_argument("command", choices=tuple(_COMMANDS))
    # Only the first word is parsed here: each command's own parser lets options and files mix,
    # which subparsers do not.
    parser_of, run = _COMMANDS[parser.parse_args(words[:1]).command]
    status = run(parser_of(f"{_PROGRAM} {words[0]}").parse_intermixed_args(words[1:]))
    sys.stdout.flush()
    return status


def _metrics_parser(prog: str) -> argparse.ArgumentParser:
    parser = OneLineParser(prog=prog, description="Print the metrics of traces.")
    parser.add_argument("traces", nargs="*", type=Path, metavar="TRACE", help="a Perfetto or systrace file")
    parser.add_argument(
        "--json", action="store_true", help="print JSON with trace, metric, value, unit, reason"
    )
    parser.add_argument(
        "--metric", action="append", dest="names", metavar="NAME", help="print only this one; repeatable"
    )
    parser.add_argument("--list", action="store_true", help="print every metric with its definition")
    parser.add_argument(
        "--lossy",
        action="store_true",
        help="show figures of lost data as well; each that a loss concerns carries a caution",
    )
    return _with_engine(parser)


def _report_parser(prog: str) -> argparse.ArgumentParser:
    return _of_results(OneLineParser(prog=prog, description="Judge a results folder and write its report."))


def _open_parser(prog: str) -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=prog,
        description="Show the traces of a pair in Perfetto's UI, served on this machine.",
        epilog="Ends when the page is closed, or on Ctrl-C.",
    )
    parser.add_argument(
        "what", nargs="+", type=Path, metavar="RESULTS|TRACE", help="a results folder, or one or two traces"
    )
    parser.add_argument("--scenario", help="CPU condition (default: any)")
    parser.add_argument("--variant", help="variant to show next to the baseline (default: the first)")
    parser.add_argument("--pair", type=int, metavar="N", help="pair (default: the first, or the slowest)")
    parser.add_argument(
        "--slowest", choices=("switch", "stall"), help="go to the slowest app switch or direct reclaim"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument(
        "--save", type=Path, metavar="FOLDER", help="write the traces with their added tracks, and exit"
    )
    return _with_engine(parser)


def _notebook_parser(prog: str) -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=prog,
        description="Write a notebook on one trace, one results folder or several, and open it in Jupyter.",
    )
    parser.add_argument(
        "what", nargs="+", type=Path, metavar="RESULTS|TRACE", help="one trace, or results folders"
    )
    parser.add_argument(
        "--into",
        type=Path,
        metavar="FILE",
        help="an .ipynb file, or with --run an .md file (default: here)",
    )
    parser.add_argument("--run", action="store_true", help="run the notebook instead of opening it")
    return parser


def _mail_parser(prog: str) -> argparse.ArgumentParser:
    description = "Print the result of a campaign for a mailing list: plain text, 72 columns."
    return _of_results(OneLineParser(prog=prog, description=description))


def _verdicts_parser(prog: str) -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=prog, description="Print every verdict of campaigns as CSV, to compare or plot."
    )
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS", help="results folders")
    return _with_engine(parser)


def _pack_parser(prog: str) -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=prog, description="Copy a results folder without its traces: small, and can be judged again."
    )
    _of_results(parser)
    parser.add_argument("into", type=Path, metavar="FOLDER", help="the copy; must not exist yet")
    return parser


def _reference_parser(prog: str) -> argparse.ArgumentParser:
    parser = OneLineParser(prog=prog, description="Print a reference page as Markdown.")
    parser.add_argument("page", nargs="?", choices=("metrics", "sql", "roles", "data"), default="metrics")
    return parser


def _of_results(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("results", type=Path, metavar="RESULTS", help="the results folder of a campaign")
    return _with_engine(parser)


def _with_engine(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "--engine",
        metavar="auto|native|wasm|PATH",
        help="trace processor (default: $RECLAIM_SUITE_ENGINE, or the pinned native one if it is installed,"
        " or the bundled WebAssembly one)",
    )
    parser.add_argument(
        "--allow-download", action="store_true", help="download the pinned native one if it is missing"
    )
    return parser


def _engine(options: argparse.Namespace) -> EngineChoice:
    from analysis.trace_processor import EngineChoice

    return EngineChoice.parse(options.engine, allow_download=options.allow_download)


def _metrics(options: argparse.Namespace) -> int:
    if options.list:
        for metric in all_metrics().values():
            print(f"{metric.name} [{metric.unit}]  {metric.definition}. Source: {metric.source}")
        return _OK
    if not options.traces:
        raise UsageError("no trace was given", next_step="name one or more trace files")
    for name in options.names or ():
        metric_named(name)
    engine = _engine(options)
    computed: list[MetricValue] = []
    failed = False
    for trace in options.traces:
        try:
            values = compute(trace, options.names, engine, lossy=options.lossy)
        except SuiteError as error:
            print_error(error)
            failed = True
            continue
        if options.json:
            computed += values
        else:
            _print_table(trace, values)
    if options.json:
        print(json.dumps([asdict(value) for value in computed], indent=1, allow_nan=False, default=str))
    return _FAILED if failed else _OK


def _print_table(trace: Path, values: list[MetricValue]) -> None:
    from analysis.report.metric_list import metric_list

    print(f"{trace}   {values[0].engine if values else ''}")
    print(metric_list(values))
    sys.stdout.flush()


def _report(options: argparse.Namespace) -> int:
    from analysis.judging.pipeline import judge
    from analysis.report.page import write
    from analysis.report.terminal import verdict_table

    judgement = judge(options.results, _engine(options))
    page = write(options.results)
    print(f"{verdict_table(judgement)}\n\nreport: {page}")
    return _OK


def _open(options: argparse.Namespace) -> int:
    from analysis.perfetto_ui.choose import Selection
    from analysis.perfetto_ui.command import save, serve, view_of

    engine = _engine(options)
    if not 0 <= options.port <= 65535:
        raise UsageError(f"--port {options.port} is out of range", next_step="give one from 1 to 65535")
    selection = Selection(options.scenario, options.variant, options.pair, options.slowest)
    view = view_of(options.what, selection, engine)
    if options.save is not None:
        for file in save(view, options.save, engine):
            print(file)
        return _OK
    serve(view, port=options.port, browser=not options.no_browser, engine=engine, progress=_print_now)
    return _OK


def _print_now(text: str) -> None:
    print(text, flush=True)


def _notebook(options: argparse.Namespace) -> int:
    from analysis.notebooks.command import make, open_in_jupyter

    file = make(options.what, options.into, execute=options.run)
    if options.run:
        print(file)
        return _OK
    return open_in_jupyter(file, print)


def _mail(options: argparse.Namespace) -> int:
    from analysis.judging.pipeline import judge
    from analysis.report.mail import mail_text

    print(mail_text(judge(options.results, _engine(options))))
    return _OK


def _verdicts(options: argparse.Namespace) -> int:
    from analysis import frames
    from analysis.judging.pipeline import judge

    engine = _engine(options)
    campaigns = {path.resolve().name: judge(path, engine) for path in options.results}
    print(frames.verdicts_csv(campaigns), end="")
    return _OK


def _pack(options: argparse.Namespace) -> int:
    from analysis.pack import pack

    names = pack(options.results, options.into, _engine(options))
    size_kb = sum((options.into / name).stat().st_size for name in names) / 1024
    print(f"{options.into}: {len(names)} files, {size_kb:,.0f} KiB")
    return _OK


def _reference(options: argparse.Namespace) -> int:
    from analysis.frames.reference import data_reference
    from analysis.reference import reference
    from analysis.sql.reference import sql_reference
    from analysis.sql.roles import roles_sql

    pages = {
        "metrics": lambda: reference(all_metrics()),
        "sql": sql_reference,
        "roles": roles_sql,
        "data": data_reference,
    }
    print(pages[options.page](), end="")
    return _OK


_Command = tuple[Callable[[str], argparse.ArgumentParser], Callable[[argparse.Namespace], int]]
#: For each command the function that makes its parser and the one that runs it.
_COMMANDS: Final[dict[str, _Command]] = {
    "metrics": (_metrics_parser, _metrics),
    "report": (_report_parser, _report),
    "open": (_open_parser, _open),
    "notebook": (_notebook_parser, _notebook),
    "mail": (_mail_parser, _mail),
    "verdicts": (_verdicts_parser, _verdicts),
    "pack": (_pack_parser, _pack),
    "reference": (_reference_parser, _reference),
}
