"""The suite's own programs on a fake phone, as far as a recording calls them."""

from __future__ import annotations

import json

from tests.stand_ins.device import Attribute, FakeDevice
from tests.stand_ins.device.tree_shell import Call
from tests.unit.capture.capture_raw import MS, WINDOW


class SuitePrograms:
    """``poller`` and burner; ``missing`` are sources that the poller does not find.

    ``extra`` are numbers of files that are polled, by mark (begin, sample, end).
    """

    def __init__(self, fake: FakeDevice, missing: tuple[str, ...] = ("psi",)) -> None:
        self.fake = fake
        self.missing = missing
        self.swapped = 0
        self.extra: dict[str, dict[str, int]] = {}
        fake.programs |= {
            "chmod": lambda call: 0,
            "grep": lambda call: 0,
            "poller": self._poller,
            "reclaim-suite-burner": self._burn,
        }
        self.burnt = 0
        fake.files.put("/proc/stat", Attribute(self._stat, size=0))

    def _burn(self, call: Call) -> int:
        call.process.wait(None)
        return 0

    def _stat(self) -> str:
        """Each reading is a tenth of a second of user time later."""
        self.burnt += 10
        return f"cpu  {self.burnt} 0 0 0 0 0 0 0 0 0\ncpu0 {self.burnt} 0 0 0 0 0 0 0 0 0"

    def _poller(self, call: Call) -> int:
        if "--once" in call.argv:
            mark = call.argv[call.argv.index("--mark") + 1]
            t_ns = WINDOW[0] - MS if mark == "begin" else WINDOW[1]
            call.io.out(self._line(mark, t_ns).encode())
            return 0
        middle = (WINDOW[0] + WINDOW[1]) // 2
        self.fake.files.put(call.argv[call.argv.index("--out") + 1], self._line("sample", middle))
        call.process.wait(None)
        return 0

    def _line(self, mark: str, t_ns: int) -> str:
        self.swapped += 500
        sample = {
            "t_boot_ns": t_ns,
            "t_end_boot_ns": t_ns + MS,
            "mark": mark,
            "missing": list(self.missing),
            "threads": [],
            "extra": self.extra.get(mark, {}),
        }
        if "vmstat" not in self.missing:
            sample["vmstat"] = {"pswpout": self.swapped}
        return json.dumps(sample) + "\n"
