"""The command line: traces to figures, a results folder to its report."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analysis.metrics import all_metrics, compute, metric_named
from analysis.metrics.value import MetricValue
from foundation.arguments import OneLineParser, exit_status_of, print_error
from foundation.errors import SuiteError, UsageError

_PROGRAM: Final = "python -m analysis"
_OK: Final = 0
_FAILED: Final = 2
_BROKEN_PIPE: Final = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. 0: done; 2: something was wrong with what was given; 130: Ctrl-C."""
    # A file name may hold bytes that are no text.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return exit_status_of(lambda: _run_and_flush(words), failed=_FAILED)
    except BrokenPipeError:
        # The reader (`head`, a closed pager) has seen enough. The interpreter would flush
        # and complain once more on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE


def _run_and_flush(words: list[str]) -> int:
    status = _run(words)
    sys.stdout.flush()
    return status


def _run(words: list[str]) -> int:
    parser = OneLineParser(
        prog=_PROGRAM,
        description="Judge traces and results, without a device.",
        epilog="metrics: print the figures of traces; report: judge a results folder; open: the traces of"
        " a pair in Perfetto's UI; notebook: a notebook on results or a trace; mail: the finding as plain"
        " text for a mailing list; verdicts: all rows of several campaigns as CSV; pack: a small copy"
        " without traces; reference: metrics, SQL modules or"
        " data columns as Markdown. Each has --help.",
    )
    parser.add_argument(
        "command",
        choices=("metrics", "report", "open", "notebook", "mail", "verdicts", "pack", "reference"),
    )
    # Only the first word is read here: the commands' own parsers let options and files mix,
    # which subparsers do not.
    command = parser.parse_args(words[:1]).command
    if command == "metrics":
        return _metrics(_metrics_parser().parse_intermixed_args(words[1:]))
    if command == "open":
        return _open(_open_parser().parse_intermixed_args(words[1:]))
    if command == "notebook":
        return _notebook(_notebook_parser().parse_intermixed_args(words[1:]))
    if command == "mail":
        return _mail(_mail_parser().parse_intermixed_args(words[1:]))
    if command == "reference":
        return _reference(words[1:])
    if command == "verdicts":
        return _verdicts(_verdicts_parser().parse_intermixed_args(words[1:]))
    if command == "pack":
        return _pack(_pack_parser().parse_intermixed_args(words[1:]))
    return _report(_report_parser().parse_intermixed_args(words[1:]))


def _metrics_parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog=f"{_PROGRAM} metrics", description="Print the figures of traces.")
    parser.add_argument("traces", nargs="*", type=Path, metavar="TRACE", help="a Perfetto or systrace file")
    parser.add_argument("--json", action="store_true", help="a list of trace, metric, value, unit, reason")
    parser.add_argument(
        "--metric", action="append", dest="names", metavar="NAME", help="only this one; may be repeated"
    )
    parser.add_argument("--list", action="store_true", help="print every metric with its definition")
    parser.add_argument(
        "--lossy", action="store_true", help="read a trace that is not whole; each value says so"
    )
    _add_engine(parser)
    return parser


def _report_parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=f"{_PROGRAM} report", description="Judge a results folder and write its report."
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="the folder of a campaign")
    _add_engine(parser)
    return parser


def _open_parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=f"{_PROGRAM} open",
        description="Show the traces of a pair in Perfetto's UI, served on this machine.",
        epilog="It ends when the page is closed, or with Ctrl-C.",
    )
    parser.add_argument(
        "what", nargs="+", type=Path, metavar="RESULTS|TRACE", help="a results folder, or one or two traces"
    )
    parser.add_argument("--scenario", help="which CPU condition (default: any)")
    parser.add_argument("--variant", help="which variant beside the baseline (default: the first)")
    parser.add_argument(
        "--pair", type=int, metavar="N", help="which pair (default: the first, or the slowest)"
    )
    parser.add_argument(
        "--slowest", choices=("switch", "stall"), help="go to the slowest app switch or direct reclaim"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--port", type=int, default=0, help="where to listen (default: a free port)")
    parser.add_argument(
        "--save", type=Path, metavar="FOLDER", help="write the traces with their added tracks, and end"
    )
    _add_engine(parser)
    return parser


def _notebook_parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=f"{_PROGRAM} notebook",
        description="Write a notebook on one trace, one results folder or several, and open it in Jupyter.",
    )
    parser.add_argument("what", nargs="+", type=Path, metavar="RESULTS|TRACE", help="what it is about")
    parser.add_argument(
        "--into", type=Path, metavar="FILE", help="an .ipynb, or with --run an .md (default: here)"
    )
    parser.add_argument("--run", action="store_true", help="run it instead of opening it")
    return parser


def _mail_parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=f"{_PROGRAM} mail", description="Print a finding for a mailing list, 72 columns."
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="the folder of a campaign")
    _add_engine(parser)
    return parser


def _verdicts_parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=f"{_PROGRAM} verdicts",
        description="Print every verdict row of campaigns as CSV, to compare or plot.",
    )
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS", help="folders of campaigns")
    _add_engine(parser)
    return parser


def _pack_parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog=f"{_PROGRAM} pack",
        description="Copy a results folder without its traces: small, and still to be judged again.",
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="the folder of a campaign")
    parser.add_argument("into", type=Path, metavar="FOLDER", help="the copy; must not exist yet")
    _add_engine(parser)
    return parser


def _add_engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine",
        metavar="auto|native|wasm|PATH",
        help="the trace processor (default: $RECLAIM_SUITE_ENGINE, else a pinned native one that is here,"
        " else the offline one)",
    )
    parser.add_argument(
        "--allow-download", action="store_true", help="fetch the pinned native one if there is none"
    )


def _metrics(options: argparse.Namespace) -> int:
    if options.list:
        _print_definitions()
        return _OK
    if not options.traces:
        raise UsageError("no trace was given", next_step="name one or more trace files")
    for name in options.names or ():
        metric_named(name)
    from analysis.trace_processor import EngineChoice

    engine = EngineChoice.parse(options.engine, allow_download=options.allow_download)
    found: list[MetricValue] = []
    failed = False
    for trace in options.traces:
        try:
            values = compute(trace, options.names, engine, lossy=options.lossy)
        except SuiteError as error:
            print_error(error)
            failed = True
            continue
        if options.json:
            found += values
        else:
            _print_table(trace, values)
    if options.json:
        print(json.dumps([_as_json(value) for value in found], indent=1, allow_nan=False))
    return _FAILED if failed else _OK


def _as_json(value: MetricValue) -> dict[str, object]:
    return {
        "trace": str(value.trace),
        "metric": value.metric,
        "value": value.value,
        "unit": value.unit,
        "reason": value.reason,
        "engine": value.engine,
    }


def _print_table(trace: Path, values: list[MetricValue]) -> None:
    print(f"{trace}   {values[0].engine if values else ''}")
    texts = ["-" if value.value is None else f"{value.value:,.6g}" for value in values]
    name_width = max((len(value.metric) for value in values), default=0)
    value_width = max(map(len, texts), default=0)
    unit_width = max((len(value.unit) for value in values), default=0)
    for value, text in zip(values, texts, strict=True):
        line = f"  {value.metric:<{name_width}}  {text:>{value_width}}  {value.unit:<{unit_width}}"
        print(f"{line}  {value.reason or ''}".rstrip())
    sys.stdout.flush()


def _print_definitions() -> None:
    for metric in all_metrics().values():
        print(f"{metric.name} [{metric.unit}]  {metric.definition}. Source: {metric.source}")


def _report(options: argparse.Namespace) -> int:
    from analysis.judging.pipeline import judge
    from analysis.report.page import write
    from analysis.report.terminal import verdict_table
    from analysis.trace_processor import EngineChoice

    engine = EngineChoice.parse(options.engine, allow_download=options.allow_download)
    judgement = judge(options.results, engine)
    page = write(options.results)
    print(f"{verdict_table(judgement)}\n\nreport: {page}")
    return _OK


def _open(options: argparse.Namespace) -> int:
    from analysis.perfetto_ui.command import save, serve, view_of
    from analysis.trace_processor import EngineChoice

    engine = EngineChoice.parse(options.engine, allow_download=options.allow_download)
    if not 0 <= options.port <= 65535:
        raise UsageError(f"there is no port {options.port}", next_step="give one from 1 to 65535")
    view = view_of(
        options.what,
        scenario=options.scenario,
        variant=options.variant,
        pair=options.pair,
        slowest=options.slowest,
        engine=engine,
    )
    if options.save is not None:
        for file in save(view, options.save, engine):
            print(file)
        return _OK
    serve(
        view,
        port=options.port,
        browser=not options.no_browser,
        engine=engine,
        say=lambda text: print(text, flush=True),
    )
    return _OK


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
    from analysis.trace_processor import EngineChoice

    engine = EngineChoice.parse(options.engine, allow_download=options.allow_download)
    print(mail_text(judge(options.results, engine)))
    return _OK


def _verdicts(options: argparse.Namespace) -> int:
    from analysis import frames
    from analysis.judging.pipeline import judge
    from analysis.trace_processor import EngineChoice

    engine = EngineChoice.parse(options.engine, allow_download=options.allow_download)
    campaigns = {path.resolve().name: judge(path, engine) for path in options.results}
    print(frames.verdicts_csv(campaigns), end="")
    return _OK


def _pack(options: argparse.Namespace) -> int:
    from analysis.pack import pack
    from analysis.trace_processor import EngineChoice

    engine = EngineChoice.parse(options.engine, allow_download=options.allow_download)
    names = pack(options.results, options.into, engine)
    size_kb = sum((options.into / name).stat().st_size for name in names) / 1024
    print(f"{options.into}: {len(names)} files, {size_kb:,.0f} KiB")
    return _OK


def _reference(words: list[str]) -> int:
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
    parser = OneLineParser(
        prog=f"{_PROGRAM} reference", description="Print a page of the reference as Markdown."
    )
    parser.add_argument("page", nargs="?", choices=tuple(pages), default="metrics")
    print(pages[parser.parse_args(words).page](), end="")
    return _OK
