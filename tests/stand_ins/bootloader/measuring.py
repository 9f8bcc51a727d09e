"""The programs of a measurement on the fake phone."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from tests.fake.capture.test_capture_phone import Phone
from tests.stand_ins.bootloader.phone import FlashablePhone
from tests.stand_ins.device import Attribute
from tests.stand_ins.device.tree_shell import Call
from tests.unit.capture.capture_raw import service_trace

PAGES_PER_MB = 256


class MeasuredPhone:
    """Lets a whole campaign of the memory eater run on ``phone``; ``cycles`` counts what it ate."""

    def __init__(self, phone: FlashablePhone, folder: Path) -> None:
        service_trace(folder / "service-trace")
        self.phone = phone
        self.perfetto = Phone(phone.android, (folder / "service-trace").read_bytes())
        self.cycles = 0
        self._report = ""
        self._serves, self._go, self._holds = threading.Event(), threading.Event(), threading.Event()
        self._ends, self._ended = threading.Event(), threading.Event()
        self._swapped = 0
        phone.android.programs["reclaim-suite-eater"] = self._eat
        phone.android.files.put("/proc/vmstat", Attribute(self._vmstat, size=0))

    def _vmstat(self) -> str:
        self._swapped += 10
        return f"pswpin 5\npswpout {self._swapped}"

    def _eat(self, call: Call) -> int:
        if call.argv[1] == "--go":
            self._serves.wait(10)
            self._go.set()
            self._holds.wait(10)
            return 0
        if call.argv[1] == "--end":
            self._ends.set()
            self._ended.wait(10)
            return 0
        for event in (self._go, self._holds, self._ends, self._ended):
            event.clear()
        self._report = call.argv[call.argv.index("--out") + 1]
        self.phone.android.files.put(self._report, '{"event":"begin","page_bytes":4096}\n')
        self._serves.set()
        while not self._go.is_set():
            call.process.wait(0.01)
        self.cycles += 1
        pages = int(call.argv[call.argv.index("--mb") + 1]) * PAGES_PER_MB
        self._say("fill", pages)
        self._add('{"event":"hold","t_boot_ns":2}\n')
        self._serves.clear()
        self._holds.set()
        while not self._ends.is_set():
            call.process.wait(0.01)
        self._say("verify", pages)
        self._ended.set()
        return 0

    def _say(self, event: str, pages: int) -> None:
        phase = dict.fromkeys(("t_boot_ns", "rewritten", "mismatches"), 0)
        phase |= {"dur_us": 1000, "page_bytes": 4096, "pages": pages, "total_ns": pages * 100}
        phase |= {"max_ns": 900, "first_wrong": -1}
        self._add(json.dumps({"event": event, **phase, "buckets": [[64, pages]]}) + "\n")

    def _add(self, line: str) -> None:
        files = self.phone.android.files
        files.put(self._report, files.read(self._report) + line.encode())
