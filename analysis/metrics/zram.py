"""What zram holds at the end of the window: compression ratio and same-filled pages."""

from __future__ import annotations

from functools import partial
from typing import Final

from analysis.trace.figure import Figure, ratio, unknown
from analysis.trace.recording import NO_PAGE_SIZE, Recording
from foundation.contract import conventions as names
from foundation.contract.metric import Metric
from foundation.contract.needs import Needs

_metric = partial(
    Metric,
    unit="1",
    direction="none",
    family="zram",
    source="mm_stat (Documentation/admin-guide/blockdev/zram.rst)",
    needs=Needs(zram=True),
)

METRICS: Final = (
    _metric(
        "zram_compression_ratio",
        definition="orig_data_size / compr_data_size over all disks at the end of the window (same-filled"
        " pages count in the first and not in the second)",
    ),
    _metric(
        "zram_same_filled_share",
        definition="same_pages / stored pages over all disks at the end of the window: pages that repeat"
        " one word, of which zram stores the word only",
        scale="difference",
    ),
)


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; unknown if no zram disk was polled or nothing is stored."""
    stored = _at_end(recording, "orig_data_size")
    compressed = _at_end(recording, "compr_data_size")
    same = _at_end(recording, "same_pages")
    page_size = recording.page_size
    return {
        "zram_compression_ratio": ratio(stored, compressed, zero="zram holds no compressed page"),
        "zram_same_filled_share": unknown(NO_PAGE_SIZE)
        if page_size is None
        else ratio(same, stored, factor=page_size, zero="zram is empty"),
    }


def _at_end(recording: Recording, field: str) -> Figure:
    """Sum of a field of mm_stat over all disks at the end of the window."""
    suffix = names.zram_mm_stat("", field)
    values = [
        counter.last
        for name, counter in recording.counters.items()
        if name.startswith("zram") and name.endswith(suffix)
    ]
    return Figure(sum(values)) if values else unknown(f"no zram disk's {field} is in the trace")
