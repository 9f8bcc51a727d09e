"""What a campaign's clock means for its figures, in plain words, for page, mail and terminal."""

from __future__ import annotations

from typing import Final

from foundation.contract.measured_on import measured_on
from foundation.contract.records import CampaignRecord

#: Length of one instruction (QEMU, -icount shift=1).
INSTRUCTION_NS: Final = 2

_INSTRUCTIONS: Final = (
    f"Times are counts of instructions of the emulated CPU ({INSTRUCTION_NS} ns each): they measure work,"
    " the same on every host with the same parts, and know no caches, no memory latency and no gain from"
    " running in parallel. Pairs are seeds: both kernels of a pair run the same seed (common random"
    " numbers), n counts seeds, and an interval says how the effect varies over workloads of this kind."
)
_HOST: Final = (
    "An emulated device in host time: the ratios are this host's. Another host, or the same one under other"
    " load, can give others; only parallel work needs this clock."
)


def clock_words(campaign: CampaignRecord) -> str:
    """What the clock means for the figures; empty for a phone, and for a campaign that does not tell."""
    on = measured_on(campaign)
    if not campaign.emulated or not on.told:
        return ""
    return _INSTRUCTIONS if on.in_instructions else _HOST
