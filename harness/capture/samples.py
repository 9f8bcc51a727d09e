"""Reads the poller's lines: numbers by counter name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from foundation.contract import conventions
from foundation.errors import DeviceError

Mark = Literal["sample", "begin", "end"]
Number = int | float

_MARKS: Final[dict[str, Mark]] = {"sample": "sample", "begin": "begin", "end": "end"}


@dataclass(frozen=True)
class Sample:
    """All counters at one instant.

    Times are CLOCK_BOOTTIME ns, before the first and after the last source was read.
    ``values`` maps counter names of `foundation.contract.conventions` to numbers, ``threads`` the
    tid of each thread with a role to its comm. ``missing`` names sources that the device lacks.
    """

    t_boot_ns: int
    t_end_boot_ns: int
    mark: Mark
    values: Mapping[str, Number]
    threads: Mapping[int, str]
    missing: tuple[str, ...]


def parse_sample(line: str, *, device: str | None = None) -> Sample:
    """Read one line of the poller. DeviceError if it is not a complete sample."""
    try:
        raw = json.loads(line)
        return Sample(
            t_boot_ns=int(raw["t_boot_ns"]),
            t_end_boot_ns=int(raw["t_end_boot_ns"]),
            mark=_MARKS[raw["mark"]],
            values=_flatten(raw),
            threads={int(thread["tid"]): str(thread["comm"]) for thread in raw.get("threads") or ()},
            missing=tuple(str(name) for name in raw.get("missing") or ()),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as damage:
        raise DeviceError(
            f"the poller wrote an invalid sample ({damage!r}): {line[:80]!r}",
            device=device,
            next_step="run `poller --once --mark begin` on the device by hand and read its output",
        ) from damage


def read_samples(path: Path, *, device: str | None = None) -> list[Sample]:
    """Read a file of samples. Skips a last line without newline: it is incomplete."""
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return [parse_sample(line, device=device) for line in lines[:-1] if line.strip()]


def _flatten(raw: Mapping[str, Any]) -> dict[str, Number]:
    values: dict[str, Number] = {}

    def keep(names: Callable[[str], str], numbers: Mapping[str, Any] | None) -> None:
        for key, number in (numbers or {}).items():
            if number is not None:
                values[names(key)] = number

    keep(conventions.vmstat, raw.get("vmstat"))
    keep(conventions.meminfo_kb, raw.get("meminfo_kb"))
    keep(conventions.extra, raw.get("extra"))
    for resource, lines in (raw.get("psi") or {}).items():
        for line, fields in (lines or {}).items():
            if fields is not None:
                values[conventions.psi_total_us(resource, line)] = fields["total_us"]
                values[conventions.psi_avg10(resource, line)] = fields["avg10"]
    for disk, state in (raw.get("zram") or {}).items():
        for names, name, numbers in (
            (conventions.ZRAM_MM_STAT, conventions.zram_mm_stat, state.get("mm_stat")),
            (conventions.ZRAM_IO_STAT, conventions.zram_io_stat, state.get("io_stat")),
        ):
            # The number of fields differs between kernels, the order does not.
            for field, number in zip(names, numbers or (), strict=False):
                values[name(disk, field)] = number
    for thread in raw.get("threads") or ():
        for field in ("run_ns", "wait_ns", "slices"):
            if thread.get(field) is not None:
                values[conventions.schedstat(thread["comm"], thread["tid"], field)] = thread[field]
    ticks = (raw.get("stat") or {}).get("cpu")
    for field, number in zip(conventions.STAT_CPU, ticks or (), strict=False):
        values[conventions.stat_ticks(field)] = number
    return values
