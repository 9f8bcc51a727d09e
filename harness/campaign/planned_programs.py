"""The output of the suite's own programs in a dry run, which builds and records nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from harness.campaign.host import Host
from harness.capture import CaptureReport, RawCapture
from harness.device.planned_phone import Program
from workloads.switches import Switch

_PAGE_BYTES: Final = 4096
_PAGES_PER_MB: Final = 256


def _probe_cost(words: Sequence[str]) -> str:
    return json.dumps({"probed_ns": 1, "plain_ns": 1})


def _poller(words: Sequence[str]) -> str:
    mark = words[words.index("--mark") + 1]
    return json.dumps({"t_boot_ns": 1, "t_end_boot_ns": 2, "mark": mark})


def _eater(words: Sequence[str]) -> str:
    pages = int(words[words.index("--mb") + 1]) * _PAGES_PER_MB
    touches = int(words[words.index("--touches") + 1])
    phases = {"fill": pages, "touch": touches, "verify": pages}
    begin = json.dumps({"event": "begin", "page_bytes": _PAGE_BYTES}) + "\n"
    return begin + "".join(
        json.dumps(
            dict.fromkeys(("t_boot_ns", "dur_us", "rewritten", "mismatches", "total_ns", "max_ns"), 0)
            | {
                "event": event,
                "page_bytes": _PAGE_BYTES,
                "pages": count,
                "first_wrong": -1,
                "buckets": [[1, count]],
            }
        )
        + "\n"
        for event, count in phases.items()
        if count
    )


#: Programs that exit, by name; and for others what they print, or write into the file after ``--out``.
PROGRAMS: Final[Mapping[str, Program]] = {
    "probe-cost": _probe_cost,
    "poller": _poller,
    "reclaim-suite-eater": lambda words: "",
}
PROCESSES: Final[Mapping[str, Program]] = {"reclaim-suite-eater": _eater}


def _report(raw: RawCapture, switches: Sequence[Switch], out: Path) -> CaptureReport:
    return CaptureReport(
        path=out,
        bytes=0,
        sha256="",
        window_ns=raw.window_ns,
        loss=(),
        void_reasons=(),
        thread_names=(),
        missing_events=(),
        seconds=0.0,
    )


#: Builds nothing, does not wait, and finds no fault in any recording.
PLANNED_HOST: Final = Host(
    program=lambda name, arch: Path(name), sleep=lambda seconds: None, assemble=_report
)
