"""Names and filters of probes, on a kernel that takes every line."""

from __future__ import annotations

import re
from typing import Any

import pytest

from foundation.contract.conventions import PROBE_COST
from foundation.contract.device import CommandResult
from foundation.contract.needs import Probe
from foundation.errors import StateError
from harness.capture.probes import ProbeSet
from harness.capture.threads_found import Thread

ROOT = "/sys/kernel/tracing"
STORE = Probe("store", ("swap_writepage",), ("page=$arg1:x64",))
COST = Probe(PROBE_COST, ("__se_sys_getppid",))
KSWAPD = Thread(42, 42, 2, "kswapd0", 0)


class Kernel:
    """Keeps kprobe_events as the kernel does; ``stuck`` removals fail, ``said`` are all texts."""

    serial = "x"

    def __init__(self) -> None:
        self.uptime, self.stuck = "12.34 5.00", 0
        self.lines: list[str] = []
        self.filters: dict[str, str] = {}
        self.said: list[str] = []

    def read_text(self, path: str) -> str:
        return self.uptime if path == "/proc/uptime" else "\n".join(self.lines)

    def script(self, text: str, **_: object) -> CommandResult:
        self.said.append(text)
        out = ""
        if "kallsyms" in text:
            out = "ff T swap_writepage\nff T __se_sys_getppid\n"
        for line in re.findall(r"echo '?([^'\n]+)'? >> \S+kprobe_events", text):
            if line.startswith("-:") and self.stuck:
                self.stuck -= 1
            elif line.startswith("-:"):
                self.lines = [one for one in self.lines if f":{line[2:]} " not in one]
            else:
                self.lines.append(line)
        self.filters |= {path: said for said, path in re.findall(r"echo '([^']+)' > (\S+/filter)", text)}
        out += "".join(f"{self.filters[path]}\n" for path in re.findall(r"cat (\S+/filter)", text))
        return CommandResult(0, out, "", 0.0)


def probe_set(kernel: Kernel, sleep: Any = lambda seconds: None) -> ProbeSet:
    device: Any = kernel
    return ProbeSet(device, ROOT, sleep)


def test_each_set_has_a_group_of_its_own() -> None:
    kernel = Kernel()
    groups = []
    for uptime in ("12.34 5.00", "60.00 5.00"):
        kernel.uptime = uptime
        probes = probe_set(kernel)
        probes.place({STORE})
        groups.append(probes.events)
        probes.remove()
        assert kernel.lines == []
    assert groups == [
        ("reclaim_suite_1234/store_enter", "reclaim_suite_1234/store_exit"),
        ("reclaim_suite_6000/store_enter", "reclaim_suite_6000/store_exit"),
    ]


def test_those_of_a_killed_run_go_and_others_stay() -> None:
    kernel = Kernel()
    kernel.lines = ["p:reclaim_suite_7/store_enter x", "p:reclaim_suite/old_exit x", "p:others/x x"]
    probes = probe_set(kernel)
    probes.place({STORE})
    probes.remove()
    assert kernel.lines == ["p:others/x x"]


@pytest.mark.parametrize(("stuck", "ends"), [(3, True), (10_000, False)])
def test_a_recording_that_still_holds_them_is_waited_for(stuck: int, ends: bool) -> None:
    waited: list[float] = []
    kernel = Kernel()
    kernel.lines = ["p:reclaim_suite_7/store_enter x"]
    kernel.stuck = stuck
    probes = probe_set(kernel, waited.append)
    if ends:
        probes.place({STORE})
        assert len(waited) == stuck
    else:
        with pytest.raises(StateError, match="1 probes could not be removed"):
            probes.place({STORE})


def test_only_calls_by_reclaim_threads_pass() -> None:
    kernel = Kernel()
    probes = probe_set(kernel)
    probes.place({STORE, COST})
    probes.filter_by([KSWAPD, Thread(7, 7, 1, "init", 0)])
    assert {path.rpartition("events/")[2]: text for path, text in kernel.filters.items()} == {
        "reclaim_suite_1234/store_enter/filter": "common_pid == 42",
        "reclaim_suite_1234/store_exit/filter": "common_pid == 42",
        "reclaim_suite_1234/probe_cost_enter/filter": "common_pid > 0",
        "reclaim_suite_1234/probe_cost_exit/filter": "common_pid > 0",
    }


def test_what_the_service_may_not_enable_is_unknown_with_the_reason() -> None:
    probes = probe_set(Kernel())
    probes.place({STORE, COST})
    probes.keep([event for event in probes.events if "store" not in event])
    assert [placed.probe for placed in probes.placed] == [COST]
    assert "on this build" in probes.missing["store"]
