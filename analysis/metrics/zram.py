"""What zram holds at the end of the window: how well it compresses, how much needs no compressing."""

from __future__ import annotations

from typing import Final

from analysis.trace.figure import Figure, ratio, unknown
from analysis.trace.recording import Recording
from foundation.contract import conventions as names
from foundation.contract.metric import Metric
from foundation.contract.needs import Needs

_NEEDS: Final = Needs(zram=True)
_SOURCE: Final = "mm_stat (Documentation/admin-guide/blockdev/zram.rst)"

METRICS: Final = (
    Metric(
        name="zram_compression_ratio",
        unit="1",
        direction="none",
        family="zram",
        definition="orig_data_size / compr_data_size of all disks at the window's end (same-filled pages"
        " count in the first and not in the second)",
        source=_SOURCE,
        needs=_NEEDS,
    ),
    Metric(
        name="zram_same_filled_share",
        unit="1",
        direction="none",
        family="zram",
        definition="same_pages / stored pages of all disks at the window's end: pages filled with one"
        " word, which are never compressed",
        source=_SOURCE,
        needs=_NEEDS,
        scale="difference",
    ),
)


def compute(recording: Recording) -> dict[str, Figure]:
    """Figures of `METRICS`; unknown where no zram disk was polled or nothing is stored."""
    stored = _at_end(recording, "orig_data_size")
    compressed = _at_end(recording, "compr_data_size")
    same = _at_end(recording, "same_pages")
    page_size = recording.page_size
    return {
        "zram_compression_ratio": ratio(stored, compressed, zero="zram holds no compressed page"),
        "zram_same_filled_share": unknown("the trace does not say the page size")
        if page_size is None
        else ratio(same, stored, factor=page_size, zero="zram is empty"),
    }


def _at_end(recording: Recording, field: str) -> Figure:
    """Sum over all disks of a field of mm_stat at the window's end."""
    suffix = names.zram_mm_stat("", field)
    values = [
        counter.last
        for name, counter in recording.counters.items()
        if name.startswith("zram") and name.endswith(suffix)
    ]
    return Figure(sum(values)) if values else unknown(f"no zram disk's {field} is in the trace")
