"""What a campaign would send to a phone to change or drive it, as shell text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from analysis.metrics import needs_of
from harness.campaign.lanes import flash_options
from harness.campaign.plan import Plan
from harness.campaign.repetition import real_time
from harness.campaign.settings import Settings
from harness.campaign.workloads import workload_named
from harness.capture.commands import recorder_commands
from harness.device.adb.shell_v2 import kill_text
from harness.device.fastboot.dry_run import kernel_commands
from harness.device.preconditions import Pin, Precondition, pins_for
from harness.device.preconditions.command_pins import SettingPin
from harness.device.preconditions.cpufreq import FOLDER
from harness.device.preconditions.phone_pins import (
    DEXOPT_SINCE_API,
    charge_pins,
    plain_pins,
)
from harness.device.preconditions.records import suppressed
from harness.variants.variant import kernels_of
from workloads.burner import burner_commands

_INDENT: Final = "    "


def commands_text(settings: Settings, plan: Plan) -> list[str]:
    """Lines of a dry run: how each block gets its kernel, what it sets, runs and records. UsageError.

    A value that is right already is not written; every other is read back, and put back in
    reverse after the block. Commands that only read are left out, but for those of the workload.
    """
    address = [f"--serial {settings.serial}"] if settings.serial else []
    address += [f"--role {settings.role}"] if settings.role else []
    blocks = [block.variant for block in plan.blocks]
    brought = kernels_of(plan.variants)
    kernels = kernel_commands(blocks, brought, flash_options(settings), serial=settings.serial)
    reboot = (
        ["adb reboot, before every block but the first"] if settings.reboot_between and not kernels else []
    )
    kind = workload_named(plan.workload)
    often = f"a warm-up and {plan.reps} repetition{'' if plan.reps == 1 else 's'} a block"
    lines = [
        *kernels,
        *_section(
            f"sent to the phone ({' '.join(address) or 'the only one attached'}), and put back:",
            [*reboot, *_settings(plan)],
        ),
        *_section(f"run on the phone by the workload, {often}:", kind.commands(plan.profile)),
    ]
    for scenario in plan.scenarios:
        if scenario != "idle":
            commands = burner_commands(real_time(scenario))
            lines += _section(f"run beside it by scenario {scenario}:", commands)
    lines += _section("recorded by:", recorder_commands(needs_of(plan.metrics)))
    if plan.suppressed:
        lines.append(f"neither set nor checked: {', '.join(plan.suppressed)}")
    lines.append(f"what ends in & runs until: {kill_text('PID', 'TERM')} (KILL, if it stays)")
    if settings.su:
        lines.append("each as root, through the phone's su")
    return lines


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return [title, *(f"{_INDENT}{line}" for line in lines)]


def _settings(plan: Plan) -> list[str]:
    lines = [f"{text}    # {variant.name}" for variant in plan.variants for text in variant.kind.commands()]
    phone = plan.profile.phone
    own = plain_pins(phone, api=DEXOPT_SINCE_API, network=False)
    pins = suppressed([*own, *pins_for(plan.profile.device)], plan.suppressed)
    lines += [text for pin in pins for text in _commands(pin)]
    if any(isinstance(pin, SettingPin) for pin in pins):
        lines.append("settings delete NAMESPACE KEY    # puts back what was not set")
    if phone.charging == "no":
        where = "charging, as root: the first of these that the phone has"
        lines += [
            f"{text}    # {where}"
            for pin in suppressed(charge_pins(), plan.suppressed)
            for text in _commands(pin)
        ]
    if phone.cpufreq == "fixed" and "cpufreq" not in plan.suppressed:
        share = f"the highest step up to {phone.cpufreq_share:.0%} of its maximum"
        lines.append(f"echo KHZ > {FOLDER}/policy*/scaling_{{max,min}}_freq    # {share}")
    return lines


def _commands(item: Precondition) -> list[str]:
    """How a pin is set; nothing for what is only checked or recorded."""
    return item.commands() if isinstance(item, Pin) else []
