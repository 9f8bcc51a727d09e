"""The memory eater on a phone whose lmkd kills apps to make room for it: counted, and shown."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.device.adb.adb_server import AdbServer
from tests.fake.campaign.test_campaign_phone_whole import NAMES, Lab
from tests.fake.suite_programs import SuitePrograms
from tests.stand_ins.device.android import SAMSUNG, android_phone
from tests.stand_ins.device.android.apps import Apps
from tests.stand_ins.device.android.controls import Controls
from tests.stand_ins.device.android.tracing import TracingService
from tests.stand_ins.device.tree_shell import Call
from tests.unit.capture.capture_raw import service_trace
from workloads.memory_eater import REPORT

PROFILE = """\
[device]
zram_mb = 2048
zram_algorithm = "lz4"
swappiness = 100
page_cluster = 0

[eater]
mb = 2
content = { random = 1.0 }
rate_mb_s = 0
touches = 0
rewrite_share = 0.0
seed = 1
"""


class Eater:
    """The program ``reclaim-suite-eater``; while it fills memory lmkd kills ``victims``.

    lmkd kills what the activity manager has registered, by its oom_score_adj: apps in the background and
    the launcher. A program of the shell is none of them, whatever its own is (system/memory/lmkd).
    """

    def __init__(self, apps: Apps, victims: tuple[str, ...]) -> None:
        self.apps = apps
        self.victims = victims
        self._asked, self._ended = threading.Event(), threading.Event()
        apps.phone.programs["reclaim-suite-eater"] = self

    def __call__(self, call: Call) -> int:
        if "--go" in call.argv:
            self.apps.swapped += 500
            for pid, victim in enumerate(self.victims, 4242):
                self.apps.phone.state.running[victim] = pid
                self.apps.kill(victim)
        elif "--end" in call.argv:
            self._asked.set()
            self._ended.wait(30)
        else:
            self._asked.clear()
            self._ended.clear()
            while not self._asked.is_set():
                call.process.wait(0.01)
            self.apps.phone.files.put(REPORT, _report())
            self._ended.set()
        return 0


def _report() -> str:
    zeros = dict.fromkeys(("t_boot_ns", "rewritten", "mismatches", "total_ns", "max_ns"), 0)
    phase = zeros | {
        "dur_us": 9,
        "page_bytes": 4096,
        "pages": 512,
        "first_wrong": -1,
        "buckets": [[1, 512]],
    }
    lines: list[dict[str, Any]] = [{"event": "begin", "page_bytes": 4096}]
    lines += [phase | {"event": event} for event in ("fill", "verify")]
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.fixture
def lab(adb: AdbServer, tmp_path: Path) -> Iterator[Lab]:
    service_trace(tmp_path / "trace", [])
    with android_phone(34, "userdebug", SAMSUNG, root=True) as phone:
        programs = SuitePrograms(phone)
        controls = Controls(phone).install()
        TracingService(phone, (tmp_path / "trace").read_bytes())
        apps = Apps(phone, dict.fromkeys(NAMES, ".Main")).install()
        adb.connect(phone.serial)
        yield Lab(adb, phone, controls, apps, programs, tmp_path)
        adb.disconnect(phone.serial)


def test_what_lmkd_kills_for_the_eater_is_a_result(lab: Lab) -> None:
    Eater(lab.apps, ("com.one.a", "com.google.android.apps.nexuslauncher"))
    profile = lab.folder / "eater.toml"
    profile.write_text(PROFILE)
    done = lab.run("--profile", str(profile), tests="android_tests/test_throughput.py")
    assert "Traceback" not in done.stdout + done.stderr
    records = lab.records()
    assert [record["void_reasons"] for record in records] == [[], []], done.stdout
    for record in records:
        # The eater was not killed: it did all its work.
        assert (record["kills"], record["killed"]) == (0, 2)
        assert record["kills_by_reason"] == {"lmkd: low memory and swap": 2}
        assert record["swap_free_kb_at_kills"] == [20480, 20480]
    assert "repetition 0: 2 processes were killed: lmkd: low memory and swap (2)" in done.stdout
    last = (lab.results / "blocks").glob("*/rep-0/workload.jsonl")
    named = {
        kill["process"] for path in last for kill in json.loads(path.read_text().splitlines()[-1])["killed"]
    }
    assert named == {"com.one.a", "com.google.android.apps.nexuslauncher"}
    assert (
        '<th scope="col" class="n">processes killed by the phone</th>'
        in (lab.results / "report.html").read_text()
    )
