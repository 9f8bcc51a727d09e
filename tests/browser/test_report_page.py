"""The report in a browser: no errors or requests, usable by keyboard and screen reader, printable."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser, Page

from analysis.metrics import all_metrics
from analysis.report.page import write
from tests.unit.details import detail
from tests.unit.judging.test_pipeline_judge import model
from tests.unit.results_folder import BASELINE, PATCHED, ResultsFolder

AGAIN = {"name": "again", "kind": "stock", "options": {}, "spec": "again=stock"}
KINDS = ("empty", "one-pair", "many-metrics", "sixteen-devices")
#: Figures within a screen of the top; a page that draws more draws what is not visible.
_NEAR_THE_TOP = 8
#: Drawing two frames has taken longer than the default 30 s on a busy machine without a GPU.
_WAIT_MS = 180_000


def everything(scenario: str, variant: str, pair: int, rep: int) -> Mapping[str, float | None]:
    """A value for every metric; some can be 0."""
    own = model(scenario, variant, pair, rep)
    wobble = (pair * 5 + rep + len(variant)) % 7
    more = {name: float(100 + 10 * wobble + len(name)) for name in all_metrics()}
    return {**more, "kills": float(wobble % 3), "oom_kill": 0.0, **own}


def _empty(root: Path) -> ResultsFolder:
    folder = ResultsFolder(root, pairs=2)
    for block in folder.blocks:
        values = [model(block.scenario, block.variant, block.pair, 0)]
        folder.block(
            block, values, outcome="void", void_reasons=["the host was busy"], void_reps={0: ["busy"]}
        )
    return folder


def _many(root: Path) -> ResultsFolder:
    variants = (BASELINE, PATCHED, AGAIN)
    scenarios = ("idle", "busy")
    folder = ResultsFolder(root, scenarios=scenarios, variants=variants, metrics=tuple(all_metrics()))
    folder.detail = detail
    return folder.fill(everything)


def _devices(root: Path) -> ResultsFolder:
    lanes = tuple(f"device-{number:02}" for number in range(16))
    return ResultsFolder(root, pairs=16, scenarios=("idle", "busy"), lanes=lanes, detail=detail).fill(model)


MAKERS: Mapping[str, Callable[[Path], ResultsFolder]] = {
    "empty": _empty,
    "one-pair": lambda root: ResultsFolder(root, pairs=1, scenarios=("idle", "busy")).fill(model),
    "many-metrics": _many,
    "sixteen-devices": _devices,
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    root = tmp_path_factory.mktemp("pages")
    return {kind: write(make(root / kind).save()) for kind, make in MAKERS.items()}


@contextmanager
def opened(browser: Browser, path: Path, **context: Any) -> Iterator[Page]:
    """The page; at the end nothing was logged, and only the file itself was requested."""
    wrong: list[str] = []
    asked: list[str] = []
    made = browser.new_context(**{"viewport": {"width": 1200, "height": 1000}, **context})
    page = made.new_page()
    page.set_default_timeout(_WAIT_MS)
    page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"{error}"))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    try:
        yield page
        assert wrong == []
        assert [url for url in asked if not url.startswith(("blob:", "data:"))] == [path.as_uri()]
    finally:
        made.close()


def faults(page: Page) -> list[str]:
    """Faults that axe-core rates serious or critical."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{fault['id']}: {fault['nodes'][0]['html'][:200]}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


def drawn(page: Page) -> int:
    return page.locator(".canvas[data-drawn] .main-svg").locator("xpath=..").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_logged_asked_for_or_in_the_way(
    browser: Browser, pages: Mapping[str, Path], kind: str, scheme: str
) -> None:
    with opened(browser, pages[kind], color_scheme=scheme) as page:
        if kind in ("empty", "one-pair"):
            page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        for figure in page.locator("figure.plot:visible").all()[:_NEAR_THE_TOP]:
            figure.scroll_into_view_if_needed()
            figure.locator(".main-svg").first.wait_for(state="attached")
        assert faults(page) == []
        assert page.locator("figure.plot:visible").count() > 0 or kind == "empty"


def test_only_what_is_seen_is_drawn(browser: Browser, pages: Mapping[str, Path]) -> None:
    with opened(browser, pages["many-metrics"]) as page:
        page.wait_for_selector(".main-svg")
        assert page.locator("figure.plot").count() > 4 * len(all_metrics())
        assert page.locator(".canvas[data-drawn]").count() <= _NEAR_THE_TOP
        closed = page.locator("details.pictures").first
        assert closed.locator(".main-svg").count() == 0
        closed.locator("summary").click()
        closed.locator(".main-svg").first.wait_for(state="attached")


def test_the_data_of_a_figure_is_saved_as_csv(browser: Browser, pages: Mapping[str, Path]) -> None:
    with opened(browser, pages["sixteen-devices"]) as page:
        figure = page.locator("#comparison-1-pairs-kswapd_cpu_ms")
        with page.expect_download() as saved:
            figure.get_by_role("button", name="CSV").click()
        assert saved.value.suggested_filename == "comparison-1-pairs-kswapd_cpu_ms.csv"
        rows = list(csv.DictReader(saved.value.path().read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 16
    assert {row["unit"] for row in rows} == {"ms"}
    first = model("idle", "baseline", int(rows[0]["pair"]), 0)["kswapd_cpu_ms"]
    assert float(rows[0]["baseline_value"]) == pytest.approx(first, rel=1e-5)


def test_a_page_is_small_enough_to_mail(pages: Mapping[str, Path]) -> None:
    sizes = {kind: path.stat().st_size for kind, path in pages.items()}
    assert sizes["sixteen-devices"] < 6e6
    assert max(sizes.values()) < 9e6
    assert pages["one-pair"].stat().st_size < 5.2e6


def test_the_pointer_reads_all_timelines_at_once(browser: Browser, pages: Mapping[str, Path]) -> None:
    with opened(browser, pages["sixteen-devices"]) as page:
        figure = page.locator("#comparison-1-course")
        figure.scroll_into_view_if_needed()
        figure.locator(".main-svg").first.wait_for(state="attached")
        figure.locator(".nsewdrag").nth(2).hover()
        said = figure.locator(".hoverlayer")
        said.locator("text").first.wait_for(state="attached")
        for lane in ("kswapd on a CPU", "free memory", "stalled in direct reclaim"):
            assert lane in str(said.text_content())


def test_a_figure_that_is_missing_says_why(pages: Mapping[str, Path]) -> None:
    text = {kind: path.read_text(encoding="utf-8") for kind, path in pages.items()}
    assert "move metrics.parquet away and judge it again" in text["one-pair"]
    assert 'id="comparison-1-course"' not in text["one-pair"]
    assert "No pair of this comparison is valid" in text["empty"]
    assert "Not drawn: Warm app switch. None occurred in any valid repetition." in text["many-metrics"]


@pytest.mark.parametrize(
    "name",
    [
        "comparison-1-effects-ratios",
        "comparison-1-pairs-allocstall",
        "comparison-1-latency-direct_reclaim_ms",
        "cpu-split",
        "comparison-1-course",
    ],
)
def test_a_figure_is_saved_as_a_picture(browser: Browser, pages: Mapping[str, Path], name: str) -> None:
    with opened(browser, pages["many-metrics"], color_scheme="dark") as page:
        with page.expect_download() as saved:
            page.locator(f"#{name}").get_by_role("button", name="SVG").click()
        assert saved.value.suggested_filename == f"{name}.svg"
        root = ElementTree.fromstring(saved.value.path().read_text(encoding="utf-8"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = "".join(root.itertext())
    assert "baseline" in texts or "no change" in texts


def test_the_keyboard_reaches_the_figures_and_their_numbers(
    browser: Browser, pages: Mapping[str, Path]
) -> None:
    with opened(browser, pages["one-pair"]) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the figures"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert "Show the numbers as a table" in page.evaluate("document.activeElement.ariaLabel")
        page.keyboard.press("Enter")
        table = page.locator("figure.plot").first.locator("table")
        assert table.locator("caption").inner_text().startswith("Relative change")
        assert table.locator("tbody tr").count() == 4
        assert page.evaluate("document.activeElement.ariaExpanded") == "true"
        page.keyboard.press("Enter")
        assert table.count() == 0


def test_every_figure_has_a_name_and_says_what_it_shows(
    browser: Browser, pages: Mapping[str, Path]
) -> None:
    with opened(browser, pages["sixteen-devices"]) as page:
        labels = page.locator(".canvas").evaluate_all("all => all.map(one => one.ariaLabel)")
        assert len(labels) == len(set(labels))
        wanted = (
            "kswapd_cpu_ms [ms]. idle: of 16 valid pairs, patched is below baseline in 16 and above in 0"
        )
        assert any(label.startswith(wanted) for label in labels)


def test_a_narrow_screen_scrolls_in_one_direction(browser: Browser, pages: Mapping[str, Path]) -> None:
    for kind in ("one-pair", "many-metrics"):
        with opened(browser, pages[kind], viewport={"width": 400, "height": 800}) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_paper_shows_every_open_figure_within_its_edges(
    browser: Browser, pages: Mapping[str, Path]
) -> None:
    with opened(browser, pages["one-pair"], color_scheme="dark") as page:
        assert page.pdf(format="A4").startswith(b"%PDF")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        shown = page.locator("figure.plot:visible")
        assert shown.count() > 0
        widths = shown.locator(".main-svg").evaluate_all("all => all.map(one => one.clientWidth)")
        assert 0 < max(widths) <= 690
        assert page.locator("details:not([open]):not(.pictures)").count() == 0
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert page.locator("details[open]").count() <= 1
