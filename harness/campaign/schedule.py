"""The balanced order of blocks, fixed before the first one runs."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

from foundation.contract.records import PlannedBlock


def workload_seed(seed: int, pair: int) -> int:
    """The workload's seed in one pair of a campaign of ``seed``: 31 bits of a SHA-256 of both."""
    digest = hashlib.sha256(f"{seed} {pair}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def schedule(
    variants: Sequence[str],
    scenarios: Sequence[str],
    pairs: int,
    seed: int,
    lanes: Sequence[str],
    *,
    seeded: bool = False,
) -> tuple[PlannedBlock, ...]:
    """All blocks in the order in which they run.

    Two successive pairs have opposite orders (ABBA or BAAB, drawn from ``seed``), so that a linear
    drift cancels. The order of scenarios within a pair number is reversed from pair to pair, so
    that no scenario always comes last. With several lanes, a pair stays on one lane. ``seeded``: each
    pair number has a workload seed of its own, the same in every scenario.
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
                        seed=workload_seed(seed, pair) if seeded else None,
                    )
                )
    return tuple(blocks)


def order_text(blocks: Sequence[PlannedBlock]) -> str:
    """The schedule as a table for ``--dry-run``, one line per block; seeds only if blocks have them."""
    seeded = any(block.seed is not None for block in blocks)
    lines = ["block  pair  scenario  variant           lane" + ("             seed" if seeded else "")]
    for block in blocks:
        place = f"{block.index:5d}  {block.pair:4d}  {block.scenario:<8}  {block.variant:<16}  {block.lane}"
        lines.append(place if block.seed is None else f"{place}  {block.seed:10d}")
    return "\n".join(lines)
