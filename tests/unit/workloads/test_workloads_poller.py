"""The counter poller, held against the host's own /proc."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from harness.native.build import binary

POLLER = str(binary("poller", "x86_64"))


def once(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [POLLER, "--once", "--mark", "begin", *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("\n") == 1
    sample: dict[str, Any] = json.loads(done.stdout)
    return sample


def test_every_vmstat_and_meminfo_key_is_there_between_two_readings_of_ours() -> None:
    def vmstat() -> dict[str, int]:
        lines = Path("/proc/vmstat").read_text().splitlines()
        return {line.split()[0]: int(line.split()[1]) for line in lines}

    before, sample, after = vmstat(), once(), vmstat()
    assert sample["vmstat"].keys() == before.keys()
    for key in ("pgfault", "pswpout", "pgalloc_normal", "pgfree"):
        assert before[key] <= sample["vmstat"][key] <= after[key]
    meminfo = Path("/proc/meminfo").read_text()
    assert sample["meminfo_kb"].keys() == set(re.findall(r"^(\S+):", meminfo, re.M))
    assert sample["mark"] == "begin"
    assert sample["t_boot_ns"] < sample["t_end_boot_ns"] <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def test_stat_holds_the_eight_kinds_of_time_and_more() -> None:
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    sample = once()
    assert len(sample["stat"]["cpu"]) == len(fields)
    assert sample["stat"]["cpu"][3] >= int(fields[3])
    assert sample["softirq_total"] > 0


def test_threads_are_found_by_name_with_their_schedstat() -> None:
    child = subprocess.Popen(["sleep", "30"])
    try:
        time.sleep(0.2)
        threads = {thread["tid"]: thread for thread in once("--match", "^sleep$")["threads"]}
        assert child.pid in threads
        thread = threads[child.pid]
        run_ns, wait_ns, slices = Path(f"/proc/{child.pid}/schedstat").read_text().split()
        assert (thread["run_ns"], thread["slices"]) == (int(run_ns), int(slices))
        assert thread["wait_ns"] == int(wait_ns)
        assert (thread["comm"], thread["state"]) == ("sleep", "S")
        assert thread["nvcsw"] >= 1
    finally:
        child.kill()
        child.wait()


def test_a_thread_that_appears_later_is_found_in_a_running_poller(tmp_path: Path) -> None:
    out = tmp_path / "samples.jsonl"
    poller = subprocess.Popen([POLLER, "--period-ms", "20", "--out", str(out), "--match", "^sleep$"])
    try:
        while not out.exists() or out.read_text().count("\n") < 3:
            assert poller.poll() is None
            time.sleep(0.02)
        child = subprocess.Popen(["sleep", "30"])
        limit = time.monotonic() + 20
        while not any(
            child.pid in [thread["tid"] for thread in json.loads(line)["threads"]]
            for line in out.read_text().splitlines()
        ):
            assert time.monotonic() < limit
            time.sleep(0.05)
        child.kill()
        child.wait()
    finally:
        poller.send_signal(signal.SIGTERM)
        assert poller.wait(timeout=10) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    stamps = [line["t_boot_ns"] for line in lines]
    assert stamps == sorted(stamps)
    assert {line["mark"] for line in lines} == {"sample"}


def test_a_file_without_a_number_is_null_and_named_never_zero(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("42\n")
    (tmp_path / "words").write_text("none\n")
    paths = [str(tmp_path / name) for name in ("count", "words", "absent")]
    sample = once(*[word for path in paths for word in ("--file", path)])
    assert sample["extra"] == {paths[0]: 42, paths[1]: None, paths[2]: None}
    assert set(paths[1:]) <= set(sample["missing"])


def test_a_source_that_the_kernel_lacks_is_null_and_named() -> None:
    sample = once()
    for key in ("psi", "zram"):
        assert (sample[key] is None) == (key in sample["missing"])
    assert ("psi" in sample["missing"]) != Path("/proc/pressure/memory").exists()


@pytest.mark.parametrize(
    "arguments",
    [[], ["--once"], ["--period-ms", "1", "--out", "/x"], ["--match", "("], ["--what", "1"], ["--out"]],
)
def test_a_wrong_call_is_one_line(arguments: list[str]) -> None:
    done = subprocess.run([POLLER, *arguments], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("poller: ")
    assert done.stderr.count("\n") == 1


def test_the_burner_keeps_every_cpu_busy_until_its_parent_ends() -> None:
    burner = str(binary("burner", "x86_64"))
    parent = subprocess.Popen(
        ["sh", "-c", f"{burner} --all-cpus & echo $!; wait"], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    ready = parent.stdout.readline()
    cpus = os.sched_getaffinity(0)
    assert ready == f"ready {len(cpus)}\n"
    pinned = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        allowed = re.search(r"^Cpus_allowed_list:\s*(\S+)$", (task / "status").read_text(), re.M)
        assert allowed
        if task.name != str(pid):
            pinned.add(allowed.group(1))
    assert pinned == {str(cpu) for cpu in cpus}
    parent.kill()
    parent.wait()
    limit = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split():
        assert time.monotonic() < limit, "the burner outlived its parent"
        time.sleep(0.05)
