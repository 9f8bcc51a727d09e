"""Which pair is opened: the requested one, the slowest, or an error in one line."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from analysis.perfetto_ui.choose import Selection, choose
from analysis.perfetto_ui.command import view_of
from foundation.contract.results import load
from foundation.errors import UsageError
from tests.unit.results_folder import BASELINE, PATCHED, ResultsFolder

_METRICS = (
    "kswapd_cpu_ms",
    "direct_reclaim_max_ms",
    "switch_latency_hot_max_ms",
    "switch_latency_warm_max_ms",
    "switch_latency_cold_max_ms",
)


def _model(scenario: str, variant: str, pair: int, rep: int) -> Mapping[str, float | None]:
    slow = (scenario, variant, pair, rep) == ("busy", "patched", 2, 1)
    return {
        "kswapd_cpu_ms": 10.0,
        "switch_latency_hot_max_ms": 900.0 if slow else 400.0,
        "switch_latency_cold_max_ms": 1200.0 if (scenario, pair) == ("idle", 1) else None,
        "direct_reclaim_max_ms": 70.0 if (scenario, variant, pair) == ("idle", "baseline", 3) else None,
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    other = {"name": "other", "kind": "stock", "options": {}, "spec": "other=stock"}
    folder = ResultsFolder(
        tmp_path_factory.mktemp("ui") / "results",
        pairs=4,
        reps=2,
        scenarios=("idle", "busy"),
        variants=(BASELINE, PATCHED, other),
        metrics=_METRICS,
        primaries=("kswapd_cpu_ms",),
    )
    return folder.fill(_model).save()


def test_the_slowest_moment_decides(results: Path) -> None:
    campaign = load(results)
    chosen = choose(campaign, Selection(slowest="switch"))
    assert (chosen.scenario, chosen.pair) == ("idle", 1)
    chosen = choose(campaign, Selection(slowest="switch", scenario="busy"))
    assert (chosen.pair, [side.repetition.index for side in chosen.sides]) == (2, [1, 1])
    assert [side.block.place.variant for side in chosen.sides] == ["baseline", "patched"]
    chosen = choose(campaign, Selection(slowest="stall", variant="other"))
    assert (chosen.scenario, chosen.pair) == ("idle", 3)
    assert [side.block.place.variant for side in chosen.sides] == ["baseline", "other"]


def test_the_asked_pair_is_taken(results: Path) -> None:
    chosen = choose(load(results), Selection(scenario="busy", pair=3))
    assert (chosen.scenario, chosen.pair) == ("busy", 3)
    assert all(side.block.place.pair == 3 for side in chosen.sides)
    view = view_of([results], Selection(scenario="busy", pair=3))
    assert view.title == "synthetic, busy, pair 3"
    assert [source.label for source in view.sources] == ["baseline", "patched"]
    assert view.moment == "repetition"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"pair": 9}, "no pair 9 .* -> --pair must be one of 0, 1, 2, 3"),
        ({"scenario": "hot"}, "no scenario 'hot'.*idle, busy"),
        ({"variant": "baseline"}, "no variant 'baseline'.*patched, other"),
        ({"scenario": "busy", "slowest": "stall"}, "no direct reclaim"),
    ],
)
def test_what_is_not_there_is_refused(results: Path, words: Mapping[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        choose(load(results), Selection(**words))  # type: ignore[arg-type]


def test_a_copy_without_traces_says_so(results: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    shutil.copytree(results, packed, ignore=shutil.ignore_patterns("trace.perfetto-trace"))
    with pytest.raises(UsageError, match="a packed copy has no traces"):
        choose(load(packed), Selection())


def test_traces_are_shown_as_they_are(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a", "b", "c")]
    for file in files:
        file.write_bytes(b"x")
    assert [source.trace for source in view_of(files[:2]).sources] == files[:2]
    with pytest.raises(UsageError, match="give one, or two"):
        view_of(files)
    with pytest.raises(UsageError, match="leave them out"):
        view_of(files[:1], Selection(pair=1))
    with pytest.raises(UsageError, match="folder among"):
        view_of([files[0], tmp_path])
