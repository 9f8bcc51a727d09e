"""The balanced order of blocks, fixed before the first one runs. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence

from foundation.contract.records import PlannedBlock


def schedule(
    variants: Sequence[str], scenarios: Sequence[str], pairs: int, seed: int, lanes: Sequence[str]
) -> tuple[PlannedBlock, ...]:
    """Return all blocks in the order in which they run.

    Pairs come in twos with opposite orders (ABBA or BAAB, drawn from ``seed``), so that
    a linear drift cancels within each two. The scenarios of one pair number follow each
    other in an order that is reversed from pair to pair, so that no scenario is always
    the later one. With several lanes a pair stays on one lane.
    """
    draw = random.Random(seed)
    orders: dict[str, list[tuple[str, ...]]] = {}
    for scenario in scenarios:
        chosen: list[tuple[str, ...]] = []
        while len(chosen) < pairs:
            order = list(variants)
            draw.shuffle(order)
            chosen += [tuple(order), tuple(reversed(order))]
        orders[scenario] = chosen[:pairs]
    scenario_order = list(scenarios)
    draw.shuffle(scenario_order)
    blocks: list[PlannedBlock] = []
    for pair in range(pairs):
        for scenario in scenario_order if pair % 2 == 0 else reversed(scenario_order):
            for position, variant in enumerate(orders[scenario][pair]):
                blocks.append(
                    PlannedBlock(
                        index=len(blocks),
                        pair=pair,
                        position=position,
                        scenario=scenario,
                        variant=variant,
                        lane=lanes[pair % len(lanes)],
                    )
                )
    return tuple(blocks)


def order_text(blocks: Sequence[PlannedBlock]) -> str:
    """A table of the schedule for ``--dry-run``: one line a block."""
    lines = ["block  pair  scenario  variant           lane"]
    for block in blocks:
        lines.append(
            f"{block.index:5d}  {block.pair:4d}  {block.scenario:<8}  {block.variant:<16}  {block.lane}"
        )
    return "\n".join(lines)
