"""The programs of a recording, built for a phone's processor and run by qemu-user."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

from harness.capture import poller
from harness.capture.samples import parse_sample, read_samples
from harness.native.build import binary


def qemu() -> str:
    found = shutil.which("qemu-aarch64-static")
    assert found is not None, "make setup installs qemu-user-static"
    return found


def run(argv: list[str]) -> str:
    done = subprocess.run([qemu(), *argv], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_cost_of_a_probe_is_measured_on_two_calls() -> None:
    cost = json.loads(run([str(binary("probe-cost", "aarch64")), "--calls", "20"]))
    assert set(cost) == {"plain_ns", "probed_ns"}
    assert min(cost.values()) > 0


def test_the_poller_samples_once_and_until_it_is_ended(tmp_path: Path) -> None:
    program, number = str(binary("poller", "aarch64")), tmp_path / "number"
    number.write_text("42\n")
    sample = parse_sample(run(poller.once_argv(program, "begin", [str(number)])))
    assert sample.mark == "begin"
    assert sample.t_end_boot_ns > sample.t_boot_ns > 0
    assert [value for name, value in sample.values.items() if name.endswith("/number")] == [42]
    pgfault = [value for name, value in sample.values.items() if name.endswith("pgfault")]
    assert pgfault
    assert min(pgfault) > 0
    out = tmp_path / "samples.jsonl"
    out.touch()
    running = subprocess.Popen(
        [qemu(), *poller.run_argv(program, 20, str(out), [str(number)])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        while out.read_text().count("\n") < 2:
            assert running.poll() is None
    finally:
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
    first, second, *_ = read_samples(out)
    assert second.t_boot_ns > first.t_end_boot_ns
