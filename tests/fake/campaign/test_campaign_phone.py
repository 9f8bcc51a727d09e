"""`pytest android_tests --device=phone` as a user types it, with fake phones behind a real adb server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from foundation.errors import LabError
from harness.device.adb.adb_server import AdbServer
from tests.stand_ins.device import FakeDevice

ROOT = Path(__file__).parents[3]


@pytest.fixture
def server() -> Iterator[AdbServer]:
    with AdbServer.start() as started:
        yield started


def run(server: AdbServer, results: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            *("-m", "pytest", "android_tests", "-p", "no:cacheprovider", "--device=phone"),
            *("--variant", "a=as-is", "--variant", "b=as-is", "--pairs", "1", "--scenario", "idle"),
            *("--adb-port", str(server.port), "--results", str(results), *more),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def first_failure(results: Path) -> str:
    """What junit.xml says of the first block."""
    case = next(ElementTree.parse(results / "junit.xml").iter("testcase"))
    failure = case.find("failure")
    assert failure is not None
    return failure.get("message", "") + (failure.text or "")


def test_a_serial_that_cannot_be_an_address_is_told_at_once(server: AdbServer, tmp_path: Path) -> None:
    results = tmp_path / "results"
    check(
        run(server, results, "--serial", "127.0.0.1:335411"),
        results,
        "port must be 1 to 65535",
    )


def check(done: subprocess.CompletedProcess[str], results: Path, words: str) -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    assert words in done.stdout
    assert words in first_failure(results)
    assert "Traceback" not in done.stdout + done.stderr
    assert "1 failed" in done.stdout
    assert "broke earlier" in done.stdout, "the later blocks name the first cause"
    assert "nothing was measured" in done.stdout
    assert not (results / "campaign.json").exists(), "a campaign that never began is not resumed"


def test_no_device(server: AdbServer, tmp_path: Path) -> None:
    results = tmp_path / "results"
    check(run(server, results), results, "sees no device")


def test_two_devices_and_no_choice(server: AdbServer, tmp_path: Path) -> None:
    results = tmp_path / "results"
    with FakeDevice() as one, FakeDevice() as two:
        server.connect(one.serial)
        server.connect(two.serial)
        check(run(server, results), results, "2 devices are attached and none was chosen")
        wrong = tmp_path / "wrong"
        check(run(server, wrong, "--serial", "R58M12ABCDE"), wrong, "sees no device R58M12ABCDE")


def test_a_device_that_does_not_trust_this_host(server: AdbServer, tmp_path: Path) -> None:
    results = tmp_path / "results"
    with FakeDevice() as fake:
        fake.faults.authorized = False
        with pytest.raises(LabError):
            server.connect(fake.serial, deadline_s=3)
        check(run(server, results, "--serial", fake.serial), results, "does not trust this host")


def test_a_device_that_cannot_be_pinned_is_left_as_it_was(server: AdbServer, tmp_path: Path) -> None:
    """The fake phone has no app switching profile's packages: the block ends before it measures."""
    results = tmp_path / "results"
    with FakeDevice() as fake:
        server.connect(fake.serial)
        before = fake.files.read("/proc/sys/vm/swappiness")
        done = run(server, results)
        assert done.returncode == 1
        assert "Traceback" not in done.stdout + done.stderr
        assert fake.files.read("/proc/sys/vm/swappiness") == before
        assert not list(results.glob("blocks/*/block.json"))
