"""A folder judged: pairs, voids, kernel failures, reuse, and the same bytes twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from analysis.judging.pipeline import judge
from analysis.judging.records import judgement_content, verdicts_content
from analysis.report.page import write
from analysis.stats.verdict import Word
from analysis.trace_processor import EngineChoice
from foundation.errors import ResultsError, UsageError
from tests.unit.golden.builder import MS
from tests.unit.golden.reading import of_suite
from tests.unit.results_folder import BASELINE, PATCHED, ResultsFolder


def model(scenario: str, variant: str, pair: int, rep: int) -> Mapping[str, float | None]:
    """kswapd a third down, CPU per page the same, stalls doubled; 1 % of wobble."""
    wobble = 1.0 + 0.01 * ((pair * 7 + rep * 3 + len(variant)) % 5 - 2) / 2
    patched = variant == "patched"
    return {
        "kswapd_cpu_ms": 3000.0 * wobble * (0.67 if patched else 1.0),
        "reclaim_cpu_us_per_page": 70.0 * wobble,
        "allocstall": 50.0 * wobble * (2.0 if patched else 1.0),
        "compression_cpu_ms": 1100.0 * wobble if patched else 0.0,
        "pswpout": 44000.0,
    }


def words(folder: ResultsFolder) -> dict[str, Word]:
    return {row.metric: row.verdict for row in judge(folder.save()).rows}


def test_each_metric_gets_its_word(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r").fill(model)
    assert words(folder) == {
        "kswapd_cpu_ms": "IMPROVED",
        "reclaim_cpu_us_per_page": "SAME",
        "allocstall": "REGRESSED",
        "compression_cpu_ms": "CHANGED",
        "pswpout": "SAME",
    }


def test_numbers_of_a_row(tmp_path: Path) -> None:
    row = judge(ResultsFolder(tmp_path / "r").fill(model).save()).row("idle", "kswapd_cpu_ms", "patched")
    assert row.compared is not None
    change = row.compared.effect.change
    assert change.scale == "ratio"
    assert change.value == pytest.approx(0.67, rel=0.02)
    assert change.low is not None
    assert change.high is not None
    assert change.low <= change.value <= change.high
    assert row.p == 2 / 256
    assert row.p_holm == pytest.approx(3 * 2 / 256)
    situation = row.situation
    assert (row.pairs, situation.planned, situation.finished, situation.void) == (8, 8, 8, 0)
    assert row.primary
    assert not row.exploratory
    assert row.compared.difference.estimate == pytest.approx(-990, rel=0.03)


def test_a_value_of_zero_makes_a_difference_of_it(tmp_path: Path) -> None:
    row = judge(ResultsFolder(tmp_path / "r").fill(model).save()).row(
        "idle", "compression_cpu_ms", "patched"
    )
    assert row.scale == "difference"
    assert row.compared is not None
    assert row.compared.effect.scale == "difference"
    assert row.compared.difference.estimate == pytest.approx(1100, rel=0.02)
    assert row.exploratory
    assert row.p_holm is None


def test_an_unasked_question_is_a_clear_error(tmp_path: Path) -> None:
    judgement = judge(ResultsFolder(tmp_path / "r").fill(model).save())
    with pytest.raises(UsageError, match="no verdict on kills"):
        judgement.row("idle", "kills", "patched")


def test_repetitions_are_reduced_to_their_block_and_are_not_n(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r", reps=3).fill(model)
    row = judge(folder.save()).row("idle", "kswapd_cpu_ms", "patched")
    assert row.pairs == 8
    first = folder.blocks[0]
    values = [model("idle", first.variant, 0, rep)["kswapd_cpu_ms"] for rep in range(3)]
    judgement = judge(folder.root)
    figure = judgement.blocks[0].value(judgement.metrics["kswapd_cpu_ms"])
    assert figure.value == pytest.approx(sum(v for v in values if v is not None) / 3)


def test_nothing_measured_yet(tmp_path: Path) -> None:
    judgement = judge(ResultsFolder(tmp_path / "r").root)
    assert {row.verdict for row in judgement.rows} == {"UNDECIDED"}
    assert "unfinished: 0 of 8 pairs" in judgement.rows[0].decision.reason
    assert judgement.rows[0].compared is None


def test_an_unfinished_campaign_has_interim_figures_and_no_verdict(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r").fill(model, until=13)
    row = judge(folder.save()).row("idle", "kswapd_cpu_ms", "patched")
    assert row.pairs == 6
    assert row.change is not None
    assert row.change.scale == "ratio"
    assert row.change.value == pytest.approx(0.67, rel=0.02)
    assert (row.verdict, row.exploratory) == ("UNDECIDED", True)
    assert "unfinished: 6 of 8" in row.decision.reason


def test_one_pair(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r", pairs=1).fill(model)
    row = judge(folder.save()).row("idle", "kswapd_cpu_ms", "patched")
    assert row.p == 1.0
    assert row.change is not None
    assert row.change.low is None
    assert (row.verdict, row.exploratory) == ("UNDECIDED", True)


@pytest.mark.parametrize(("pairs", "level"), [(2, "50 %"), (4, "87.5 %"), (5, "93.8 %"), (6, ""), (8, "")])
def test_an_interval_of_few_pairs_is_not_called_one_of_95(tmp_path: Path, pairs: int, level: str) -> None:
    # Of n pairs the range holds the truth in all but 2 of 2^n cases.
    row = judge(ResultsFolder(tmp_path / "r", pairs=pairs).fill(model).save()).row(
        "idle", "kswapd_cpu_ms", "patched"
    )
    told = f" ({level} interval)" if level else ""
    assert row.change_text().endswith(f"]{told}")


def test_void_pairs_are_left_out_and_kept_beside(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r", pairs=10)
    for block in folder.blocks:
        values = dict(model(block.scenario, block.variant, block.pair, 0))
        void = block.pair == 3 and block.variant == "patched"
        if void:
            values["kswapd_cpu_ms"] = 30000.0
        folder.block(
            block,
            [values],
            outcome="void" if void else "valid",
            void_reasons=["repetitions: 0 of 1 valid"] if void else [],
            void_reps={0: ["the host was busy"]} if void else {},
        )
    judgement = judge(folder.save())
    row = judgement.row("idle", "kswapd_cpu_ms", "patched")
    assert (row.pairs, row.situation.void, row.verdict) == (9, 1, "IMPROVED")
    assert row.with_voids is not None
    assert row.with_voids.effect.pairs == 10
    high = row.with_voids.effect.change.high
    assert high is not None
    assert row.change is not None
    assert row.change.high is not None
    assert high > row.change.high
    assert any("the host was busy" in reason for void in judgement.voids for reason in void.reasons)


def test_more_than_a_fifth_void_is_undecided(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r", pairs=10)
    for block in folder.blocks:
        void = block.pair < 3 and block.variant == "baseline"
        values = [model(block.scenario, block.variant, block.pair, 0)]
        folder.block(block, values, outcome="void" if void else "valid", void_reasons=["dirty"] * void)
    row = judge(folder.save()).row("idle", "kswapd_cpu_ms", "patched")
    assert row.pairs == 7
    assert row.verdict == "UNDECIDED"
    assert "3 of 10 pairs are void" in row.decision.reason


def test_a_kernel_failure_is_loud_and_decides_no_metric_of_its_scenario(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r", scenarios=("idle", "busy"))
    for block in folder.blocks:
        if block.scenario == "busy" and block.pair == 5 and block.variant == "patched":
            folder.block(block, [], outcome="kernel_failure", failure="KernelCrash: oops in kcompressd")
        else:
            folder.block(block, [model(block.scenario, block.variant, block.pair, 0)])
    judgement = judge(folder.save())
    assert judgement.failed
    assert judgement.kernel_failures[0].text == "KernelCrash: oops in kcompressd"
    busy = judgement.row("busy", "allocstall", "patched")
    assert (busy.verdict, busy.situation.failed, busy.situation.void) == ("UNDECIDED", 1, 0)
    assert judgement.row("idle", "allocstall", "patched").verdict == "REGRESSED"
    assert json.loads((folder.root / "judgement.json").read_text())["failed"] is True


def test_a_metric_unknown_in_too_many_pairs_is_undecided(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r", pairs=10)
    for block in folder.blocks:
        values = dict(model(block.scenario, block.variant, block.pair, 0))
        if block.pair < 3 and block.variant == "patched":
            values["allocstall"] = None
        folder.block(block, [values])
    judgement = judge(folder.save())
    row = judgement.row("idle", "allocstall", "patched")
    assert (row.pairs, row.situation.missing, row.verdict) == (7, 3, "UNDECIDED")
    assert "invented as unknown" in row.decision.reason
    assert judgement.row("idle", "kswapd_cpu_ms", "patched").pairs == 10


def test_three_variants_are_each_held_against_the_first(tmp_path: Path) -> None:
    again = {"name": "again", "kind": "stock", "options": {}, "spec": "again=stock"}
    folder = ResultsFolder(tmp_path / "r", variants=(BASELINE, PATCHED, again)).fill(model)
    judgement = judge(folder.save())
    assert {(row.question.baseline, row.variant) for row in judgement.rows} == {
        ("baseline", "patched"),
        ("baseline", "again"),
    }
    assert judgement.row("idle", "kswapd_cpu_ms", "patched").verdict == "IMPROVED"
    same = judgement.row("idle", "kswapd_cpu_ms", "again")
    assert (same.verdict, same.question.same_kernel) == ("SAME", True)
    assert {floor.variant for floor in judgement.noise_floor} == {"again"}
    assert not judgement.failed


def test_one_kernel_under_two_names_that_differs_is_an_alarm(tmp_path: Path) -> None:
    again = {"name": "patched", "kind": "stock", "options": {}, "spec": "patched=stock"}
    judgement = judge(ResultsFolder(tmp_path / "r", variants=(BASELINE, again)).fill(model).save())
    assert {row.metric for row in judgement.false_alarms} == {"kswapd_cpu_ms", "allocstall"}
    assert judgement.failed
    floor = next(f for f in judgement.noise_floor if f.metric == "allocstall")
    assert floor.bias == pytest.approx(0.69, abs=0.02)
    assert floor.low is not None
    assert floor.low > 0


def test_judging_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r", scenarios=("idle", "busy"), reps=2).fill(model)
    judge(folder.save())
    names = ("verdicts.json", "metrics.parquet")
    first = [(folder.root / name).read_bytes() for name in names]
    judge(folder.root)
    assert [(folder.root / name).read_bytes() for name in names] == first
    page = write(folder.root).read_bytes()
    assert write(folder.root).read_bytes() == page


def test_a_moved_folder_gives_the_same_verdicts(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r").fill(model)
    judge(folder.save())
    first = (folder.root / "verdicts.json").read_bytes()
    moved = folder.root.rename(tmp_path / "elsewhere")
    judge(moved)
    assert (moved / "verdicts.json").read_bytes() == first


def test_the_table_holds_every_figure(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r", pairs=2, reps=2).fill(model)
    judge(folder.save())
    rows = pq.read_table(folder.root / "metrics.parquet").to_pylist()
    assert len(rows) == 4 * 2 * len(folder.metrics)
    row = next(r for r in rows if r["metric"] == "allocstall" and r["index"] == 0)
    first = folder.blocks[0]
    assert row["value"] == model("idle", first.variant, 0, 0)["allocstall"]
    assert (row["block"], row["variant"], row["unit"]) == (first.folder(), first.variant, "stalls")


def test_metrics_that_nobody_defines_are_refused(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r", pairs=2).fill(model)
    folder.campaign(metrics=[*folder.metrics, "phlogiston"])
    with pytest.raises(ResultsError, match="phlogiston"):
        judge(folder.save())


# From here on with real traces, read by the real trace processor.

REAL = ("kswapd_cpu_ms", "window_s")


def golden(kswapd_ms: int) -> bytes:
    builder = of_suite()
    builder.run(50, 1250 * MS, (1250 + kswapd_ms) * MS)
    builder.capture()
    return builder.build()


def with_traces(tmp_path: Path, pairs: int = 2) -> ResultsFolder:
    folder = ResultsFolder(tmp_path / "r", pairs=pairs, metrics=REAL, primaries=REAL[:1])
    for block in folder.blocks:
        folder.block(block, [{}])
        folder.trace(block, 0, golden((100 if block.variant == "patched" else 200) + block.pair))
    return folder


def test_traces_are_read_once_and_then_their_figures_are_used_again(tmp_path: Path) -> None:
    folder = with_traces(tmp_path)
    read: list[str] = []
    row = judge(folder.root, progress=read.append).row("idle", "kswapd_cpu_ms", "patched")
    assert row.compared is not None
    assert row.compared.baseline_median == pytest.approx(200.5)
    assert row.compared.variant_median == pytest.approx(100.5)
    assert len(read) == 4
    read.clear()
    judge(folder.root, progress=read.append)
    assert read == []
    folder.trace(folder.blocks[1], 0, golden(77))
    judge(folder.root, progress=read.append)
    assert read == [f"reading trace 2 of 4: {folder.blocks[1].folder()}/rep-0"]


def test_an_engine_that_is_asked_for_reads_what_another_one_made(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "r", pairs=1, metrics=REAL, primaries=REAL[:1])
    for block in folder.blocks:
        folder.block(block, [{}])
        content = golden(120)
        folder.trace(block, 0, content)
    judge(folder.root)
    read: list[str] = []
    judge(folder.root, EngineChoice(kind="wasm"), progress=read.append)
    assert read == []
    table = pq.read_table(folder.root / "metrics.parquet")
    other = table.set_column(
        table.schema.get_field_index("engine_sha256"),
        table.schema.field("engine_sha256"),
        [["f" * 64] * table.num_rows],
    )
    pq.write_table(other, folder.root / "metrics.parquet")
    judge(folder.root, progress=read.append)
    assert read == []
    judge(folder.root, EngineChoice(kind="wasm"), progress=read.append)
    assert len(read) == 2


def test_a_damaged_table_is_computed_again(tmp_path: Path) -> None:
    folder = with_traces(tmp_path, pairs=1)
    judge(folder.root)
    good = (folder.root / "metrics.parquet").read_bytes()
    (folder.root / "metrics.parquet").write_bytes(b"PAR1 nonsense")
    judge(folder.root)
    assert (folder.root / "metrics.parquet").read_bytes() == good


def test_a_changed_trace_is_void_and_never_read(tmp_path: Path) -> None:
    folder = with_traces(tmp_path)
    judge(folder.root)
    path = folder.root / "blocks" / folder.blocks[0].folder() / "rep-0" / "trace.perfetto-trace"
    path.write_bytes(golden(5))
    row = judge(folder.root).row("idle", "kswapd_cpu_ms", "patched")
    assert (row.pairs, row.situation.void) == (1, 1)
    reasons = [reason for void in judge(folder.root).voids for reason in void.reasons]
    assert any("not the one recorded" in reason for reason in reasons)


def test_without_its_trace_a_repetition_lives_on_its_kept_figures_or_is_void(tmp_path: Path) -> None:
    folder = with_traces(tmp_path)
    judge(folder.root)
    verdicts = (folder.root / "verdicts.json").read_bytes()
    for path in folder.root.glob("blocks/*/rep-0/trace.perfetto-trace"):
        path.unlink()
    judge(folder.root)
    assert (folder.root / "verdicts.json").read_bytes() == verdicts
    (folder.root / "metrics.parquet").unlink()
    judgement = judge(folder.root)
    assert judgement.row("idle", "kswapd_cpu_ms", "patched").situation.void == 2
    assert "the trace is missing" in judgement.voids[0].reasons[0]


def test_a_trace_that_the_analysis_finds_cut_voids_its_pair(tmp_path: Path) -> None:
    folder = with_traces(tmp_path)
    folder.trace(folder.blocks[2], 0, golden(100)[:400])
    folder.trace(folder.blocks[3], 0, b"this is no trace at all")
    judgement = judge(folder.root)
    row = judgement.row("idle", "kswapd_cpu_ms", "patched")
    assert (row.pairs, row.situation.void) == (1, 1)
    void = {void.what: void.reasons for void in judgement.voids}
    assert f"{folder.blocks[2].folder()}/rep-0" in void
    assert f"{folder.blocks[3].folder()}/rep-0" in void
    assert str(tmp_path) not in json.dumps([judgement_content(judgement), verdicts_content(judgement)])


def test_kept_figures_of_older_definitions_stand_where_the_trace_is_gone(tmp_path: Path) -> None:
    """A folder of small files, as it is published, is judged by any later version of the suite."""
    folder = ResultsFolder(tmp_path / "r").fill(model)
    folder.save()
    path = folder.root / "metrics.parquet"
    table = pq.read_table(path)
    older = table.set_column(
        table.schema.get_field_index("definitions"),
        table.schema.field("definitions"),
        [["an older hash"] * table.num_rows],
    )
    for trace in folder.root.rglob("trace.perfetto-trace"):
        trace.unlink()
    pq.write_table(older, path)
    judgement = judge(folder.root)
    assert not judgement.voids
    assert judgement.row("idle", "kswapd_cpu_ms", "patched").verdict == "IMPROVED"
    assert judgement.definitions == "an older hash"
    assert pq.read_table(path).column("definitions").unique().to_pylist() == ["an older hash"]


def zram(srcversion: str) -> dict[str, object]:
    return {"form": "module", "modules": {"zram": {"srcversion": srcversion, "build_id": None}}}


@pytest.mark.parametrize(
    ("options", "of_patched", "word"),
    [
        ({"image": "b.img"}, "AA", "UNDECIDED"),
        ({"image": "b.img"}, "BB", "IMPROVED"),
        ({"image": "b.img", "zram": "same"}, "AA", "IMPROVED"),
    ],
)
def test_kernels_that_compress_with_one_zram_are_not_judged(
    tmp_path: Path, options: dict[str, str], of_patched: str, word: Word
) -> None:
    found = {"name": "baseline", "kind": "as-is", "options": {}, "spec": "baseline=as-is"}
    patched = {"name": "patched", "kind": "boot", "options": options, "spec": "patched=boot"}
    folder = ResultsFolder(tmp_path / "r", variants=(found, patched))
    for block in folder.blocks:
        own = zram("AA" if block.variant == "baseline" else of_patched)
        values = model(block.scenario, block.variant, block.pair, 0)
        folder.block(block, [values], identity={"boot_id": str(block.index), "zram": own})
    judgement = judge(folder.save())
    assert judgement.row("idle", "kswapd_cpu_ms", "patched").verdict == word
    voids = [void for void in judgement.voids if void.kind == "pair"]
    assert len(voids) == (8 if word == "UNDECIDED" else 0)
    for void in voids:
        assert void.reasons == (
            "'baseline' and 'patched' compress with the same zram: zram (srcversion AA)",
        )


@pytest.mark.parametrize(("of_patched", "voids"), [(4096, 0), (16384, 8)])
def test_kernels_with_pages_of_other_sizes_are_not_judged(
    tmp_path: Path, of_patched: int, voids: int
) -> None:
    folder = ResultsFolder(tmp_path / "r")
    for block in folder.blocks:
        size = 4096 if block.variant == "baseline" else of_patched
        values = model(block.scenario, block.variant, block.pair, 0)
        folder.block(block, [values], identity={"boot_id": str(block.index), "page_size_bytes": size})
    void = [one for one in judge(folder.save()).voids if one.kind == "pair"]
    assert len(void) == voids
    for one in void:
        assert one.reasons == ("pages of 4096 and 16384 bytes: counts of pages are not comparable",)
