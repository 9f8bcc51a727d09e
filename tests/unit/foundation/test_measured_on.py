"""Clock, base and page size of a campaign: what is told, and what is never mixed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from foundation.contract.measured_on import check_comparable, check_same, measured_on
from foundation.contract.records import CampaignRecord
from foundation.contract.results import load
from foundation.errors import ResultsError, UsageError
from tests.unit.results_folder import ResultsFolder


@pytest.fixture
def campaign(tmp_path: Path) -> CampaignRecord:
    return load(ResultsFolder(tmp_path / "results").root)


def on(campaign: CampaignRecord, *facts: Mapping[str, str]) -> CampaignRecord:
    return dataclasses.replace(campaign, lanes={f"lane-{n}": one for n, one in enumerate(facts)})


NEW = {"clock": "instructions", "base": "6.12-arm64", "page_kb": "4"}


def test_an_older_campaign_is_of_host_time_and_tells_nothing(campaign: CampaignRecord) -> None:
    told = measured_on(campaign)
    assert (told.clock, told.told, told.text()) == ("host", False, "")


def test_what_is_told_in_words(campaign: CampaignRecord) -> None:
    assert measured_on(on(campaign, NEW)).text() == "6.12-arm64, 4 KiB pages, time in instructions"
    assert measured_on(on(campaign, {"clock": "host"})).text() == "time of the host"


def test_lanes_of_one_campaign_agree(campaign: CampaignRecord) -> None:
    with pytest.raises(ResultsError, match="mixes page sizes: 16, 4"):
        measured_on(on(campaign, NEW, NEW | {"page_kb": "16"}))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"clock": "host"}, "different clocks, instructions and host"),
        ({"base": "6.12-arm64-16k"}, "different bases"),
        ({"page_kb": "16"}, "different page sizes, 4 and 16"),
    ],
)
def test_what_differs_is_not_compared(campaign: CampaignRecord, change: dict[str, str], what: str) -> None:
    first, second = on(campaign, NEW), on(campaign, NEW | change)
    check_comparable({"a": first, "b": first})
    with pytest.raises(UsageError, match=f"a and c have {what}") as caught:
        check_comparable({"a": first, "b": first, "c": second})
    assert "\n" not in str(caught.value)
    assert caught.value.next_step


def test_an_older_one_is_not_mixed_with_instructions(campaign: CampaignRecord) -> None:
    check_comparable({"old": campaign, "new": on(campaign, {"clock": "host", "base": "6.12-arm64"})})
    with pytest.raises(UsageError, match="different clocks"):
        check_comparable({"old": campaign, "new": on(campaign, NEW)})


def test_facts_that_are_not_told_are_not_compared() -> None:
    check_same([("a", {"base": "6.1-amd64"}), ("b", {}), ("c", {"base": None})])
