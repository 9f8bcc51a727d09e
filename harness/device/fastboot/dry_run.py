"""The commands that boot kernels on a phone, for a dry run: from the steps that a real run takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from harness.device.fastboot.choice import Kernel
from harness.device.fastboot.opening import FlashOptions, check_kernels
from harness.device.fastboot.steps import PhoneNames, Situation, after, is_original, steps_back, steps_to

#: Placeholders for what only the phone knows: its serial number, its original slot, and the other one.
SERIAL: Final = "SERIAL"
FOUND: Final = "FOUND"
OTHER: Final = "OTHER"


def kernel_commands(
    blocks: Sequence[str], kernels: Mapping[str, Kernel], options: FlashOptions, *, serial: str | None
) -> list[str]:
    """Lines to print: the commands that boot the kernel of each block and restore the phone. UsageError.

    ``blocks`` are the variants in order, ``kernels`` maps some to a kernel. Empty without kernels.
    """
    known_good = check_kernels(kernels, options)
    if not kernels:
        return []
    adb = serial or SERIAL
    # On a network, adb and fastboot have different addresses.
    by_usb = adb if ":" not in adb else SERIAL
    phone = PhoneNames(adb, options.serial or by_usb, FOUND, OTHER)
    now = Situation("android", FOUND)
    seen: dict[tuple[str, ...], int] = {}
    shown: list[str] = []
    for number, name in enumerate(blocks):
        lines: list[str] = []
        for step in steps_to(kernels.get(name), now, phone, known_good):
            lines += step.commands(phone)
            now = after(step, now)
            now = replace(now, place=now.place or "android")
        first = seen.setdefault(tuple(lines), number)
        shown.append(f"block {number}, {name}:" + (f" as block {first}" if first < number else ""))
        shown += [f"    {line}" for line in lines] if first == number else []
    shown.append("at the end, and after an error or Ctrl-C:")
    if now.kernel is None and is_original(now, phone, known_good):
        shown.append("    nothing: the original kernel runs")
    else:
        for step in steps_back(now, phone, known_good):
            shown += [f"    {line}" for line in step.commands(phone)]
    shown.append(
        f"{FOUND} is the slot that the phone starts the run in, {OTHER} the second one; a phone without"
        " slots has no suffix"
    )
    return shown
