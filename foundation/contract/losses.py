"""What a recording can lose, and which data each loss concerns: a metric that needs other data stands.

The trace processor reads a truncated or lossy trace without an error and gives most kinds of
loss the severity *info*, so losses are looked up by name. The capture finds the names as fields
of the trace's packets, the analysis in the trace processor's ``stats``
(`foundation.contract.loss_readings`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from foundation.contract.needs import Needs

#: What a trace holds, as far as metrics read it: sched_switch and sched_waking; all other ftrace
#: events; calls of probed functions; names and parents of threads and processes; the counters that
#: Perfetto polls; energy of power rails; and what the suite writes itself (the window, app switches,
#: samples at its edges), which passes through no buffer.
Data = Literal["scheduling", "events", "probes", "names", "counters", "power", "suite"]
DATA: Final[tuple[Data, ...]] = get_args(Data)

NOTHING: Final[frozenset[Data]] = frozenset()
EVERYTHING: Final[frozenset[Data]] = frozenset(DATA)
#: What the kernel's trace buffers hold.
FTRACE: Final[frozenset[Data]] = frozenset({"scheduling", "events", "probes"})
#: What passes through Perfetto's service.
RECORDED: Final[frozenset[Data]] = EVERYTHING - {"suite"}

#: Data sources of Perfetto that metrics read. What any other source records, no metric reads.
SOURCES: Final[Mapping[str, frozenset[Data]]] = {
    "linux.ftrace": FTRACE,
    "linux.process_stats": frozenset({"names"}),
    "linux.sys_stats": frozenset({"counters"}),
    "android.power": frozenset({"power"}),
}

#: Fields of FtraceCpuStats, which the kernel counts for each CPU (per_cpu/cpuN/stats) from the
#: moment the buffer is cleared.
FTRACE_COUNTERS: Final = {
    "overrun": "ftrace events overwritten before they were read",
    "commit_overrun": "ftrace events lost to nesting",
    "dropped_events": "ftrace events dropped",
}
#: Fields of TraceStats.BufferStats, which Perfetto counts for each of its buffers.
BUFFER_COUNTERS: Final = {
    "chunks_overwritten": "chunks overwritten in perfetto's buffer",
    "chunks_discarded": "chunks discarded by perfetto",
    "trace_writer_packet_loss": "packets lost by a trace writer",
    "patches_failed": "packets never completed",
    "abi_violations": "malformed chunks rejected by perfetto",
}
#: The field ``lost_events`` of FtraceEventBundle.
INCOMPLETE_BUNDLES: Final = "ftrace bundles marked incomplete"

_LINE: Final = re.compile(r"^(?P<text>.*) \[void: (?P<data>[a-z, ]*)\]$")


@dataclass(frozen=True)
class Loss:
    """One mark of loss: what was lost, in words, and the ``data`` that it concerns, in order of `DATA`."""

    text: str
    data: tuple[Data, ...]

    @property
    def whole(self) -> bool:
        """Whether it concerns all data, so that nothing of the recording can be trusted."""
        return set(self.data) == EVERYTHING

    @property
    def line(self) -> str:
        """One line for a trace's own notes; `loss_of_line` reads it back."""
        text = " ".join(self.text.split())
        return text if self.whole else f"{text} [void: {', '.join(self.data)}]"


def lost(text: str, data: Iterable[Data]) -> Loss:
    """A loss of this data, whatever its order."""
    wanted = set(data)
    return Loss(text, tuple(one for one in DATA if one in wanted))


def loss_of_line(line: str) -> Loss:
    """The loss of a `Loss.line`. Without a list of data it concerns everything."""
    match = _LINE.match(line)
    words = match["data"].split(", ") if match else []
    named = [one for one in DATA if one in words]
    return lost(match["text"], named) if match and len(named) == len(words) else lost(line, EVERYTHING)


#: What a recorder writes last: without it the file was cut between two packets.
NO_FTRACE_END: Final = lost("ftrace's closing statistics are missing: the trace was truncated", EVERYTHING)
NO_BUFFER_END: Final = lost(
    "perfetto's closing statistics are missing: the trace was truncated", EVERYTHING
)
#: Perfetto's statistics go on without those that the reader of ftrace writes when it stops.
RECORDER_DIED: Final = lost(
    "ftrace's closing statistics are missing: traced_probes ended before the recording did", RECORDED
)


def data_of(needs: Needs) -> frozenset[Data]:
    """The data from which a metric with these needs is computed; empty if it needs only the window.

    What threads do is told by thread: whatever comes from events needs their names as well. schedstat is
    only what the trace's CPU times are checked against.
    """
    groups = {event.partition("/")[0] for event in needs.ftrace_events}
    used = {
        "scheduling": "sched" in groups,
        "events": bool(groups - {"sched"}),
        "probes": bool(needs.probes),
        "names": bool(groups or needs.probes),
        "counters": bool(needs.vmstat or needs.meminfo or needs.psi),
        "power": needs.power_rails,
        "suite": needs.switches or needs.zram,
    }
    return frozenset(one for one in DATA if used[one])


def data_in_buffers(config: Any) -> dict[int, frozenset[Data]]:
    """Which data each buffer of a TraceConfig holds, by the buffer's number."""
    held: dict[int, frozenset[Data]] = dict.fromkeys(range(len(config.buffers)), NOTHING)
    for source in config.data_sources:
        number = source.config.target_buffer
        held[number] = held.get(number, NOTHING) | SOURCES.get(source.config.name, NOTHING)
    return held


def ftrace_losses(cpu: int, begin: Any, end: Any, *, outside: bool = False) -> list[Loss]:
    """A loss for each counter of `FTRACE_COUNTERS` that grew from ``begin`` (None: all 0) to ``end``.

    With ``outside``, events of ``cpu`` are known to be overwritten outside the window only.
    """
    return [
        lost(f"{number} {text} on CPU {cpu} ({name})", FTRACE)
        for name, text in FTRACE_COUNTERS.items()
        if not (outside and name == "overrun")
        if (number := getattr(end, name) - (0 if begin is None else getattr(begin, name))) > 0
    ]


def buffer_losses(number: int, stats: Any, data: frozenset[Data]) -> list[Loss]:
    """A loss of ``data`` for each counter of `BUFFER_COUNTERS` above 0 in the statistics of a buffer.

    None if the buffer holds nothing that a metric reads.
    """
    if not data:
        return []
    return [
        lost(f"{count} {text}, buffer {number} ({name})", data)
        for name, text in BUFFER_COUNTERS.items()
        if (count := getattr(stats, name)) > 0
    ]
