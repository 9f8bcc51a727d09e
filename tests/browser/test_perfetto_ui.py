"""Perfetto's own UI with the traces of a pair: loaded, pinned, at the right moment, without other hosts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Frame, Page, expect

from tests.browser.conftest import Traffic
from tests.unit.golden.builder import MS, TraceBuilder
from tests.unit.golden.reading import of_suite, write

_ROOT = Path(__file__).parents[2]
_READY_MS = 90_000


def _trace(folder: Path, name: str, compresses: bool, shift: int) -> Path:
    builder: TraceBuilder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.kswapd_awake(50, 1300 * MS, 1320 * MS)
    builder.direct_reclaim(70, 1315 * MS, (1330 + shift) * MS)
    if compresses:
        builder.thread(60, "kcompressd:0")
        builder.run(60, 1312 * MS, 1313 * MS, cpu=1)
        builder.offer(50, 1301 * MS, 1)
        builder.done(60, 1312 * MS, wait=10 * MS, compress=1 * MS)
    for index, begin in enumerate((1210, 1500)):
        builder.switch(
            "com.example.app",
            (begin + shift) * MS,
            (begin + shift + 100) * MS,
            index=index,
            launch_state="HOT",
            total_time_ms=50.0 + 40 * index,
        )
    builder.capture()
    return write(folder, builder.build(), f"{name}.perfetto-trace")


@pytest.fixture
def address(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    traces = [_trace(tmp_path, "a", False, 0), _trace(tmp_path, "b", True, 30)]
    words = [
        sys.executable,
        "-m",
        "analysis",
        "open",
        *map(str, traces),
        "--slowest",
        "switch",
        "--no-browser",
    ]
    with subprocess.Popen(words, cwd=_ROOT, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip().rpartition(": ")[2], process
        finally:
            process.kill()


def _pinned(frame: Frame) -> list[str]:
    found = frame.evaluate("app.trace.workspace.pinnedTracks.map((track) => track.name)")
    assert isinstance(found, list)
    return found


def _span_ms(frame: Frame) -> tuple[float, float]:
    found = frame.evaluate(
        "(() => { const span = app.trace.timeline.visibleWindow.toTimeSpan();"
        " return [Number(span.start) / 1e6, Number(span.end) / 1e6]; })()"
    )
    return found[0], found[1]


def test_a_pair_is_shown_at_the_same_switch(
    page: Page, traffic: Traffic, address: tuple[str, subprocess.Popen[str]]
) -> None:
    url, process = address
    page.goto(url)
    expect(page.locator("#state")).to_have_text("", timeout=_READY_MS)
    expect(page.locator("iframe")).to_have_count(2)
    expect(page.locator("button[aria-pressed=true]")).to_have_text("slowest switch")
    expect(page.locator("section p").nth(1)).to_contain_text("#1 com.example.app HOT 90 ms")
    baseline, patched = page.frames[1:]
    for frame in (baseline, patched):
        expect(frame.get_by_text("switch windows").first).to_be_visible(timeout=_READY_MS)
    assert _pinned(baseline) == ["kswapd0 50", "switch windows", "reclaim phases", "direct reclaims"]
    assert _pinned(patched)[:2] == ["kswapd0 50", "kcompressd:0 60"]
    assert _pinned(patched)[-1] == "pages waiting to be compressed"
    # Each UI looks at its own trace's switch 1.
    assert _span_ms(baseline) == pytest.approx((1470, 1630), abs=1)
    assert _span_ms(patched) == pytest.approx((1500, 1660), abs=1)

    page.click("button[data-moment=repetition]")
    page.wait_for_timeout(1000)
    assert _span_ms(patched) == pytest.approx((1200, 1800), abs=60)

    # The package is known to the UI's own engine.
    rows = patched.evaluate(
        "app.trace.engine.query('INCLUDE PERFETTO MODULE reclaim.queue; SELECT * FROM reclaim_queue_page')"
        ".then((result) => result.numRows())"
    )
    assert rows == 1

    assert traffic.left == []
    assert all("is_internal_user" in one for one in traffic.stopped)

    page.goto("about:blank")
    assert process.wait(60) == 0
