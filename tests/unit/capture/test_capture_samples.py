"""The poller's lines, and what Perfetto is told of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.contract import conventions
from foundation.errors import DeviceError
from harness.capture.samples import parse_sample, read_samples
from harness.capture.threads_found import parse_status

LINE: dict[str, Any] = {
    "t_boot_ns": 100,
    "t_end_boot_ns": 130,
    "mark": "begin",
    "vmstat": {"pswpout": 7, "allocstall_normal": 0},
    "meminfo_kb": {"MemFree": 5, "Active(anon)": 6},
    "psi": {"memory": {"some": {"avg10": 0.5, "total_us": 9}, "full": None}, "io": None},
    "zram": {"zram0": {"mm_stat": [1, 2, 3, 4, 5, 6, 7, 8], "io_stat": [0, 1, 2, 3], "disksize": 4}},
    "threads": [{"tid": 42, "comm": "kswapd0:0", "run_ns": 11, "wait_ns": None, "slices": 3}],
    "stat": {"cpu": [1, 2, 3, 4, 5, 6, 7, 8], "ctxt": 9},
    "softirq_total": 3,
    "extra": {"/sys/kernel/zram_kcompressd/done": 12},
    "missing": ["softirq"],
}


def test_every_number_has_its_name() -> None:
    sample = parse_sample(json.dumps(LINE))
    assert (sample.t_boot_ns, sample.t_end_boot_ns, sample.mark) == (100, 130, "begin")
    assert sample.threads == {42: "kswapd0:0"}
    assert sample.missing == ("softirq",)
    names = {
        "vmstat.pswpout": 7,
        "vmstat.allocstall_normal": 0,
        "meminfo.MemFree_kb": 5,
        "meminfo.Active(anon)_kb": 6,
        "psi.memory.some_total_us": 9,
        "psi.memory.some_avg10": 0.5,
        "schedstat.kswapd0:0-42.run_ns": 11,
        "schedstat.kswapd0:0-42.slices": 3,
        "extra./sys/kernel/zram_kcompressd/done": 12,
    }
    names |= {f"zram0.mm_stat.{field}": i + 1 for i, field in enumerate(conventions.ZRAM_MM_STAT[:8])}
    names |= {f"zram0.io_stat.{field}": i for i, field in enumerate(conventions.ZRAM_IO_STAT)}
    names |= {f"stat.{field}_ticks": i + 1 for i, field in enumerate(conventions.STAT_CPU)}
    assert dict(sample.values) == names


@pytest.mark.parametrize("source", ["psi", "zram", "vmstat", "meminfo_kb", "stat", "threads", "extra"])
def test_a_source_that_is_missing_leaves_no_number(source: str) -> None:
    sample = parse_sample(json.dumps(LINE | {source: None, "missing": [source]}))
    prefix = {"meminfo_kb": "meminfo", "threads": "schedstat", "zram": "zram0"}.get(source, source)
    assert not [name for name in sample.values if name.startswith(prefix + ".")]


@pytest.mark.parametrize("line", ["", "{", "[]", "{}", json.dumps(LINE | {"mark": "x"}), '"text"'])
def test_a_line_that_is_no_sample(line: str) -> None:
    with pytest.raises(DeviceError, match="invalid sample"):
        parse_sample(line, device="serial-1")


def test_the_line_that_was_being_written_is_left_out(tmp_path: Path) -> None:
    whole = json.dumps(LINE)
    path = tmp_path / "samples.jsonl"
    path.write_text(f"{whole}\n{whole}\n{whole[:50]}")
    assert len(read_samples(path)) == 2
    path.write_text(f"{whole}\n{whole[:50]}\n{whole}\n")
    with pytest.raises(DeviceError):
        read_samples(path)


@given(
    st.text(min_size=1, max_size=15).filter(lambda comm: "\n" not in comm),
    st.integers(1, 1 << 22),
    st.sampled_from(["run_ns", "wait_ns", "slices"]),
)
def test_schedstat_names_read_back(comm: str, tid: int, field: str) -> None:
    assert conventions.parse_schedstat(conventions.schedstat(comm, tid, field)) == (comm, tid, field)


@pytest.mark.parametrize(
    "name", ["vmstat.pswpout", "schedstat.kswapd0.run_ns", "schedstat.kswapd0-42.x", ""]
)
def test_other_names_are_no_schedstat(name: str) -> None:
    assert conventions.parse_schedstat(name) is None


STATUS = """\
Name:\tkswapd0
Tgid:\t42
Pid:\t42
PPid:\t2
Uid:\t0\t0\t0\t0
Name:\tgone
Tgid:\t50
Name:\tRender: Thread
Tgid:\t700
Pid:\t701
PPid:\t1
Uid:\t10001\t10001\t10001\t10001
"""


def test_threads_of_proc() -> None:
    kswapd, render = parse_status(STATUS)
    assert (kswapd.tid, kswapd.tgid, kswapd.comm, kswapd.is_kernel) == (42, 42, "kswapd0", True)
    assert (render.tid, render.tgid, render.comm, render.uid) == (701, 700, "Render: Thread", 10001)
    assert not render.is_kernel
    assert parse_status("") == []
