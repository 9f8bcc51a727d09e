"""The programs of a measurement on the fake phone."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.fake.capture.test_capture_phone import Phone
from tests.stand_ins.bootloader.phone import FlashablePhone
from tests.stand_ins.device import Attribute
from tests.stand_ins.device.processes import Killed
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
        self._swapped = 0
        phone.android.programs["reclaim-suite-eater"] = self._eat
        phone.android.files.put("/proc/vmstat", Attribute(self._vmstat, size=0))

    def _vmstat(self) -> str:
        self._swapped += 10
        return f"pswpin 5\npswpout {self._swapped}"

    def _eat(self, call: Call) -> int:
        self.cycles += 1
        pages = int(call.argv[call.argv.index("--mb") + 1]) * PAGES_PER_MB
        self._say(call, "fill", pages)
        call.io.out(b'{"event":"hold","t_boot_ns":2}\n')
        try:
            call.process.wait(None)
        except Killed as killed:
            if killed.number != signal.SIGTERM:
                raise
        self._say(call, "verify", pages)
        return 0

    def _say(self, call: Call, event: str, pages: int) -> None:
        phase = dict.fromkeys(("t_boot_ns", "rewritten", "mismatches"), 0)
        phase |= {"dur_us": 1000, "pages": pages, "total_ns": pages * 100, "max_ns": 900, "first_wrong": -1}
        call.io.out((json.dumps({"event": event, **phase, "buckets": [[64, pages]]}) + "\n").encode())
