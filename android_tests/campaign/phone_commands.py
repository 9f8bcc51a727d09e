"""What a campaign would send to a phone to change it, as shell text."""

from __future__ import annotations

from typing import Final

from android_tests.campaign.plan import Plan
from android_tests.campaign.session import Settings
from android_tests.device.fastboot.dry_run import kernel_commands
from android_tests.device.quoting import quote
from android_tests.device.state import FilePin, Pin, ZramPin, ZramState, pins_for
from android_tests.device.state.command_pins import CommandPin, SettingPin
from android_tests.device.state.cpufreq import FOLDER
from android_tests.device.state.phone_pins import DEXOPT_SINCE_API, plain_pins, suppressed
from android_tests.device.switches import switches_of

_INDENT: Final = "    "


def commands_text(settings: Settings, plan: Plan) -> list[str]:
    """Lines of a dry run: how each block gets its kernel, and what it sets. UsageError.

    A value that is right already is not written; every other is read back, and put back in
    reverse after the block.
    """
    address = [f"--serial {settings.lane.serial}"] if settings.lane.serial else []
    address += [f"--role {settings.lane.role}"] if settings.lane.role else []
    lane = settings.lane
    blocks = [plan.variant(block.variant) for block in plan.blocks]
    kernels = kernel_commands(blocks, plan.variants, lane.flash_options(), serial=lane.serial)
    lines = [*kernels, f"sent to the phone ({' '.join(address) or 'the only one attached'}), and put back:"]
    if lane.reboot_between and not kernels:
        lines.append(f"{_INDENT}adb reboot, before every block but the first")
    for variant in plan.variants:
        for pin in switches_of(variant):
            lines += [f"{_INDENT}{text}    # {variant.name}" for text in _commands(pin)]
    phone = plan.profile.phone
    own = plain_pins(phone, api=DEXOPT_SINCE_API, network=False)
    for pinned in suppressed([*own, *pins_for(plan.profile.device)], plan.suppressed):
        lines += [f"{_INDENT}{text}" for text in _commands(pinned)]
    if phone.cpufreq == "fixed" and "cpufreq" not in plan.suppressed:
        share = f"the highest step up to {phone.cpufreq_share:.0%} of its maximum"
        lines.append(f"{_INDENT}echo KHZ > {FOLDER}/policy*/scaling_{{max,min}}_freq    # {share}")
    if plan.suppressed:
        lines.append(f"neither set nor checked: {', '.join(plan.suppressed)}")
    return lines


def _commands(pin: Pin) -> list[str]:
    """How `Pin.write` gets to the value that is wanted; nothing for what is only recorded."""
    if pin.wanted is None or not pin.drifts:
        return []
    if isinstance(pin, FilePin):
        return [f"echo {quote(pin.wanted)} > {quote(pin.path)}"]
    if isinstance(pin, SettingPin):
        return [f"settings put {pin.namespace} {pin.key} {quote(pin.wanted)}"]
    if isinstance(pin, CommandPin):
        return [f"{pin.writing[pin.wanted]}    # {pin.name}"]
    if isinstance(pin, ZramPin):
        return _zram(pin)
    return [f"{pin.name}: {pin.wanted}"]


def _zram(pin: ZramPin) -> list[str]:
    state = ZramState.parse(pin.wanted)
    node, base = f"/dev/block/{pin.device_name}", f"/sys/block/{pin.device_name}"
    return [
        f"swapoff {node}",
        f"echo 1 > {base}/reset",
        f"echo {quote(state.algorithm)} > {base}/comp_algorithm",
        f"echo {state.disksize} > {base}/disksize",
        f"mkswap {node}",
        f"swapon {node}",
    ]
