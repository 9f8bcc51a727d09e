"""The same orders are the same run: to the last bit between boots, to the last digit as recorded."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.virtual.exact import MEMORY_MB, RECORDED, Run, recorded, run_block

ANEW = f"to record anew: python -m tests.virtual.exact record (writes {RECORDED.name})"


def assert_equal(one: Run, other: Run) -> None:
    for number, (left, right) in enumerate(zip(one.replies, other.replies, strict=False)):
        assert left == right, f"order {number} or its reply differs"
    assert one.figures == other.figures


@pytest.mark.parametrize("block", MEMORY_MB)
def test_a_block_repeats_whatever_the_host_does_and_gives_the_recorded_figures(
    block: str, tmp_path: Path
) -> None:
    run = run_block(block, tmp_path / "first", longest_wait_s=0.05)
    assert run.figures.pswpout > 5000
    assert run.figures.kswapd_ns > 0
    known = recorded().get(block)
    same_parts = known is not None and known["parts"] == run.parts
    if block.endswith(" stock") or not same_parts:
        assert_equal(run, run_block(block, tmp_path / "second"))
    if known is not None and same_parts:
        assert asdict(run.figures) == known["figures"], (
            f"the same parts gave other figures: the suite's orders changed, or time leaks in; {ANEW}"
        )
    else:
        moved = [name for name, part in run.parts.items() if known is None or known["parts"][name] != part]
        warnings.warn(
            f"{block}: {', '.join(moved)} of this host differ from the recorded ones, so two runs were"
            f" compared with each other; {ANEW}",
            stacklevel=1,
        )
