"""Recording on a phone with Perfetto: a user build without root, and everything that goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import text_format  # type: ignore[import-untyped]
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import TraceConfig

from analysis.trace_processor import open_trace
from foundation.contract.losses import NO_BUFFER_END
from foundation.contract.needs import Needs
from foundation.contract.packets import read_packets
from foundation.errors import CommandTimeout, DeviceError
from harness.capture import Capture, assemble
from harness.capture.perfetto import perfetto_session
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from tests.stand_ins.device import FakeDevice
from tests.stand_ins.device.programs import fixed
from tests.stand_ins.device.tree_shell import Call
from tests.unit.capture.capture_raw import (
    MS,
    SWITCHES,
    WINDOW,
    service_trace,
)

LISTED = ("sched/sched_switch", "sched/sched_waking", "task/task_newtask", "task/task_rename")
NEEDS = Needs(
    ftrace_events=frozenset({"sched/sched_switch", "sched/sched_waking", "vmscan/mm_vmscan_throttled"})
)
TRACES = "/data/misc/perfetto-traces"


class Phone:
    """A fake phone with a scripted ``perfetto`` and the suite's programs.

    ``service`` maps the pid of a running recording to its file; the other attributes say
    how it behaves.
    """

    def __init__(self, fake: FakeDevice, trace: bytes) -> None:
        self.fake = fake
        self.trace = trace
        self.configs: list[TraceConfig] = []
        self.argvs: list[list[str]] = []
        self.service: dict[int, str] = {}
        self.help = "--background-wait"
        self.tells_pid = True
        self.producer = "1  140  0  perfetto.traced_probes  Perfetto v56.0"
        self.start_status = 0
        self.heeds_term = True
        self.takes_kill = True
        self.readable: list[str] = []
        self.swapped = 0
        for event in LISTED:
            fake.files.put(f"/sys/kernel/tracing/events/{event}/format", "")
            fake.files.put(f"/sys/kernel/tracing/events/{event}/enable", "1")
        fake.files.guard = lambda path, how: how != "write" or path.endswith("/enable")
        fake.files.make_folder(TRACES)
        self._kill = fake.programs["kill"]
        fake.programs |= {
            "chmod": self.chmod,
            "grep": lambda call: 0,
            "kill": self.kill,
            "perfetto": self.perfetto,
            "pgrep": self.pgrep,
            "poller": self.poller,
        }

    def perfetto(self, call: Call) -> int:
        if call.argv[1:] == ["--version"]:
            call.io.out(b"Perfetto v40.0-abc (abc)\n")
            return 0
        if call.argv[1:] == ["--query"]:
            call.io.out(f"Service: Perfetto\nID  PID  UID  NAME  SDK\n{self.producer}\n".encode())
            return 0
        if call.argv[1:] == ["--help"]:
            call.io.err(f"Usage: perfetto\n  {self.help}\n".encode())
            return 1
        config = b""
        while data := call.io.stdin():
            config += data
        self.argvs.append(call.argv)
        self.configs.append(text_format.Parse(config.decode(), TraceConfig()))
        if self.start_status:
            call.io.fail("Connection failed: is traced running?")
            return self.start_status
        pid = 9000 + len(self.argvs)
        self.service[pid] = call.argv[call.argv.index("-o") + 1]
        self.fake.files.put(self.service[pid], b"")
        self.fake.files.put(f"/proc/{pid}/comm", "perfetto\n")
        if self.tells_pid:
            call.io.out(f"{pid}\n".encode())
        return 0

    def chmod(self, call: Call) -> int:
        if call.argv[1] == "644":
            self.readable.append(call.argv[2])
        return 0

    def kill(self, call: Call) -> int:
        pid = int(call.argv[-1])
        if call.argv[1] == "-KILL" and pid in self.service and not self.takes_kill:
            call.io.fail("Permission denied")
            return 1
        if pid not in self.service:
            return self._kill(call)
        if call.argv[1] == "-TERM" and not self.heeds_term:
            return 0
        if call.argv[1] == "-TERM":
            self.fake.files.put(self.service[pid], self.trace)
        self.end(pid)
        return 0

    def end(self, pid: int) -> None:
        del self.service[pid]
        self.fake.files.remove(f"/proc/{pid}")

    def pgrep(self, call: Call) -> int:
        expression = call.argv[-1].replace("[", "").replace("]", "")
        pids = [pid for pid, path in self.service.items() if expression in path]
        call.io.out("".join(f"{pid}\n" for pid in pids).encode())
        return int(not pids)

    def poller(self, call: Call) -> int:
        if "--once" in call.argv:
            mark = call.argv[call.argv.index("--mark") + 1]
            call.io.out(self.line(mark, WINDOW[0] - MS if mark == "begin" else WINDOW[1]).encode())
            return 0
        middle = (WINDOW[0] + WINDOW[1]) // 2
        self.fake.files.put(call.argv[call.argv.index("--out") + 1], self.line("sample", middle))
        call.process.wait(None)
        return 0

    def line(self, mark: str, t_ns: int) -> str:
        self.swapped += 500
        sample = {"t_boot_ns": t_ns, "t_end_boot_ns": t_ns + MS, "mark": mark, "missing": ["psi"]}
        return json.dumps(sample | {"vmstat": {"pswpout": self.swapped}, "threads": []}) + "\n"

    @property
    def left(self) -> list[str]:
        """What is on the device that was not there before."""
        files = self.fake.files
        names = [*files.listing("/data/local/tmp"), *files.listing(TRACES), *map(str, self.service)]
        return [*names, *map(str, self.fake.processes.pids)]


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Phone]:
    service_trace(tmp_path / "trace")
    with FakeDevice(root=False) as fake:
        yield Phone(fake, (tmp_path / "trace").read_bytes())


@pytest.fixture
def shell_device(adb: AdbServer, phone: Phone) -> Iterator[AdbDevice]:
    yield AdbDevice(adb, adb.connect(phone.fake.serial))
    adb.disconnect(phone.fake.serial)


def marked(device: AdbDevice, folder: Path) -> Capture:
    capture = Capture(device, NEEDS, folder, sleep=lambda seconds: None)
    capture.start()
    device.script(capture.wrap("true"))
    return capture


def test_a_whole_recording(phone: Phone, shell_device: AdbDevice, tmp_path: Path) -> None:
    raw = marked(shell_device, tmp_path).stop()
    assert phone.left == []
    report = assemble(raw, SWITCHES, tmp_path / "trace.perfetto-trace")
    assert (report.backend, report.loss, report.void_reasons) == ("perfetto", (), ())
    assert report.path.read_bytes().endswith(phone.trace)
    assert report.window_ns == WINDOW
    assert len((tmp_path / "counters.jsonl").read_text().splitlines()) == 3
    with open_trace(report.path) as trace:
        names = trace.rows("select name from slice order by ts")
        kswapd = trace.rows("select count(*) from sched join thread using (utid) where tid = 42")
    assert [name for (name,) in names] == ["capture", "repetition", *(s.package for s in SWITCHES)]
    assert kswapd == [(35,)]


def test_what_su_has_recorded_can_be_pulled(adb: AdbServer, tmp_path: Path) -> None:
    # perfetto makes its file for its owner alone (perfetto_cmd.cc), and adbd pulls as the shell user.
    service_trace(tmp_path / "trace")
    with FakeDevice(root=False, su="magisk") as fake:
        phone = Phone(fake, (tmp_path / "trace").read_bytes())
        device = AdbDevice(adb, adb.connect(fake.serial), su=True)
        marked(device, tmp_path).stop()
        adb.disconnect(fake.serial)
    assert phone.readable == [phone.argvs[0][phone.argvs[0].index("-o") + 1]]


def test_a_recording_that_may_not_be_killed_is_ended(
    phone: Phone, shell_device: AdbDevice, tmp_path: Path
) -> None:
    phone.takes_kill = False
    marked(shell_device, tmp_path).cancel()
    assert phone.left == []


def test_only_events_that_the_device_lists(phone: Phone, shell_device: AdbDevice, tmp_path: Path) -> None:
    raw = marked(shell_device, tmp_path).stop()
    (config,) = phone.configs
    ftrace = next(s.config.ftrace_config for s in config.data_sources if s.config.name == "linux.ftrace")
    assert tuple(ftrace.ftrace_events) == LISTED
    assert raw.missing_events == (
        "sched/sched_process_exit",
        "sched/sched_process_free",
        "vmscan/mm_vmscan_throttled",
    )


@pytest.mark.parametrize("option", ["--background-wait", "--background"])
def test_waits_for_the_data_sources_where_it_can(
    phone: Phone, shell_device: AdbDevice, tmp_path: Path, option: str
) -> None:
    phone.help = option
    marked(shell_device, tmp_path).stop()
    (argv,) = phone.argvs
    assert argv[-1] == option
    assert argv[1:4] == ["-c", "-", "--txt"]


def test_a_service_that_refuses(phone: Phone, shell_device: AdbDevice, tmp_path: Path) -> None:
    phone.start_status = 1
    with pytest.raises(DeviceError, match=r"exit status 1.*is traced running"):
        Capture(shell_device, NEEDS, tmp_path).start()
    assert phone.left == []


def test_one_that_was_started_but_did_not_tell(
    phone: Phone, shell_device: AdbDevice, tmp_path: Path
) -> None:
    phone.tells_pid = False
    with pytest.raises(DeviceError, match="did not start"):
        Capture(shell_device, NEEDS, tmp_path).start()
    assert phone.left == []


def test_one_that_ends_too_early(phone: Phone, shell_device: AdbDevice, tmp_path: Path) -> None:
    capture = marked(shell_device, tmp_path)
    phone.end(next(iter(phone.service)))
    with pytest.raises(DeviceError, match="ended before the repetition"):
        capture.stop()
    assert phone.left == []


def test_one_that_does_not_finish(
    phone: Phone, shell_device: AdbDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perfetto_session, "STOP_DEADLINE_S", 0.5)
    phone.heeds_term = False
    capture = marked(shell_device, tmp_path)
    with pytest.raises(CommandTimeout, match="did not finish its file"):
        capture.stop()
    assert phone.left == []


def test_a_pull_that_is_cut_short(phone: Phone, shell_device: AdbDevice, tmp_path: Path) -> None:
    capture = marked(shell_device, tmp_path)
    phone.fake.faults.truncate_pull_to = 100
    with pytest.raises(DeviceError):
        capture.stop()
    phone.fake.faults.truncate_pull_to = None
    assert phone.left == []


def test_a_trace_that_was_cut_short_on_the_device(
    phone: Phone, shell_device: AdbDevice, tmp_path: Path
) -> None:
    (tmp_path / "whole").write_bytes(phone.trace)
    last = list(read_packets(tmp_path / "whole"))[-1].ByteSize()
    phone.trace = phone.trace[: -(last + 2)]
    raw = marked(shell_device, tmp_path).stop()
    loss = assemble(raw, (), tmp_path / "t").loss
    assert loss == (NO_BUFFER_END,)


def test_cancel_after_the_cable_was_pulled(phone: Phone, shell_device: AdbDevice, tmp_path: Path) -> None:
    capture = marked(shell_device, tmp_path)
    phone.fake.vanish()
    capture.cancel()
    assert phone.service


def test_no_perfetto(phone: Phone, shell_device: AdbDevice, tmp_path: Path) -> None:
    del phone.fake.programs["perfetto"]
    with pytest.raises(DeviceError, match="the device has no perfetto"):
        Capture(shell_device, NEEDS, tmp_path).start()
    assert phone.left == []


def test_a_processor_that_the_suite_has_no_programs_for(
    phone: Phone, shell_device: AdbDevice, tmp_path: Path
) -> None:
    phone.fake.programs["uname"] = fixed(lambda: "riscv64\n")
    with pytest.raises(DeviceError, match="riscv64"):
        Capture(shell_device, NEEDS, tmp_path).start()
    assert phone.left == []


def test_a_recording_of_a_killed_run_is_ended_first(
    phone: Phone, shell_device: AdbDevice, tmp_path: Path
) -> None:
    phone.service[8000] = perfetto_session.REMOTE_FILE
    phone.fake.files.put("/proc/8000/comm", "perfetto\n")
    marked(shell_device, tmp_path).stop()
    assert phone.left == []


def test_it_records_on_until_the_statistics_cover_the_window(
    phone: Phone, shell_device: AdbDevice, tmp_path: Path
) -> None:
    waited: list[float] = []
    capture = Capture(shell_device, NEEDS, tmp_path, sleep=waited.append)
    capture.start()
    shell_device.script(capture.wrap("true"))
    before = sum(waited)
    capture.stop()
    (config,) = phone.configs
    interval_ms = config.builtin_data_sources.snapshot_interval_ms
    assert interval_ms == 1000
    assert sum(waited) - before >= interval_ms / 1000 + 0.25, "a snapshot, and a drain before it"


@pytest.mark.parametrize("row", ["2  141  0  perfetto.traced_probes  Perfetto v56.0", ""])
def test_traced_probes_that_dies_voids(
    phone: Phone, shell_device: AdbDevice, tmp_path: Path, row: str
) -> None:
    capture = marked(shell_device, tmp_path)
    phone.producer = row
    report = assemble(capture.stop(), (), tmp_path / "t")
    assert report.void_reasons == ("traced_probes ended during the recording: its data is incomplete",)


def test_a_service_that_does_not_list_its_producers_is_not_asked_again(
    phone: Phone, shell_device: AdbDevice, tmp_path: Path
) -> None:
    phone.producer = ""
    assert assemble(marked(shell_device, tmp_path).stop(), (), tmp_path / "t").void_reasons == ()


def test_nothing_that_is_sent_is_drawn_by_the_host(adb: AdbServer, tmp_path: Path) -> None:
    service_trace(tmp_path / "trace")
    sent = []
    for run in ("a", "b"):
        with FakeDevice(root=False) as fake:
            phone = Phone(fake, (tmp_path / "trace").read_bytes())
            marked(AdbDevice(adb, adb.connect(fake.serial)), tmp_path / run).stop()
            adb.disconnect(fake.serial)
        sent.append((fake.ran, phone.configs, phone.argvs))
    assert sent[0] == sent[1]
