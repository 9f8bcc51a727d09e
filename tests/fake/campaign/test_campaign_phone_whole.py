"""A whole campaign on a fake phone, as a user types it: pinned, recorded, judged, put back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.device.adb.adb_server import AdbServer
from harness.device.preconditions.pinned import left_behind
from tests.fake.campaign.unshown import in_both, unshown
from tests.fake.suite_programs import SuitePrograms
from tests.stand_ins.device.android import SAMSUNG, AndroidPhone, android_phone
from tests.stand_ins.device.android.apps import Apps
from tests.stand_ins.device.android.controls import Controls
from tests.stand_ins.device.android.tracing import TracingService
from tests.stand_ins.device.tree_shell import Call
from tests.unit.capture.capture_raw import service_trace
from workloads.launches import launch_script

ROOT = Path(__file__).parents[3]
NAMES = ("com.one.a", "com.two.a", "com.three.a")
PROFILE = """\
[device]
zram_mb = 2048
zram_algorithm = "lz4"
swappiness = 100
page_cluster = 0

[phone]
cpufreq = "fixed"

[workload]
order = "fixed"
rounds = 2
dwell_s = 0.0
gap_s = 0.0
seed = 1
"""


@dataclass
class Lab:
    """One phone with three apps, and what it is made of."""

    server: AdbServer
    phone: AndroidPhone
    controls: Controls
    apps: Apps
    programs: SuitePrograms
    folder: Path

    def run(self, *more: str, tests: str = "android_tests") -> subprocess.CompletedProcess[str]:
        profile = self.folder / "apps.toml"
        listed = "".join(
            f'\n[[apps]]\npackage = "{name}"\naction = "swipe"\nevery_s = 0.01\n' for name in NAMES
        )
        profile.write_text(PROFILE.replace("dwell_s = 0.0", "dwell_s = 0.01") + listed)
        return subprocess.run(
            [
                *(
                    sys.executable,
                    "-m",
                    "pytest",
                    tests,
                    "-p",
                    "no:cacheprovider",
                    "--device=phone",
                ),
                *("--serial", self.phone.serial, "--adb-port", str(self.server.port)),
                *("--variant", "a=as-is", "--variant", "b=as-is", "--pairs", "1", "--reps", "1"),
                *("--scenario", "idle", "--profile", str(profile), "--results", str(self.results), *more),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def records(self) -> list[dict[str, Any]]:
        return [
            json.loads(path.read_text()) for path in sorted(self.results.glob("blocks/*/rep-*/rep.json"))
        ]

    def state(self) -> tuple[object, ...]:
        settings = {space: dict(table) for space, table in self.phone.state.settings.items()}
        zram = self.phone.zram.disksize, self.phone.zram.algorithm
        return settings, zram, self.controls.idle_enabled, self.controls.dexopt_scheduled


@pytest.fixture
def lab(adb: AdbServer, tmp_path: Path) -> Iterator[Lab]:
    service_trace(tmp_path / "trace", ["C|612|kill_one_process|4711\n", "C|612|kill_one_process|0\n"])
    with android_phone(34, "userdebug", SAMSUNG, root=True) as phone:
        programs = SuitePrograms(phone)
        controls = Controls(phone).install()
        TracingService(phone, (tmp_path / "trace").read_bytes())
        apps = Apps(phone, dict.fromkeys(NAMES, ".Main")).install()
        adb.connect(phone.serial)
        yield Lab(adb, phone, controls, apps, programs, tmp_path)
        adb.disconnect(phone.serial)


def test_a_campaign_from_its_first_block_to_its_report(lab: Lab) -> None:
    before = lab.state()
    words = ("--suppress", "battery,rotation", "--scenario", "busy", "--seed", "1")
    shown = lab.run(*words, "--dry-run", "-v").stdout
    assert (lab.phone.ran, lab.phone.files.written) == ([], []), "a dry run touches nothing"
    done = lab.run(*words)
    assert "Traceback" not in done.stdout + done.stderr
    records = lab.records()
    assert [record["void_reasons"] for record in records] == [[], []], done.stdout
    campaign = json.loads((lab.results / "campaign.json").read_text())
    assert campaign["suppressed"] == ["battery", "rotation"]
    for record in records:
        assert record["suppressed"] == ["battery", "rotation"]
        assert record["condition"]["end"]["thermal_status"] == 0
        assert record["trace"]["backend"] == "perfetto"
        assert (record["switches"], record["kills"], record["kept_alive_share"]) == (6, 0, 1.0)
        # Nobody but the trace says it: the log has no kill.
        assert (record["kills_marked"], record["kills_by_reason"]) == (1, {"lmkd: not reported": 1})
        assert record["package_versions"] == dict.fromkeys(NAMES, "42")
    page = (lab.results / "report.html").read_text()
    assert "Neither set nor checked on the phone: battery, rotation" in page
    assert "preconditions suppressed" in page
    assert "cpufreq policy7" in page
    assert lab.state() == before
    assert left_behind(lab.phone.serial) == []
    assert lab.phone.files.listing("/data/misc/perfetto-traces") == []
    assert [one for one in lab.apps.inputs if one.startswith("input swipe")]
    assert unshown(lab.phone, shown) == []
    # What a dry run of half of it would hide.
    without = "\n".join(line for line in shown.splitlines() if "burner" not in line and "am " not in line)
    assert unshown(lab.phone, without) == [
        "/data/local/tmp/reclaim-suite-burner",
        "/data/local/tmp/reclaim-suite-burner --all-cpus &",
        *(f"am force-stop {name}" for name in sorted(NAMES)),
        *sorted(launch_script(name, ".Main") for name in NAMES),
        "rm -f /data/local/tmp/reclaim-suite-burner",
    ]
    sent, planned = in_both(lab.phone, shown)
    assert len(sent) > 50
    assert sent == planned, "in the order sent"


def test_throttling_is_told_loudly_and_the_block_is_void(lab: Lab) -> None:
    limit = "/sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq"
    lab.programs.extra = {"begin": {limit: 1695885}, "sample": {limit: 1200000}, "end": {limit: 1695885}}
    done = lab.run()
    assert "VOID: policy4 was throttled: at times limited to 1200000 of 1695885 kHz" in done.stdout
    blocks = [json.loads(path.read_text()) for path in sorted(lab.results.glob("blocks/*/block.json"))]
    assert [block["outcome"] for block in blocks] == ["void", "void"]
    assert lab.results.joinpath("report.html").exists()


def test_what_is_not_met_ends_it_before_anything_is_measured(lab: Lab) -> None:
    before = lab.state()
    lab.phone.state.battery_percent = 5
    lab.apps.activities.pop("com.one.a")
    done = lab.run()
    assert done.returncode == 1
    assert "a precondition is not met: battery: the battery is at 5 %" in done.stdout
    assert "--suppress battery" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert lab.records() == []
    assert lab.state() == before


def test_a_battery_that_runs_low_costs_its_block_and_not_the_campaign(lab: Lab) -> None:
    start = lab.phone.programs["am"]

    def drains(call: Call) -> int:
        if lab.apps.starts == 14:
            # The last launch of the first block: three cold starts, two cycles of six.
            lab.phone.state.battery_percent, lab.phone.state.plugged = 12, None
        return start(call)

    lab.phone.programs["am"] = drains
    before = lab.state()
    done = lab.run()
    assert "Traceback" not in done.stdout + done.stderr
    assert "broke earlier" not in done.stdout
    blocks = [json.loads(path.read_text()) for path in sorted(lab.results.glob("blocks/*/block.json"))]
    assert [block["outcome"] for block in blocks] == ["valid", "void"], done.stdout
    assert "the battery is at 12 %, but must be at 30 to 100 %" in blocks[1]["void_reasons"][0]
    assert lab.results.joinpath("report.html").exists()
    assert lab.state() == before
