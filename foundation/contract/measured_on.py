"""By which clock, on which base and with which page size a campaign was measured; what may not be mixed.

A lane writes them into its facts (``lanes`` of campaign.json). Figures are comparable only where all
three are the same: another clock is another unit, another base another kernel, and another page size
other work for each page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from foundation.contract.records import CampaignRecord
from foundation.errors import ResultsError, UsageError

#: The facts of a lane, by name.
CLOCK: Final = "clock"
BASE: Final = "base"
PAGE_KB: Final = "page_kb"

INSTRUCTIONS: Final = "instructions"
HOST: Final = "host"

_NAMES: Final = {CLOCK: "clocks", BASE: "bases", PAGE_KB: "page sizes"}
_NEXT_STEP: Final = "give campaigns of one clock, one base and one page size"


@dataclass(frozen=True)
class MeasuredOn:
    """``clock``: ``instructions`` (of an emulator) or ``host`` (time as a clock shows it).

    ``base`` (kernel series and architecture) and ``page_kb`` are empty if the campaign does not tell
    them, as phones and older files do not. ``told`` is false if it does not tell its clock either.
    """

    clock: str
    base: str
    page_kb: str
    told: bool

    @property
    def in_instructions(self) -> bool:
        """Whether time was counted in instructions."""
        return self.clock == INSTRUCTIONS

    def text(self) -> str:
        """What is told, in words; empty if nothing is."""
        clock = "time in instructions" if self.in_instructions else "time of the host"
        parts = (self.base, f"{self.page_kb} KiB pages" if self.page_kb else "", clock if self.told else "")
        return ", ".join(filter(None, parts))


def measured_on(campaign: CampaignRecord) -> MeasuredOn:
    """What the lanes of a campaign tell. ResultsError if they differ."""
    told = {name: _one(campaign, name) for name in _NAMES}
    return MeasuredOn(told[CLOCK] or HOST, told[BASE], told[PAGE_KB], told=bool(told[CLOCK]))


def _one(campaign: CampaignRecord, name: str) -> str:
    values = sorted({str(facts[name]) for facts in campaign.lanes.values() if name in facts})
    if len(values) > 1:
        raise ResultsError(
            f"{campaign.name} mixes {_NAMES[name]}: {', '.join(values)}", next_step="measure them apart"
        )
    return values[0] if values else ""


def check_comparable(campaigns: Mapping[str, CampaignRecord]) -> None:
    """UsageError, one line, if campaigns (by name) of different clock, base or page size are mixed.

    A base or page size that a campaign does not tell is not compared.
    """
    told = {name: measured_on(campaign) for name, campaign in campaigns.items()}
    check_same(
        (name, {CLOCK: one.clock, BASE: one.base, PAGE_KB: one.page_kb}) for name, one in told.items()
    )


def check_same(facts: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """The same for any facts by name (`CLOCK`, `BASE`, `PAGE_KB`), such as those of settings."""
    first: dict[str, tuple[str, str]] = {}
    for name, own in facts:
        for fact, plural in _NAMES.items():
            value = str(own.get(fact) or "")
            if not value:
                continue
            whose, before = first.setdefault(fact, (name, value))
            if value != before:
                raise UsageError(
                    f"{whose} and {name} have different {plural}, {before} and {value}: their figures"
                    " cannot be compared",
                    next_step=_NEXT_STEP,
                )
