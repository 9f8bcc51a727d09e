"""The page loads nothing, is well formed, and agrees with the judgement."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analysis.judging.pipeline import judge
from analysis.report.answers import answers, question
from analysis.report.environment import facts
from analysis.report.page import render, write
from tests.unit.judging.test_pipeline_judge import model
from tests.unit.results_folder import BASELINE, PATCHED, ResultsFolder

VOID_ELEMENTS = {"meta", "br", "link", "img", "input", "hr", "path"}


class Page(HTMLParser):
    """Elements, ids, text outside scripts, and everything that an element would load."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self.errors: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name == "href" and value and value.startswith("#"):
                self.links.append(value[1:])
            elif name in ("src", "href", "srcset", "data", "action", "poster", "background"):
                self.loads.append(f"{tag} {name}={value}")
        if tag not in VOID_ELEMENTS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.errors.append(f"</{tag}> inside {self.open[-3:]}")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.text))


def page_of(folder: ResultsFolder) -> tuple[str, Page]:
    text = write(folder.save()).read_text(encoding="utf-8")
    return text, Page(text)


def checked(page: Page) -> Page:
    assert page.errors == []
    assert page.open == []
    assert page.loads == []
    assert len(page.ids) == len(set(page.ids))
    assert set(page.links) <= set(page.ids)
    return page


@pytest.mark.parametrize("pairs", [0, 1, 8, 16])
def test_pages_of_any_size_are_well_formed_and_load_nothing(tmp_path: Path, pairs: int) -> None:
    folder = ResultsFolder(tmp_path / "r", pairs=max(pairs, 1), scenarios=("idle", "busy"))
    folder.fill(model, until=None if pairs else 0)
    text, page = page_of(folder)
    checked(page)
    assert "default-src 'none'" in text
    head = text[: text.index("<style>")]
    assert "http" not in head.replace("http-equiv", "")
    assert "@import" not in text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in text[text.index("<style>") : text.index("</style>")]


def test_the_library_is_in_the_page_once(tmp_path: Path) -> None:
    text, _ = page_of(ResultsFolder(tmp_path / "r").fill(model))
    assert len(re.findall(r"plotly\.js v\d", text)) == 1


def test_the_question_and_the_answer_come_first(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r", scenarios=("idle", "busy")).fill(model)
    judgement = judge(folder.save())
    assert question(judgement) == "What does patched change against baseline in app switching?"
    idle, busy = answers(judgement)
    assert idle.sentence.startswith("With CPU time to spare (idle), patched improves kswapd CPU time -33")
    assert "; worsens allocation stalls +99" in idle.sentence
    assert "makes no practical difference to reclaim CPU per page" in idle.sentence
    assert (idle.tone, busy.scenario) == ("mixed", "busy")
    _, page = page_of(folder)
    words = checked(page).words
    assert words.index(idle.sentence) < words.index("What was run, on what")
    assert "Emulated." in words
    assert "Unfinished." not in words


def test_an_unfinished_campaign_says_so(tmp_path: Path) -> None:
    _, page = page_of(ResultsFolder(tmp_path / "r").fill(model, until=5))
    words = checked(page).words
    assert "5 of 16 blocks are done" in words
    assert "undecided on kswapd CPU time" in words


def test_a_phone_is_not_called_emulated(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r").fill(model)
    folder.campaign(emulated=False)
    assert "Emulated" not in page_of(folder)[1].words


def test_what_failed_is_above_everything(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r")
    for block in folder.blocks:
        if block.index == 6:
            folder.block(block, [], outcome="kernel_failure", failure="KernelCrash: oops in kcompressd")
        else:
            folder.block(block, [model(block.scenario, block.variant, block.pair, 0)])
    words = checked(page_of(folder)[1]).words
    assert words.index("KERNEL FAILURE") < words.index("undecided on")
    assert "oops in kcompressd" in words
    assert f"blocks/{folder.blocks[6].folder()}/kernel.log" in words


def test_voids_are_listed_with_their_reasons(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r", pairs=10)
    for block in folder.blocks:
        void = block.index == 4
        folder.block(
            block,
            [model(block.scenario, block.variant, block.pair, 0)],
            outcome="void" if void else "valid",
            void_reasons=["repetitions: 0 of 1 valid"] if void else [],
            void_reps={0: ["ftrace lost 77 events"]} if void else {},
        )
    words = checked(page_of(folder)[1]).words
    assert f"{folder.blocks[4].folder()}/rep-0: ftrace lost 77 events" in words
    assert "10 of 10 pairs finished, 1 void" in words
    assert "with voids: " in words


def test_text_of_a_device_is_never_markup(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script><img src=x>'
    folder = ResultsFolder(tmp_path / "r", pairs=2).fill(model)
    folder.campaign(lanes={evil: {evil: evil}}, profile={"name": evil, "toml": evil}, workload=evil)
    folder.block(folder.blocks[0], [], outcome="kernel_failure", failure=evil)
    _, page = page_of(folder)
    checked(page)
    assert page.words.count('alert("x")') >= 4


def test_names_of_variants_may_be_odd(tmp_path: Path) -> None:
    odd = {"name": 'kcompressd 4 "threads" </script> é\'', "kind": "k", "options": {}, "spec": "x"}
    _, page = page_of(ResultsFolder(tmp_path / "r", pairs=2, variants=(BASELINE, odd)).fill(model))
    checked(page)
    assert "</script>" in page.words


def test_several_variants_and_scenarios_each_have_their_section(tmp_path: Path) -> None:
    again = {"name": "again", "kind": "stock", "options": {}, "spec": "again=stock"}
    folder = ResultsFolder(
        tmp_path / "r", scenarios=("idle", "busy"), variants=(BASELINE, PATCHED, again)
    ).fill(model)
    words = checked(page_of(folder)[1]).words
    for scenario in ("idle", "busy"):
        for variant in ("patched", "again"):
            assert f"{scenario}: {variant} against baseline" in words
    assert "A/A. again is the same kernel as baseline" in words
    assert "Noise floor" in words


def test_differences_of_the_environment_are_found(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r", pairs=2).fill(model)
    first = next(block for block in folder.blocks if block.variant == "patched")
    folder.block(
        first,
        [model("idle", "patched", first.pair, 0)],
        pins=[{"name": "vm.swappiness", "before": "60", "set": "100", "after": "60"}],
    )
    found = {fact.name: fact for fact in facts(judge(folder.save()).campaign)}
    assert found["kernel build ids zram"].differs
    assert found["kernel thread names"].values == ("kswapd0", "kswapd0, kcompressd:0")
    assert found["pin vm.swappiness"].unsteady
    assert "read back 60" in found["pin vm.swappiness"].values[1]
    assert not found["kernel release"].differs
    assert not any("boot id" in name for name in found)
    assert "varies between blocks of one variant" in page_of(folder)[1].words


def test_every_verdict_of_the_rows_is_on_the_page(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r").fill(model)
    judgement = judge(folder.save())
    words = Page(render(judgement)).words
    for row in judgement.rows:
        assert row.change_text() in words
        assert row.decision.reason in words
    for block in judgement.campaign.blocks:
        assert block.repetitions[0].trace.sha256[:16] in words
    assert "python -m analysis report r" in words
    assert str(tmp_path) not in render(judgement)
