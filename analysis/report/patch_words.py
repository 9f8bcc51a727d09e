"""What the patches of a campaign's kernels are, in words."""

from __future__ import annotations

from foundation.contract.results import Campaign
from foundation.published_patches import JOINT, OPTION, patch_words, published_in


def patches_of(campaign: Campaign) -> list[str]:
    """A sentence for each variant that is built from a patch whose ids are recorded."""
    return [
        f"{variant.name} is {words}."
        for variant in campaign.variants
        if (words := patch_words(variant.options)) is not None
    ]


def defects_of(campaign: Campaign) -> list[str]:
    """Known defects of the published patches in a campaign, one sentence each."""
    found = []
    for one in published_in(
        [part for variant in campaign.variants for part in variant.options.get(OPTION, "").split(JOINT)]
    ):
        found += [f"{one.name}: {defect}." for defect in one.defects]
    return found
