"""Short ways to a golden trace's figures."""

from __future__ import annotations

from pathlib import Path

from analysis.metrics import compute
from analysis.metrics.value import MetricValue
from tests.unit.golden.builder import MS, TraceBuilder


def write(folder: Path, content: bytes, name: str = "golden.perfetto-trace") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def figures(path: Path, *names: str, lossy: bool = False) -> dict[str, MetricValue]:
    """Values by metric; all metrics if none is named."""
    return {value.metric: value for value in compute(path, names or None, lossy=lossy)}


def value(path: Path, name: str) -> float | None:
    return figures(path, name)[name].value


def of_suite(begin: int = 1200 * MS, end: int = 1800 * MS) -> TraceBuilder:
    """A recording of the suite with kswapd0 (tid 50) and an app (tid 70), nothing run yet."""
    builder = TraceBuilder()
    builder.thread(50, "kswapd0")
    builder.thread(70, "com.example.app", tgid=70)
    builder.repetition(begin, end)
    return builder
