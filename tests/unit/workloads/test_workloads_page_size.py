"""The native programs on pages of 16 KiB: content, rates and touches, in a build that assumes them."""

from __future__ import annotations

import json
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any, Final

import pytest

from foundation.contract.arch import Arch
from harness.native.build import PROGRAMS, build_c

PAGE: Final = 16384
MIX: Final = "zero:0.05,same:0.10,ratio2.5:0.45,random:0.40"


def program(name: str, arch: Arch = "x86_64") -> list[str]:
    built = build_c(f"{name}-16k", PROGRAMS[name], arch, [f"-DCONTENT_TEST_PAGE_BYTES={PAGE}"])
    return [*(["qemu-aarch64-static"] if arch == "aarch64" else []), str(built)]


def eaten(*options: str, arch: Arch = "x86_64") -> dict[str, dict[str, Any]]:
    argv = [*program("eater", arch), "--mb", "8", "--content", MIX, "--verify", *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    return {line["event"]: line for line in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_an_access_is_one_of_a_real_page(arch: Arch) -> None:
    assert shutil.which("qemu-aarch64-static"), "make setup installs qemu-user-static"
    phases = eaten("--touches", "1000", "--rewrite-share", "0.5", arch=arch)
    assert {phase["page_bytes"] for phase in phases.values()} == {PAGE}
    # 1000 pages of 4 KiB are as many bytes as 250 of 16 KiB.
    assert {event: phase["pages"] for event, phase in phases.items()} == {
        "fill": 512,
        "touch": 250,
        "verify": 512,
    }
    assert [phase["mismatches"] for phase in phases.values()] == [0, 0, 0]


def test_a_rate_is_in_bytes() -> None:
    fill = eaten("--rate-mb-s", "16")["fill"]
    assert 0.25 < fill["dur_us"] / 1e6 < 2, "8 MiB at 16 MiB/s, less the last 4"


def test_the_mix_is_that_of_whole_pages(tmp_path: Path) -> None:
    """Four parts in one page would leave 0.4^4 = 2.6 % of pages that do not compress."""
    pages = contents(tmp_path, MIX)
    ratios = [PAGE / len(zlib.compress(page, 1)) for page in pages]
    random = sum(ratio < 1.1 for ratio in ratios) / len(pages)
    same = sum(page == page[:8] * (PAGE // 8) for page in pages) / len(pages)
    assert random == pytest.approx(0.40, abs=0.06)
    assert same == pytest.approx(0.15, abs=0.05)
    assert sum(page.strip(b"\0") == b"" for page in pages) / len(pages) == pytest.approx(0.05, abs=0.03)


def test_an_app_of_the_same_size_has_fewer_pages_and_the_same_pauses(tmp_path: Path) -> None:
    assert len(contents(tmp_path, "random:1", pace="pace_pages=256\npace_ms=50")) == 1024
    start = json.loads((tmp_path / "log").read_text().splitlines()[0])
    # 16 MiB, a pause after each MiB.
    assert 16 * 50_000 <= start["dur_us"] < 16 * 50_000 + 1_500_000


def contents(folder: Path, mix: str, pace: str = "pace_pages=0\npace_ms=0") -> list[bytes]:
    """The pages of an app of 16 MiB that has filled its memory."""
    ini = folder / "app.ini"
    ini.write_text(
        f"anon_kb={16 * 1024}\nhot_share=0.6\ncold_share=0.1\nrewrite_share=0\n"
        f"content={mix}\nseed=7\n{pace}\n"
    )
    app = subprocess.Popen(
        [*program("app"), "a.b", str(ini), str(folder / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert app.stdout is not None
        drawn = app.stdout.readline().split()
        assert app.stdout.readline() == "idle\n"
        for line in Path(f"/proc/{app.pid}/maps").read_text().splitlines():
            begin, end = (int(part, 16) for part in line.split()[0].split("-"))
            if end - begin >= 16 * 2**20 and "rw-p" in line:
                break
        with Path(f"/proc/{app.pid}/mem").open("rb", buffering=0) as memory:
            memory.seek(begin)
            return [memory.read(PAGE) for _ in range(int(drawn[1]))]
    finally:
        app.kill()
        app.communicate()
