"""The metrics of a trace as the terminal prints them."""

from __future__ import annotations

from pathlib import Path

from analysis.metrics import all_metrics
from analysis.metrics.value import MetricValue
from analysis.report.metric_list import WIDTH, metric_list


def _value(name: str, value: float | None, reason: str | None = None) -> MetricValue:
    return MetricValue(Path("t"), name, value, all_metrics()[name].unit, reason)


def test_what_is_known_comes_first_by_family_and_each_caution_once() -> None:
    text = metric_list(
        [
            _value("pswpin", None, "vmstat.pswpin is not in the trace"),
            _value("pswpout", 1_500, "read late"),
            _value("kswapd_cpu_ms", 12.5),
            _value("pgmajfault", 7, "read late"),
        ]
    )
    lines = text.splitlines()
    assert lines[:5] == [
        "vmstat",
        "  pswpout        1,500  pages   (1)",
        "  pgmajfault         7  faults  (1)",
        "reclaim CPU",
        "  kswapd_cpu_ms   12.5  ms",
    ]
    assert text.count("read late") == 1
    assert lines[-3:] == ["not known: 1 metrics", "  vmstat.pswpin is not in the trace:", "    pswpin"]


def test_each_reason_is_given_once_and_a_whole_family_by_its_name() -> None:
    metrics = all_metrics()
    values = [
        _value(
            name, None, f"vmstat.{name} is not in the trace" if one.family == "vmstat" else "not recorded"
        )
        for name, one in metrics.items()
    ]
    text = metric_list(values)
    assert text.startswith(f"nothing is known: {len(metrics)} metrics")
    assert text.count("not recorded:") == 1
    assert text.count("the counter is not in the trace:") == 1
    queue = sum(one.family == "compression queue" for one in metrics.values())
    assert f"all {queue} of compression queue" in text.replace("\n    ", " ")
    assert len(text.splitlines()) < 12
    assert max(map(len, text.splitlines())) <= WIDTH
