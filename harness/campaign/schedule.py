"""The balanced order of blocks, fixed before the first one runs."""

from __future__ import annotations

import random
from collections.abc import Sequence

from foundation.contract.records import PlannedBlock


def schedule(
    variants: Sequence[str], scenarios: Sequence[str], pairs: int, seed: int, lanes: Sequence[str]
) -> tuple[PlannedBlock, ...]:
    """All blocks in the order in which they run.

    Two successive pairs have opposite orders (ABBA or BAAB, drawn from ``seed``), so that a linear
    drift cancels. The order of scenarios within a pair number is reversed from pair to pair, so
    that no scenario always comes last. With several lanes, a pair stays on one lane.
    """
    draw = random.Random(seed)
    orders: dict[str, list[tuple[str, ...]]] = {}
    for scenario in scenarios:
        orders[scenario] = []
        while len(orders[scenario]) < pairs:
            order = list(variants)
            draw.shuffle(order)
            orders[scenario] += [tuple(order), tuple(reversed(order))]
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
    """The schedule as a table for ``--dry-run``, one line per block."""
    lines = ["block  pair  scenario  variant           lane"]
    for block in blocks:
        lines.append(
            f"{block.index:5d}  {block.pair:4d}  {block.scenario:<8}  {block.variant:<16}  {block.lane}"
        )
    return "\n".join(lines)
