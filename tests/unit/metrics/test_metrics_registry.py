"""The registry is complete, and every metric says what it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.metrics import PRIMARIES, all_metrics, metric_named, needs_of
from analysis.reference import reference
from analysis.trace.figure import percentile
from foundation.errors import UsageError

_ROOT = Path(__file__).parents[3]

#: Names that reports, campaigns and documents rely on.
_RELIED_ON = (
    "kswapd_cpu_ms",
    "compression_cpu_ms",
    "direct_reclaim_cpu_ms",
    "direct_reclaim_count",
    "direct_reclaim_wall_ms",
    "direct_reclaim_p50_ms",
    "direct_reclaim_p95_ms",
    "direct_reclaim_p99_ms",
    "direct_reclaim_max_ms",
    "reclaim_cpu_ms",
    "reclaim_cpu_us_per_page",
    "kswapd_runnable_wait_ms",
    "compression_runnable_wait_ms",
    "allocstall",
    "pgscan_kswapd",
    "pgscan_direct",
    "pgsteal_kswapd",
    "pgsteal_direct",
    "pgsteal_anon",
    "pgsteal_file",
    "pgsteal_anon_per_s",
    "pgscan_anon",
    "pgscan_file",
    "reclaim_efficiency",
    "pgrotated",
    "workingset_refault_anon",
    "workingset_refault_file",
    "pswpin",
    "pswpout",
    "pgmajfault",
    "psi_memory_some_ms",
    "psi_memory_full_ms",
    "psi_cpu_some_ms",
    "switch_latency_hot_p50_ms",
    "switch_latency_hot_p95_ms",
    "switch_latency_hot_max_ms",
    "switch_latency_warm_p50_ms",
    "switch_latency_warm_p95_ms",
    "switch_latency_warm_max_ms",
    "switch_latency_cold_p50_ms",
    "switch_latency_cold_p95_ms",
    "switch_latency_cold_max_ms",
    "kills",
    "cold_relaunches",
    "zram_compression_ratio",
    "zram_same_filled_share",
    "compression_queue_estimate_pages",
    "window_s",
)


def test_every_name_that_others_rely_on_exists() -> None:
    assert set(_RELIED_ON) <= all_metrics().keys()
    assert set(PRIMARIES) <= all_metrics().keys()


def test_every_metric_is_defined_and_sourced() -> None:
    for name, metric in all_metrics().items():
        assert metric.name == name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert metric.unit
        assert len(metric.definition) > 20
        assert metric.source
        assert 0 < metric.threshold < 1
        if name.endswith("_ms"):
            assert metric.unit == "ms"


def test_needs_are_events_and_keys() -> None:
    needs = needs_of(all_metrics())
    assert "sched/sched_switch" in needs.ftrace_events
    assert {
        "vmscan/mm_vmscan_direct_reclaim_begin",
        "vmscan/mm_vmscan_direct_reclaim_end",
    } <= needs.ftrace_events
    assert all(re.fullmatch(r"[a-z_]+/[a-z_]+", event) for event in needs.ftrace_events)
    assert {"pswpout", "allocstall_normal"} <= needs.vmstat
    assert needs.psi == {"memory.some", "memory.full", "cpu.some"}
    assert needs.zram
    assert needs.switches


def test_needs_of_one_metric_are_its_own() -> None:
    assert needs_of(["window_s"]).ftrace_events == frozenset()
    assert needs_of(["pswpout"]).vmstat == {"pswpout"}


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean allocstall"):
        metric_named("alocstall")


def test_definitions_cost_no_engine() -> None:
    code = "import sys, analysis.metrics; sys.exit('wasmtime' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=_ROOT, check=False, timeout=60).returncode == 0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_numpys_linear_one(values: list[float], share: float) -> None:
    found = percentile(values, share, minimum=1, what="values").value
    assert found == pytest.approx(float(np.quantile(values, share)), rel=1e-9, abs=1e-9)


def test_the_reference_in_the_docs_is_that_of_the_code() -> None:
    page = Path(__file__).parents[3] / "docs" / "metrics.md"
    assert page.read_text(encoding="utf-8") == reference(all_metrics()), (
        "run: python -m analysis reference > docs/metrics.md"
    )


#: How a definition names a percentile or a maximum; every other one is a sum, a mean, a share or a count.
_ORDER_STATISTIC = re.compile(r"^(median|\d+th percentile|maximum|longest|most) ")


def test_definition_reduction_and_documents_agree() -> None:
    rule = (_ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    assert "the mean of its valid repetitions (the\n   median for latency percentiles and maxima)" in rule
    reference_page = (_ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    for name, metric in all_metrics().items():
        expected = "median" if _ORDER_STATISTIC.match(metric.definition) else "mean"
        assert metric.reduce == expected, name
        entry = reference_page.partition(f"### {name}\n")[2].partition("\n### ")[0]
        assert f", {expected} of a block's repetitions\n" in entry, name


def test_metrics_that_reports_show_have_places_of_their_own() -> None:
    shown = [
        metric.shown for metric in all_metrics().values() if metric.shown.terminal or metric.shown.mail
    ]
    assert len({one.order for one in shown}) == len(shown) == 35
    assert all(one.order > 0 for one in shown)
