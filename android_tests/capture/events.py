"""Which ftrace events a recording asks for, and which of them the kernel has."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from android_tests.device.protocol import Device
from foundation.errors import DeviceError, UsageError

TRACEFS_ROOTS: Final = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")

#: Rare, and without them a thread that was born, renamed or reaped has the wrong name.
LIFETIME_EVENTS: Final = frozenset(
    ("task/task_newtask", "task/task_rename", "sched/sched_process_exit", "sched/sched_process_free")
)


def wanted(events: Collection[str]) -> tuple[str, ...]:
    """The events that metrics ask for plus `LIFETIME_EVENTS`, sorted. UsageError for a malformed name."""
    for event in events:
        group, slash, name = event.partition("/")
        if not (group and slash and name) or "/" in name or not (group + name).replace("_", "").isalnum():
            raise UsageError(f"{event!r} is not an ftrace event", next_step="write it as group/name")
    return tuple(sorted(set(events) | LIFETIME_EVENTS))


def tracefs_root(device: Device) -> str | None:
    """Where tracefs is mounted and readable on the device, or None."""
    for root in TRACEFS_ROOTS:
        if device.shell(["test", "-d", f"{root}/events/sched"], check=False).exit_status == 0:
            return root
    return None


def split_present(
    device: Device, root: str, events: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Events that the kernel of the device lists, and those that it does not; one round trip.

    DeviceError if the device does not answer for each event.
    """
    names = sorted(events)
    # Names are letters, digits and underscores (see `wanted`): they need no quoting.
    text = "\n".join(f"test -d {root}/events/{name} && echo yes || echo no" for name in names)
    answers = device.script(text).stdout.split()
    if len(answers) != len(names):
        raise DeviceError(
            f"{len(answers)} answers for {len(names)} ftrace events",
            device=device.serial,
            next_step=f"list {root}/events on the device by hand",
        )
    present = tuple(name for name, answer in zip(names, answers, strict=True) if answer == "yes")
    return present, tuple(name for name in names if name not in present)
