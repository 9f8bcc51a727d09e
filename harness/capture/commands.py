"""What a recording sends to a phone, as shell text: told without one, for a dry run.

Words in capitals stand for what only the phone knows.
"""

from __future__ import annotations

from typing import Final

from foundation.contract.needs import Needs, Probe
from foundation.quoting import quote, quote_argv
from harness.capture import (
    events,
    poller,
    probes,
    remote,
    trace_room,
)
from harness.capture.facts import facts_argv
from harness.capture.ftrace import ftrace_session
from harness.capture.perfetto import perfetto_session

_ROOT: Final = events.TRACEFS_ROOTS[0]
_EVENT: Final = "EVENT"
_THREADS: Final = "THREADS"
_RECORDER: Final = f"{remote.FOLDER}/recorder"
_POLLER: Final = f"{remote.FOLDER}/{poller.PROGRAM}"
_SAMPLES: Final = f"{remote.FOLDER}/{poller.OUTPUT}"


def recorder_commands(needs: Needs) -> list[str]:
    """Lines: folder and programs of the suite, the counters, then Perfetto and what ftrace would do."""
    with_perfetto, with_ftrace = (
        "where the phone has it (else ftrace, below)",
        "without Perfetto, and as root",
    )
    if needs.probes:
        with_perfetto, with_ftrace = "where the shell is not root", "where it is root"
    recorded = ", ".join(events.wanted(needs.ftrace_events))
    return [
        *map(quote_argv, remote.make_argvs()),
        f"adb push recorder {quote(_RECORDER)}",
        quote_argv(facts_argv(_RECORDER)),
        *_counters(),
        f"Perfetto, {with_perfetto}:",
        *(f"    {line}" for line in _perfetto()),
        f"ftrace, {with_ftrace}:",
        *(f"    {line}" for line in _ftrace(needs)),
        quote_argv(remote.remove_argv()),
        f"{_THREADS}: {quote(poller.thread_pattern())}",
        f"{_EVENT}, where the kernel has it: {recorded}",
    ]


def _counters() -> list[str]:
    """FILE: numbers that are there on this phone (`poller.EXTRA_GLOBS`)."""
    run = quote_argv(poller.run_argv(_POLLER, poller.PERIOD_MS, _SAMPLES, ["FILE"], _THREADS))
    once = quote_argv(poller.once_argv(_POLLER, "MARK", ["FILE"], _THREADS))
    return [
        f"adb push poller {quote(_POLLER)}",
        f"adb push samples {quote(_SAMPLES)}    # empty",
        f"{run} &",
        f"{once}    # begin, and end",
        f"adb pull {quote(_SAMPLES)}",
    ]


def _perfetto() -> list[str]:
    trace = perfetto_session.remote_trace("NUMBER")
    old, new = (quote_argv(perfetto_session.start_argv(trace, waits=waits)) for waits in (False, True))
    return [
        f"{quote_argv(perfetto_session.ENABLE_ARGV)}    # Android 10, where it is off",
        f"{new}    # the config on stdin",
        f"{old}    # instead, before Android 13",
        quote_argv(perfetto_session.finish_argv("PID")),
        f"{quote_argv(perfetto_session.readable_argv(trace))}    # as root",
        f"adb pull {quote(trace)}",
        quote_argv(perfetto_session.remove_argv(trace)),
    ]


def _ftrace(needs: Needs) -> list[str]:
    base = f"{_ROOT}/instances/{ftrace_session.INSTANCE}"
    room = f"{_ROOT}/instances/{trace_room.INSTANCE}"
    output, pipe = f"{remote.FOLDER}/cpuN.raw", f"{base}/per_cpu/cpuN/trace_pipe_raw"
    filters = {_EVENT: "FILTER"} if needs.probes else {}
    return [
        *(line for probe in sorted(needs.probes) for line in _probe(probe)),
        # Held while nothing is recorded, so that a recording finds memory for its buffers.
        *map(quote_argv, (ftrace_session.make_argv(room), ftrace_session.make_argv(base))),
        f"echo KB > {_ROOT}/buffer_size_kb",
        *trace_room.hold_lines(room, "KB"),
        *ftrace_session.set_up_lines(base, "KB", [_EVENT], filters),
        *([quote_argv(probes.cost_argv(_RECORDER))] if needs.probes else []),
        ftrace_session.switch_line(base, on=True),
        *ftrace_session.off_lines(base, [_EVENT]),
        f"{quote_argv(ftrace_session.drain_argv(_RECORDER, 'BYTES', output, pipe))}    # each CPU",
        f"adb pull {quote(output)}",
        *(f"rmdir {quote(instance)}" for instance in (base, room)),
        *([probes.take_out_line(_ROOT, "NAME")] if needs.probes else []),
    ]


def _probe(probe: Probe) -> list[str]:
    return probes.add_lines(_ROOT, probe, probe.symbols[0])
