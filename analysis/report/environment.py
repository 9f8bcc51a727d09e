"""What the kernels and devices of a campaign have in common, and where the variants differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from foundation.contract.results import Block, Campaign

#: New at each boot, or a count that runs: no property of a variant.
_PER_BOOT: Final = frozenset({"boot_id", "live_count"})
_SHOWN_VALUES: Final = 3


@dataclass(frozen=True)
class Fact:
    """One property; ``values`` is a text for each variant in the order of the campaign.

    ``differs``: the variants do not have the same values. ``unsteady``: one variant alone
    had several over its blocks.
    """

    name: str
    values: tuple[str, ...]
    differs: bool
    unsteady: bool


def facts(campaign: Campaign) -> tuple[Fact, ...]:
    """Kernel identity, pins and capture of all finished blocks, sorted by name."""
    names = [variant.name for variant in campaign.variants]
    seen: dict[str, dict[str, set[str]]] = {}
    for block in campaign.blocks:
        for name, value in _of(block):
            seen.setdefault(name, {}).setdefault(block.place.variant, set()).add(value)
    found = [_suppressed(campaign)] if campaign.suppressed else []
    for name, by_variant in sorted(seen.items()):
        sets = [by_variant.get(variant, set()) for variant in names]
        known = [values for values in sets if values]
        found.append(
            Fact(
                name=name,
                values=tuple(_text(values) for values in sets),
                differs=any(values != known[0] for values in known) or len(known) < _measured(campaign),
                unsteady=any(len(values) > 1 for values in sets),
            )
        )
    return tuple(found)


def _suppressed(campaign: Campaign) -> Fact:
    """First, and said of every variant: what was measured is not what the profile asks for."""
    text = ", ".join(campaign.suppressed)
    return Fact("preconditions suppressed", (text,) * len(campaign.variants), differs=False, unsteady=False)


def _measured(campaign: Campaign) -> int:
    """How many variants have a block at all."""
    return len({block.place.variant for block in campaign.blocks})


def _of(block: Block) -> Iterator[tuple[str, str]]:
    yield from _flat("kernel", block.identity)
    for pin in block.pins:
        yield (
            f"pin {pin.name}",
            f"{pin.set} (read back {pin.after})" if pin.set != pin.after else f"{pin.set}",
        )
        yield f"pin {pin.name}, before", str(pin.before)
    for repetition in block.repetitions:
        yield "trace recorded by", repetition.trace.backend


def _flat(prefix: str, content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if key in _PER_BOOT:
            continue
        name = f"{prefix} {key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _flat(name, value)
        elif isinstance(value, (list, tuple)):
            yield name, ", ".join(str(item) for item in value) or "none"
        else:
            yield name, "none" if value is None else str(value)


def _text(values: set[str]) -> str:
    if not values:
        return "not known"
    ordered = sorted(values)
    more = f" (and {len(ordered) - _SHOWN_VALUES} more)" if len(ordered) > _SHOWN_VALUES else ""
    return " | ".join(ordered[:_SHOWN_VALUES]) + more
