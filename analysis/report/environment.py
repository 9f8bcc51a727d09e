"""What the kernels and devices of a campaign have in common, and how the variants differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from foundation.contract.results import Block, Campaign

#: New at each boot, or a running count: not properties of a variant.
_PER_BOOT: Final = frozenset({"boot_id", "live_count"})
_SHOWN_VALUES: Final = 3


@dataclass(frozen=True)
class Fact:
    """One property; ``values`` has a text for each variant in the order of the campaign.

    ``differs``: the variants do not have the same values. ``unsteady``: a variant has several values
    over its blocks.
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
    text = ", ".join(campaign.suppressed)
    suppressed = Fact("preconditions suppressed", (text,) * len(names), differs=False, unsteady=False)
    # First, for every variant: the device was not in the state that the profile asks for.
    properties = [suppressed] if text else []
    measured = len({block.place.variant for block in campaign.blocks})
    for name, by_variant in sorted(seen.items()):
        sets = [by_variant.get(variant, set()) for variant in names]
        known = [values for values in sets if values]
        properties.append(
            Fact(
                name=name,
                values=tuple(_text(values) for values in sets),
                differs=any(values != known[0] for values in known) or len(known) < measured,
                unsteady=any(len(values) > 1 for values in sets),
            )
        )
    return tuple(properties)


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
        return "unknown"
    ordered = sorted(values)
    more = f" (and {len(ordered) - _SHOWN_VALUES} more)" if len(ordered) > _SHOWN_VALUES else ""
    return " | ".join(ordered[:_SHOWN_VALUES]) + more
