"""A results folder built in code, whose figures are invented and said to be so.

The traces are a few bytes of text. Their figures are put into metrics.parquet as an earlier
judgement would have left them, so that judging goes the way of unchanged traces. Tests of
reading real traces put them in place with `ResultsFolder.trace`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from analysis.distributions import Detail
from analysis.judging import detail_tables as tables
from analysis.judging import metric_table
from analysis.judging.metric_table import Measured, RowKey, definitions_hash
from analysis.metrics import PRIMARIES, all_metrics
from analysis.trace.figure import Figure, unknown
from foundation.contract.records import PlannedBlock
from harness.campaign.schedule import schedule

#: (scenario, variant, pair, rep) -> values by metric; a metric left out is unknown.
Model = Callable[[str, str, int, int], Mapping[str, float | None]]

BASELINE = {"name": "baseline", "kind": "stock", "options": {}, "spec": "baseline=stock"}
PATCHED = {"name": "patched", "kind": "kcompressd", "options": {}, "spec": "patched=kcompressd"}


@dataclass
class ResultsFolder:
    """The making of a synthetic campaign folder."""

    root: Path
    pairs: int = 8
    reps: int = 1
    scenarios: Sequence[str] = ("idle",)
    variants: Sequence[Mapping[str, Any]] = (BASELINE, PATCHED)
    metrics: Sequence[str] = (*PRIMARIES, "compression_cpu_ms", "pswpout")
    primaries: Sequence[str] = PRIMARIES
    seed: int = 7
    lanes: Sequence[str] = ("virtual-0",)
    #: Single events and courses; None: as a folder of before there were such files.
    detail: Callable[[str, str, int, int], Detail] | None = None
    blocks: list[PlannedBlock] = field(init=False)
    rows: list[tuple[RowKey, bool, Measured]] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = [variant["name"] for variant in self.variants]
        self.blocks = list(schedule(names, self.scenarios, self.pairs, self.seed, tuple(self.lanes)))
        self.root.mkdir(parents=True, exist_ok=True)
        self.campaign()

    def campaign(self, **changes: Any) -> None:
        """Write campaign.json."""
        content = {
            "schema_version": 1,
            "name": "synthetic",
            "created_utc": "2026-01-01T00:00:00+00:00",
            "seed": self.seed,
            "workload": "app-switching",
            "profile": {
                "name": "invented",
                "toml": '[device]\nzram_mb = 256\nzram_algorithm = "lzo-rle"\n',
            },
            "scenarios": list(self.scenarios),
            "variants": [dict(variant) for variant in self.variants],
            "pairs": self.pairs,
            "reps": self.reps,
            "metrics": list(self.metrics),
            "primaries": list(self.primaries),
            "alpha": 0.05,
            "schedule": [asdict(block) for block in self.blocks],
            "suite_version": "0.0.test",
            "tools": {"pytest": "0"},
            "emulated": True,
            "lanes": {
                lane: {"model": "synthetic", "accelerator": "none", "memory_mb": "256"}
                for lane in self.lanes
            },
            "host": {"machine": "synthetic"},
            "void_rules": ["a repetition whose trace lost data is void"],
        }
        self._json(self.root / "campaign.json", {**content, **changes})

    def fill(self, model: Model, *, until: int | None = None) -> ResultsFolder:
        """Finish every block (those of an index below ``until``) with the values of ``model``."""
        for block in self.blocks[:until]:
            self.block(
                block, [model(block.scenario, block.variant, block.pair, r) for r in range(self.reps)]
            )
        return self

    def block(
        self,
        block: PlannedBlock,
        values: Sequence[Mapping[str, float | None]],
        *,
        outcome: str = "valid",
        void_reasons: Sequence[str] = (),
        failure: str | None = None,
        void_reps: Mapping[int, Sequence[str]] | None = None,
        trace_reasons: Mapping[int, Sequence[str]] | None = None,
        **changes: Any,
    ) -> Path:
        """Finish one block, with one repetition for each of ``values``."""
        folder = self.root / "blocks" / block.folder()
        folder.mkdir(parents=True, exist_ok=True)
        voids = dict(void_reps or {})
        for index, found in enumerate(values):
            reasons = list(voids.get(index, ()))
            trace = f"synthetic {block.folder()} {index}".encode()
            self._repetition(folder / f"rep-{index}", index, trace, reasons)
            self._row(block, index, trace, found, reasons, list((trace_reasons or {}).get(index, ())))
        patched = block.variant != self.variants[0]["name"]
        threads = ["kswapd0", "kcompressd:0"] if patched else ["kswapd0"]
        record = {
            **asdict(block),
            "outcome": outcome,
            "void_reasons": list(void_reasons),
            "failure": failure,
            "started_utc": "2026-01-01T00:00:00+00:00",
            "ended_utc": "2026-01-01T00:01:00+00:00",
            "boot_id": f"boot-{block.index}",
            "identity": {
                "release": "6.1.0-synthetic",
                "build_ids": {"zram": ("bb" if patched else "aa") * 20},
                "thread_names": threads,
                "boot_id": f"boot-{block.index}",
            },
            "pins": [
                {"name": "vm.swappiness", "before": "60", "set": "100", "after": "100"},
                {"name": "vm.page-cluster", "before": "3", "set": "0", "after": "0"},
            ],
            "gates": [{"name": "pins", "ok": True, "detail": "as set"}],
            "reps": [index for index in range(len(values)) if index not in voids],
            "void_reps": {str(index): list(reasons) for index, reasons in voids.items()},
        }
        self._json(folder / "block.json", {**record, **changes})
        return folder

    def trace(self, block: PlannedBlock, index: int, content: bytes) -> Path:
        """Put a real trace in place of a synthetic one, with its hash."""
        folder = self.root / "blocks" / block.folder() / f"rep-{index}"
        (folder / "trace.perfetto-trace").write_bytes(content)
        record = json.loads((folder / "rep.json").read_text())
        record["trace"] |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        self._json(folder / "rep.json", record)
        return folder / "trace.perfetto-trace"

    def save(self) -> Path:
        """Write the tables of figures and details, and return the folder."""
        units = {name: all_metrics()[name].unit for name in self.metrics}
        metric_table.write(self.root / "metrics.parquet", self.rows, units)
        tables.write(self.root, self.rows)
        return self.root

    def _repetition(self, folder: Path, index: int, trace: bytes, reasons: list[str]) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "trace.perfetto-trace").write_bytes(trace)
        self._json(
            folder / "rep.json",
            {
                "index": index,
                "valid": not reasons,
                "void_reasons": reasons,
                "started_utc": "2026-01-01T00:00:30+00:00",
                "window_ns": [1_000_000_000, 8_000_000_000],
                "trace": {
                    "sha256": hashlib.sha256(trace).hexdigest(),
                    "bytes": len(trace),
                    "backend": "ftrace",
                },
                "host": {"other_cpu_share": 0.01, "steal_share": 0.0},
                "thread_names": ["kswapd0"],
                "switches": 12,
                "kills": 0,
                "mismatches": 0,
            },
        )

    def _row(
        self,
        block: PlannedBlock,
        index: int,
        trace: bytes,
        values: Mapping[str, float | None],
        reasons: list[str],
        trace_reasons: list[str],
    ) -> None:
        figures = {}
        for name in self.metrics:
            value = values.get(name)
            figures[name] = unknown("invented as unknown") if value is None else Figure(value)
        key = RowKey(block.folder(), block.index, block.scenario, block.variant, block.pair, index)
        digest = hashlib.sha256(trace).hexdigest()
        measured = Measured(
            figures,
            tuple(trace_reasons),
            digest,
            "synthetic",
            "0" * 64,
            definitions_hash(),
            self.detail and self.detail(block.scenario, block.variant, block.pair, index),
        )
        self.rows.append((key, not reasons and not trace_reasons, measured))

    @staticmethod
    def _json(path: Path, content: object) -> None:
        path.write_text(json.dumps(content), encoding="utf-8")
