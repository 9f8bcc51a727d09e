"""The memory eater's output, and a cycle of it: on this host, and as it fails."""

from __future__ import annotations

import json
import platform
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from foundation.contract.arch import Arch
from foundation.contract.device import CommandResult
from foundation.errors import DataCorruption, DeviceError, UsageError
from harness.native.build import PROGRAMS, build_c
from workloads.eater_output import page_bytes_of, parse_phases
from workloads.memory_eater import MemoryEater
from workloads.profile import load_profile
from workloads.protocol import run_cycle

FILL = {
    "event": "fill",
    "t_boot_ns": 5,
    "dur_us": 2_000_000,
    "page_bytes": 4096,
    "pages": 512,
    "rewritten": 0,
    "mismatches": 0,
    "first_wrong": -1,
    "total_ns": 9000,
    "max_ns": 900,
    "buckets": [[10, 500], [20, 11], [800, 1]],
}
BEGIN = {"event": "begin", "page_bytes": 4096}
HOLD = {"event": "hold", "t_boot_ns": 9}
VERIFY = {**FILL, "event": "verify"}


def lines(*content: dict[str, Any]) -> str:
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in content)


def test_phases_are_read_with_their_histograms() -> None:
    fill, verify = parse_phases(lines(BEGIN, FILL, HOLD, VERIFY))
    assert (fill.event, fill.pages, verify.event) == ("fill", 512, "verify")
    assert [fill.quantile_ns(share) for share in (0.5, 0.99, 0.999, 1.0)] == [10, 20, 800, 800]


def test_half_a_line_is_not_read() -> None:
    assert [phase.event for phase in parse_phases(lines(BEGIN, FILL, VERIFY)[:-1])] == ["fill"]


@pytest.mark.parametrize("size", [4096, 16384])
def test_the_page_size_is_the_devices(size: int) -> None:
    assert page_bytes_of(lines({**BEGIN, "page_bytes": size}, FILL)) == size


@pytest.mark.parametrize("text", ["", "\n", lines(FILL), lines(BEGIN)[:-1], '{"event":"begin"}\n'])
def test_no_page_size_is_an_error(text: str) -> None:
    with pytest.raises(DeviceError, match="did not print its page size"):
        page_bytes_of(text)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"pages": 511}, "does not add up to the pages"),
        ({"pages": -1}, ">= 0 - at `$.pages`"),
        ({"pages": True}, "got `bool` - at `$.pages`"),
        ({"mismatches": 2}, "first_wrong -1 with 2"),
        ({"first_wrong": 7}, "first_wrong 7 with 0"),
        ({"buckets": [[20, 500], [10, 12]]}, "out of order"),
        ({"buckets": [[10, 512, 1]]}, "at `$.buckets[0]`"),
        ({"event": "feast"}, "'feast' - at"),
    ],
)
def test_a_line_that_cannot_be_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(DeviceError, match=re.escape(words)):
        parse_phases(lines({**FILL, **changed}))


@pytest.mark.parametrize("text", ["hello\n", "[]\n", '{"event":"fill"}\n', "\n"])
def test_what_is_no_phase_is_refused(text: str) -> None:
    with pytest.raises(DeviceError, match="printed an invalid line"):
        parse_phases(text)


def test_phases_out_of_order_are_refused() -> None:
    with pytest.raises(DeviceError, match="came as verify, fill"):
        parse_phases(lines(VERIFY, FILL))


class HostProcess:
    """The real program, run on this host as if it were the device."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def poll(self) -> int | None:
        status = self.process.poll()
        return None if status is None else status if status >= 0 else 128 - status

    def output(self) -> str:
        return ""

    def stop(self, *, deadline_s: float = 10.0) -> CommandResult:
        self.process.send_signal(signal.SIGTERM)
        stdout, stderr = self.process.communicate(timeout=60)
        status = self.poll()
        assert status is not None
        return CommandResult(status, stdout, stderr, 0.0)


class HostDevice:
    """What the eater asks of a device besides its program; swapping is a number that tests set.

    Files of the device are in ``folder``; ``program`` is the eater.
    """

    serial = "host"
    emulated = True
    is_root = True

    def __init__(self, folder: Path, program: Path, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.program = program
        self.options = list(options)
        self.swapped = [0, 700]
        self.processes: list[HostProcess] = []

    def here(self, text: str) -> str:
        """A text for the device with the paths and names of this host."""
        text = text.replace("/data/local/tmp/reclaim-suite-eater ", f"{self.program} ")
        text = text.replace("/data/local/tmp", str(self.folder))
        return text.replace("--go reclaim-suite", f"--go {self.folder.name}").replace(
            "--end reclaim-suite", f"--end {self.folder.name}"
        )

    def read_text(self, remote: str, *, deadline_s: float = 10.0) -> str:
        if remote == "/proc/vmstat":
            return f"pgfault 3\npswpout {self.swapped.pop(0)}\n"
        return Path(self.here(remote)).read_text()

    def spawn(self, argv: Sequence[str]) -> HostProcess:
        words = self.here(" ".join(argv)).split()
        words[words.index("--serve") + 1] = f"{self.folder.name}-eater"
        self.processes.append(HostProcess([*words, *self.options]))
        return self.processes[-1]

    def script(self, text: str, *, deadline_s: float = 30.0, check: bool = True) -> CommandResult:
        done = subprocess.run(
            ["sh", "-c", self.here(text)], capture_output=True, text=True, timeout=deadline_s, check=check
        )
        return CommandResult(done.returncode, done.stdout, done.stderr, 0.0)

    def shell(self, argv: Sequence[str], *, deadline_s: float = 30.0, check: bool = True) -> CommandResult:
        return self.script(" ".join(argv), deadline_s=deadline_s, check=check)


class Eater(MemoryEater):
    """Without the parts that need a device's zram."""

    def __init__(self, device: HostDevice) -> None:
        self.host = device
        profile = load_profile("eater", {"eater": {"mb": 2, "touches": 100, "rewrite_share": 0.5}})
        super().__init__(cast(Any, device), profile, device.program, lambda: None)

    def cycle(self) -> None:
        run_cycle(cast(Any, self.host), self)


def host_device(folder: Path, *flags: str) -> HostDevice:
    name = "eater-16k" if flags else "eater"
    program = build_c(name, PROGRAMS["eater"], cast(Arch, platform.machine()), flags)
    return HostDevice(folder, program)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[HostDevice]:
    made = host_device(tmp_path)
    yield made
    end(made)


@pytest.fixture
def device_16k(tmp_path: Path) -> Iterator[HostDevice]:
    """One whose eater takes its pages for such of 16 KiB."""
    made = host_device(tmp_path, "-DCONTENT_TEST_PAGE_BYTES=16384")
    yield made
    end(made)


def end(device: HostDevice) -> None:
    for process in device.processes:
        process.process.kill()
        process.process.wait()


def test_a_cycle_holds_its_memory_until_its_result_is_asked_for(device: HostDevice) -> None:
    eater = Eater(device)
    eater.reset()
    eater.cycle()
    assert device.processes[0].poll() is None, "it ended, and gave its memory back, inside the measurement"
    cycle = eater.result()
    assert [phase.event for phase in cycle.phases] == ["fill", "touch", "verify"]
    assert (cycle.kills, cycle.mismatches, cycle.pages_verified) == (0, 0, 612)
    assert cycle.void_reasons() == []
    facts = cycle.facts()["eater"]
    assert facts["fill"]["pages"] == 512
    assert facts["fill"]["mb_s"] == pytest.approx(2 / facts["fill"]["dur_s"])
    written = [json.loads(line) for line in cycle.to_json_lines().splitlines()]
    assert [line.get("event") for line in written] == ["fill", "touch", "verify", None]
    assert sum(count for _, count in written[0]["buckets"]) == 512
    assert written[-1]["pages_wanted"] == 512


def test_on_large_pages_it_does_as_much_work_in_fewer(device_16k: HostDevice) -> None:
    eater = Eater(device_16k)
    eater.reset()
    eater.cycle()
    cycle = eater.result()
    assert {phase.event: phase.pages for phase in cycle.phases} == {"fill": 128, "touch": 25, "verify": 128}
    assert (cycle.pages_wanted, cycle.pages_verified) == (128, 153)
    facts = cycle.facts()["eater"]
    assert facts["fill"]["mb_s"] == pytest.approx(2 / facts["fill"]["dur_s"])


def test_a_killed_eater_is_counted_and_its_cycle_is_void(device: HostDevice) -> None:
    device.options = ["--mb", "64", "--rate-mb-s", "8"]
    eater = Eater(device)
    eater.reset()
    killer = threading.Timer(0.3, device.processes[0].process.kill)
    killer.start()
    eater.cycle()
    killer.join()
    cycle = eater.result()
    assert [phase.event for phase in cycle.phases] == []
    assert cycle.kills == 1
    assert "was killed" in cycle.void_reasons()[0]


def test_an_eater_that_is_killed_while_it_verifies_is_counted_too(device: HostDevice) -> None:
    eater = Eater(device)
    eater.reset()
    eater.cycle()
    device.processes[0].process.kill()
    device.processes[0].process.wait()
    cycle = eater.result()
    assert cycle.kills == 1
    assert [phase.event for phase in cycle.phases] == ["fill", "touch"]


def test_a_wrong_page_is_data_corruption(device: HostDevice) -> None:
    eater = Eater(device)
    eater.reset()
    eater.cycle()
    pid = device.processes[0].process.pid
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        begin, end = (int(part, 16) for part in line.split()[0].split("-"))
        if end - begin >= 2 * 2**20 and "rw-p" in line:
            break
    with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
        memory.seek(begin + 7 * 4096 + 12)
        byte = memory.read(1)
        memory.seek(begin + 7 * 4096 + 12)
        memory.write(bytes([byte[0] ^ 1]))
    with pytest.raises(DataCorruption, match=r"1 pages read back differ .* first: page 7 in verify"):
        eater.result()


def test_an_eater_that_fails_by_itself_is_an_error_with_its_words(device: HostDevice) -> None:
    device.options = ["--fast"]
    eater = Eater(device)
    eater.reset()
    eater.cycle()
    with pytest.raises(DeviceError, match="exit status 2 after no phase: eater: --fast needs a value"):
        eater.result()


def test_memory_that_fits_is_an_error_with_the_way_out(device: HostDevice) -> None:
    device.swapped = [700, 700]
    eater = Eater(device)
    eater.reset()
    eater.cycle()
    with pytest.raises(DeviceError, match=r"swapped nothing out.*more memory"):
        eater.result()


def test_a_run_that_nobody_asks_for_its_result_is_ended(device: HostDevice) -> None:
    device.swapped = [0, 0, 0]
    eater = Eater(device)
    eater.reset()
    eater.cycle()
    eater.reset()
    assert device.processes[0].poll() is not None


def test_another_workloads_profile_is_refused() -> None:
    with pytest.raises(UsageError, match=r"has no \[eater\]"):
        MemoryEater(cast(Any, None), load_profile("smoke"), Path("eater"), lambda: None)
