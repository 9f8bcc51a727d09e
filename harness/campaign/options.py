"""From a command line, and the campaign file it names, to the settings of one campaign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.errors import UsageError
from foundation.words import did_you_mean
from harness.campaign.campaign_file import (
    CampaignFile,
    FileSettings,
    Leg,
    load_campaign,
)
from harness.campaign.lanes import LaneSettings
from harness.campaign.session import Settings
from harness.campaign.workloads import DEFAULT, workload_named

PAIRS: Final = 8
REPS: Final = 2
SCENARIOS: Final = "idle,busy"
CPUS: Final = 2
MEMORY_MB: Final = 256
RESULTS: Final = Path("results")


@dataclass(frozen=True)
class CommandLine:
    """Options as they were typed; None or empty is not given.

    ``workload`` is that of the test file that was named, None for a folder.
    """

    device: str = "virtual"
    serial: str | None = None
    adb_port: int | None = None
    lab: Path | None = None
    role: str | None = None
    su: bool = False
    reboot_between: bool = False
    allow_flash: bool = False
    known_good: str | None = None
    fastboot_serial: str | None = None
    boot_deadline_s: float | None = None
    suppress: tuple[str, ...] = ()
    workload: str | None = None
    campaign: str | None = None
    leg: str | None = None
    variants: tuple[str, ...] = ()
    scenarios: str | None = None
    pairs: int | None = None
    reps: int | None = None
    profile: str | None = None
    seed: int | None = None
    results: Path | None = None
    trace_queue: bool = False
    redo_void: bool = False
    trace_reclaim: bool = False
    trace_faults: bool = False
    cpus: int | None = None
    memory_mb: int | None = None
    kernel: Path | None = None
    modules: Path | None = None


def settings_of(line: CommandLine) -> Settings:
    """The one campaign that is asked for. UsageError for a conflict, or a leg that is not chosen."""
    if line.campaign is None:
        if line.leg is not None:
            raise UsageError(
                "--leg chooses a leg of a campaign file", next_step="give --campaign FILE with it"
            )
        workload = line.workload or DEFAULT
        return _settings(line, FileSettings(), workload, None, line.results or RESULTS / workload)
    file = load_campaign(line.campaign)
    return _of_leg(line, file, file.leg(line.leg))


def settings_of_all(line: CommandLine) -> list[Settings]:
    """As `settings_of`; of a file with legs, where no leg is chosen, all of them in order."""
    if line.campaign is None or line.leg is not None:
        return [settings_of(line)]
    file = load_campaign(line.campaign)
    return [_of_leg(line, file, leg) for leg in file.legs]


def _of_leg(line: CommandLine, file: CampaignFile, leg: Leg) -> Settings:
    given = {
        "--variant": bool(line.variants),
        "--profile": line.profile is not None,
        "--virtual-cpus": line.cpus is not None,
        "--virtual-memory-mb": line.memory_mb is not None,
    }
    for option, is_given in given.items():
        if is_given:
            raise UsageError(
                f"{option} and --campaign {file.name}: what is compared is said by the campaign file",
                next_step=f"leave {option} out, or change a copy of {file.path}",
            )
    if line.workload not in (None, file.workload):
        raise UsageError(
            f"campaign {file.name} is of {file.workload}, the test file of {line.workload}",
            next_step=f"run android_tests/{workload_named(file.workload).file}, or android_tests",
        )
    name = file.name if leg.name is None else f"{file.name}/{leg.name}"
    results = line.results or RESULTS / file.name
    if leg.name is not None:
        results = results / leg.name
    return _settings(line, leg.settings, file.workload, name, results)


def _settings(
    line: CommandLine, file: FileSettings, workload: str, name: str | None, results: Path
) -> Settings:
    """The command line before the file, the file before the defaults."""
    _refuse_phone_options(line)
    if line.boot_deadline_s is not None and not 1 <= line.boot_deadline_s <= 3600:
        raise UsageError(
            f"--boot-deadline-s {line.boot_deadline_s:g} is no time for a boot", next_step="give 1 to 3600"
        )
    scenarios = ",".join(file.scenarios) if file.scenarios else SCENARIOS
    return Settings(
        device_kind=line.device,
        lane=LaneSettings(
            device_kind=line.device,
            serial=line.serial,
            adb_port=line.adb_port,
            lab=line.lab,
            role=line.role,
            su=line.su,
            reboot_between=line.reboot_between,
            allow_flash=line.allow_flash,
            known_good=line.known_good,
            fastboot_serial=line.fastboot_serial,
            boot_deadline_s=line.boot_deadline_s,
            cpus=_first(line.cpus, file.cpus, CPUS),
            memory_mb=_first(line.memory_mb, file.memory_mb, MEMORY_MB),
            kernel=line.kernel,
            modules=line.modules,
        ),
        variants=line.variants or file.variants or (),
        scenarios=line.scenarios if line.scenarios is not None else scenarios,
        pairs=_first(line.pairs, file.pairs, PAIRS),
        reps=_first(line.reps, file.reps, REPS),
        results=results,
        profile=line.profile or file.profile or workload_named(workload).profile,
        seed=line.seed if line.seed is not None else file.seed,
        trace_queue=line.trace_queue or bool(file.trace_queue),
        redo_void=line.redo_void,
        suppress=line.suppress,
        trace_reclaim=line.trace_reclaim or bool(file.trace_reclaim),
        trace_faults=line.trace_faults or bool(file.trace_faults),
        workload=workload,
        changes=file.changes,
        name=name,
    )


def _refuse_phone_options(line: CommandLine) -> None:
    """An option that would do nothing is a misunderstanding."""
    if line.device == "phone":
        return
    given = {
        "--lab": line.lab is not None,
        "--role": line.role is not None,
        "--su": line.su,
        "--reboot-between": line.reboot_between,
        "--allow-flash": line.allow_flash,
        "--known-good": line.known_good is not None,
        "--fastboot-serial": line.fastboot_serial is not None,
        "--boot-deadline-s": line.boot_deadline_s is not None,
        "--suppress": bool(line.suppress),
    }
    for option, is_given in given.items():
        if is_given:
            raise UsageError(f"{option} is for a phone", next_step="add --device=phone, or leave it out")


def whole(option: str, text: str | None) -> int | None:
    """The number that was typed; None where the option was not given. UsageError."""
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is no whole number", next_step=f"such as {option} 8") from None


def chosen(option: str, word: str, words: Sequence[str]) -> str:
    """``word``, which must be one of ``words``. UsageError with the nearest."""
    if word not in words:
        raise UsageError(f"{option} cannot be {word!r}", next_step=did_you_mean(word, words))
    return word


def _first(*values: int | None) -> int:
    """The first that was given."""
    return next(value for value in values if value is not None)
