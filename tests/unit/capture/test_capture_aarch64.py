"""The programs of a recording, built for a phone's processor and run by qemu-user."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from harness.capture import poller
from harness.capture.ftrace.ftrace_session import drain_argv
from harness.capture.samples import parse_sample, read_samples
from harness.native.build import binary

PAGE = 4096


def qemu() -> str:
    found = shutil.which("qemu-aarch64-static")
    assert found is not None, "make setup installs qemu-user-static"
    return found


def run(argv: list[str]) -> str:
    done = subprocess.run([qemu(), *argv], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_recorder_tells_facts_and_copies_whole_pages(tmp_path: Path) -> None:
    recorder = str(binary("recorder", "aarch64"))
    facts = json.loads(run([recorder, "facts"]))
    assert facts["machine"] == "aarch64"
    assert 0 < facts["boot_ns"] <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert facts["cpus"] == os.cpu_count()
    content = os.urandom(3 * PAGE)
    # As the kernel's pipe: whole pages, and EAGAIN when there is nothing more.
    pipe, out = tmp_path / "pipe", tmp_path / "out"
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR)
    try:
        os.write(held, content)
        told = json.loads(run(drain_argv(recorder, str(PAGE), str(out), str(pipe))))
    finally:
        os.close(held)
    assert told == {"bytes": len(content), "empty": True}
    assert out.read_bytes() == content


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
