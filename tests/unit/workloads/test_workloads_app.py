"""The synthetic app as a real process: what it touches, and that a wrong page is found."""

from __future__ import annotations

import json
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foundation.contract.arch import Arch
from harness.native.build import binary

PAGE = 4096
INI = """\
anon_kb=4096
hot_share=0.6
cold_share=0.1
rewrite_share=0.3
content={content}
seed=7
pace_pages=0
pace_ms=0
"""
MIXED = "zero:0.05,same:0.10,ratio2.5:0.45,random:0.40"


class RunningApp:
    def __init__(self, folder: Path, content: str = MIXED, arch: Arch = "x86_64") -> None:
        self.log = folder / "app.log"
        ini = folder / "app.ini"
        ini.write_text(INI.format(content=content))
        prefix = ["qemu-aarch64-static"] if arch == "aarch64" else []
        self.process = subprocess.Popen(
            [*prefix, str(binary("app", arch)), "com.example.long.package", str(ini), str(self.log)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def order(self, text: str) -> list[str]:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return [self.line(), self.line()]

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def close(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(timeout=10)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[RunningApp]:
    running = RunningApp(tmp_path)
    yield running
    running.process.kill()
    running.process.wait()


def memory_of(pid: int) -> tuple[int, int]:
    """Begin and size of the app's memory: its only mapping of 4 MiB."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        begin, end = (int(part, 16) for part in line.split()[0].split("-"))
        if end - begin >= 4096 * 1024 and "rw-p" in line:
            return begin, end - begin
    raise AssertionError("the app has no memory")


def test_a_cold_start_fills_all_and_switches_touch_the_same_pages_each_time(app: RunningApp) -> None:
    assert app.line().startswith("drawn 1024 ")
    assert app.line() == "idle"
    drawn = [app.order("resume")[0].split()[1] for _ in range(3)]
    assert len(set(drawn)) == 1
    assert abs(int(drawn[0]) - 0.6 * 1024) < 60
    resumed = [event for event in app.events() if event["event"] == "resume"]
    idle = [event for event in app.events() if event["event"] == "idle"][1:]
    assert [event["pages_touched"] for event in idle] == [102, 102, 102]
    share = sum(event["pages_rewritten"] for event in resumed) / sum(e["pages_touched"] for e in resumed)
    assert abs(share - 0.3) < 0.06
    assert sum(event["mismatches"] for event in app.events()) == 0
    assert app.close() == 0


def test_its_comm_is_the_end_of_the_package(app: RunningApp) -> None:
    app.line()
    assert Path(f"/proc/{app.process.pid}/comm").read_text().strip() == "com.example.long.package"[-15:]


def test_two_runs_do_the_same_work(tmp_path: Path) -> None:
    logs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        running = RunningApp(tmp_path / name)
        running.line()
        running.line()
        for _ in range(2):
            running.order("resume")
        running.close()
        keys = ("event", "pages_touched", "pages_rewritten")
        logs.append([tuple(event[key] for key in keys) for event in running.events()])
    assert logs[0] == logs[1]


def test_one_changed_bit_is_found(app: RunningApp) -> None:
    app.line()
    app.line()
    begin, size = memory_of(app.process.pid)
    with Path(f"/proc/{app.process.pid}/mem").open("r+b", buffering=0) as memory:
        for page in range(0, size // PAGE, 16):
            memory.seek(begin + page * PAGE + 1234)
            byte = memory.read(1)
            memory.seek(begin + page * PAGE + 1234)
            memory.write(bytes([byte[0] ^ 0x10]))
    app.order("resume")
    wrong = [event for event in app.events() if event["event"] == "mismatch"]
    assert wrong, "a flipped bit in every 16th page went unseen"
    assert all(event["page"] % 16 == 0 for event in wrong)


def test_a_page_in_the_place_of_another_is_found(tmp_path: Path) -> None:
    running = RunningApp(tmp_path, content="same:0.5,random:0.5")
    try:
        running.line()
        running.line()
        begin, _ = memory_of(running.process.pid)
        with Path(f"/proc/{running.process.pid}/mem").open("r+b", buffering=0) as memory:
            for page in range(0, 1024, 2):
                memory.seek(begin + page * PAGE)
                first, second = memory.read(PAGE), memory.read(PAGE)
                memory.seek(begin + page * PAGE)
                memory.write(second + first)
        drawn = int(running.order("resume")[0].split()[1])
        wrong = [event for event in running.events() if event["event"] == "mismatch"]
        assert len(wrong) >= drawn
    finally:
        running.process.kill()
        running.process.wait()


@pytest.mark.parametrize(
    ("content", "least", "most"),
    [
        ("zero:1", 90, 10**6),
        ("same:1", 50, 10**6),
        ("ratio4:1", 3.0, 4.4),
        ("ratio2.5:1", 2.1, 2.8),
        ("random:1", 0.9, 1.05),
    ],
)
def test_content_compresses_as_its_name_says(
    tmp_path: Path, content: str, least: float, most: float
) -> None:
    running = RunningApp(tmp_path, content=content)
    try:
        running.line()
        running.line()
        begin, _ = memory_of(running.process.pid)
        with Path(f"/proc/{running.process.pid}/mem").open("rb", buffering=0) as memory:
            memory.seek(begin)
            pages = [memory.read(PAGE) for _ in range(200)]
        ratio = PAGE * len(pages) / sum(len(zlib.compress(page, 1)) for page in pages)
        assert least <= ratio <= most
        if content == "same:1":
            assert all(page == page[:8] * (PAGE // 8) for page in pages)
            assert len(set(pages)) == len(pages)
    finally:
        running.process.kill()
        running.process.wait()


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("anon_kb=4096\ncontent=zero:0.5", "sum to 1"),
        ("anon_kb=4096\ncontent=zero:1\nhot=1", "unknown key"),
        ("anon_kb=x\ncontent=zero:1", "not a size"),
        ("anon_kb=4096\ncontent=zero:1\nhot_share=2", "not a share"),
        ("content=zero:1", "anon_kb and content"),
        ("anon_kb=4096\ncontent=zeros:1", "unknown content kind"),
    ],
)
def test_a_bad_descriptor_is_refused_with_its_line(tmp_path: Path, broken: str, words: str) -> None:
    ini = tmp_path / "app.ini"
    ini.write_text(broken + "\n")
    done = subprocess.run(
        [str(binary("app", "x86_64")), "a.b", str(ini), str(tmp_path / "log")],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert str(ini) in done.stderr


def test_the_phone_build_does_the_same_work_as_the_virtual_one(tmp_path: Path) -> None:
    assert shutil.which("qemu-aarch64-static"), "make setup installs qemu-user-static"
    work = []
    arches: tuple[Arch, ...] = ("x86_64", "aarch64")
    for arch in arches:
        (tmp_path / arch).mkdir()
        running = RunningApp(tmp_path / arch, arch=arch)
        running.line()
        running.line()
        running.order("resume")
        running.close()
        work.append([(e["event"], e["pages_touched"], e["pages_rewritten"]) for e in running.events()])
    assert work[0] == work[1]


def test_libc_is_not_needed_on_the_device() -> None:
    arches: tuple[Arch, ...] = ("x86_64", "aarch64")
    for arch in arches:
        content = binary("app", arch).read_bytes()
        assert content[:4] == b"\x7fELF"
        assert b"/lib64/ld-linux" not in content
        assert b"/lib/ld-linux-aarch64" not in content
