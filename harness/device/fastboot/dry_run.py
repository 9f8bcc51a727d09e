"""The commands that bring kernels to a phone, without one: from the same steps that a real run takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from harness.device.fastboot.choice import Kernel
from harness.device.fastboot.client import Place
from harness.device.fastboot.opening import FlashOptions, check_kernels
from harness.device.fastboot.steps import (
    PhoneNames,
    Situation,
    Step,
    after,
    is_original,
    steps_back,
    steps_to,
)

#: Stand for what only the phone knows: its serial number, the slot it is found in, and the other one.
SERIAL: Final = "SERIAL"
FOUND: Final = "FOUND"
OTHER: Final = "OTHER"


def kernel_commands(
    blocks: Sequence[str], kernels: Mapping[str, Kernel], options: FlashOptions, *, serial: str | None
) -> list[str]:
    """Lines to show: what brings the kernel of each block, and puts the phone back. UsageError.

    ``blocks`` are names of variants, ``kernels`` what they bring. Empty where none brings a kernel.
    """
    known_good = check_kernels(kernels, options)
    if not kernels:
        return []
    adb = serial or SERIAL
    # On a network the two have different addresses.
    by_usb = adb if ":" not in adb else SERIAL
    phone = PhoneNames(adb, options.serial or by_usb, FOUND, OTHER)
    now = Situation("android", FOUND)
    seen: dict[tuple[str, ...], int] = {}
    shown: list[str] = []
    for number, name in enumerate(blocks):
        lines: list[str] = []
        for step in steps_to(kernels.get(name), now, phone, known_good):
            lines += step.commands(phone)
            now = _done(step, now)
        first = seen.setdefault(tuple(lines), number)
        shown.append(f"block {number}, {name}:" + (f" as block {first}" if first < number else ""))
        shown += [f"    {line}" for line in lines] if first == number else []
    shown.append("at the end, and after an error or Ctrl-C:")
    if now.kernel is None and is_original(now, phone, known_good):
        shown.append("    nothing: the kernel that it was found with runs")
    else:
        for step in steps_back(now, phone, known_good):
            shown += [f"    {line}" for line in step.commands(phone)]
    shown.append(
        f"{FOUND} is the slot that the phone is found in, {OTHER} the one beside it; without slots there is"
        " no suffix"
    )
    return shown


def _done(step: Step, now: Situation) -> Situation:
    done = after(step, now)
    place: Place | None = done.place
    return done if place is not None else Situation("android", done.active, done.written, done.kernel)
