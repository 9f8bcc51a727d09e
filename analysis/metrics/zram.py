"""What zram holds at the end of the window: how well it compresses, how much needs no compressing."""

from __future__ import annotations

from typing import Final

from analysis.metrics.definition import Metric, Needs

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
