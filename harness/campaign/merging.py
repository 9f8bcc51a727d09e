"""From a command line and its campaign file to the settings of a campaign."""

from __future__ import annotations

from foundation.contract.measured_on import BASE, CLOCK, check_same
from foundation.errors import UsageError
from harness.campaign.campaign_file import CampaignFile, Leg, load_campaign
from harness.campaign.options import Given, check_device
from harness.campaign.settings import OPTIONS, RESULTS, Settings
from harness.campaign.workloads import DEFAULT, workload_named


def settings_of(given: Given) -> Settings:
    """The settings of the one campaign that ``given`` selects.

    ``given`` is the command line, with the ``workload`` of the test file if it names one. UsageError
    for a conflict, or if the file has legs and none is chosen.
    """
    if "campaign" in given:
        file = load_campaign(given["campaign"])
        return _of_leg(given, file, file.leg(given.get("leg")))
    if "leg" in given:
        raise UsageError("--leg chooses a leg of a campaign file", next_step="give --campaign FILE with it")
    workload = given.get("workload", DEFAULT)
    return _merged({"workload": workload, "results": RESULTS / workload}, given)


def settings_of_all(given: Given) -> list[Settings]:
    """As `settings_of`, but all legs in order if the file has legs and none is chosen."""
    if "campaign" not in given or "leg" in given:
        return [settings_of(given)]
    file = load_campaign(given["campaign"])
    check_same((f"leg {leg.name}", _measured_on({**leg.given, **given})) for leg in file.legs)
    return [_of_leg(given, file, leg) for leg in file.legs]


def _measured_on(given: Given) -> dict[str, object]:
    """Clock and base of a leg, as far as it names them; legs of one file are compared with each other."""
    return {CLOCK: given.get("virtual_clock"), BASE: given.get("virtual_base")}


def _of_leg(given: Given, file: CampaignFile, leg: Leg) -> Settings:
    for option in OPTIONS:
        if option.fixed_by_file and option.name in given:
            raise UsageError(
                f"{option.flag} and --campaign {file.name}: the campaign file defines what is compared",
                next_step=f"leave {option.flag} out, or change a copy of {file.path}",
            )
    workload = given.get("workload", file.workload)
    if workload != file.workload:
        raise UsageError(
            f"campaign {file.name} uses {file.workload}, but the test file uses {workload}",
            next_step=f"run android_tests/{workload_named(file.workload).file}, or android_tests",
        )
    results = given.get("results", RESULTS / file.name)
    own = {"leg": leg.name, "results": results if leg.name is None else results / leg.name}
    return _merged({**leg.given, "workload": workload}, {**given, **own})


def _merged(below: Given, given: Given) -> Settings:
    """The command line ``given`` over the file over the defaults. UsageError."""
    check_device(OPTIONS, given, given.get("device", "virtual"))
    profile = workload_named(below["workload"]).profile
    return Settings(**{"profile": profile, **below, **given})
