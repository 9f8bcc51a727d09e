"""The ftrace events that a recording needs, and those that the kernel has."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import DeviceError, UsageError

TRACEFS_ROOTS: Final = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")

#: Rare; without them, threads created, renamed or reaped during the trace are misnamed.
LIFETIME_EVENTS: Final = frozenset(
    ("task/task_newtask", "task/task_rename", "sched/sched_process_exit", "sched/sched_process_free")
)

#: Recorded where they exist and are open, and missed nowhere. Pixel kernels say at each sleep of kswapd how
#: many pages it scanned and reclaimed (google drivers/soc/google/pixel_stat/mm/pixel_mm_trace.h).
EXTRA_EVENTS: Final = frozenset(("pixel_mm/pixel_mm_kswapd_wake", "pixel_mm/pixel_mm_kswapd_done"))


def wanted(events: Collection[str]) -> tuple[str, ...]:
    """The events that metrics need plus `LIFETIME_EVENTS`, sorted. UsageError for a malformed name."""
    for event in events:
        group, slash, name = event.partition("/")
        if not (group and slash and name) or "/" in name or not (group + name).replace("_", "").isalnum():
            raise UsageError(f"{event!r} is not an ftrace event", next_step="write it as group/name")
    return tuple(sorted(set(events) | LIFETIME_EVENTS))


def tracefs_root(device: Device) -> str | None:
    """Where tracefs is mounted and readable on the device, or None."""

    def is_readable(root: str) -> bool:
        return device.shell(["test", "-d", f"{root}/events/sched"], check=False).exit_status == 0

    return next(filter(is_readable, TRACEFS_ROOTS), None)


def split_present(
    device: Device, root: str, events: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Events that can be recorded, and those that cannot; one round trip.

    The kernel must have an event and allow Perfetto's service to enable it: that runs as user
    nobody, so the file must be writable for all (atrace.rc), and on a user build have the label
    debugfs_tracing (system/sepolicy: private/genfs_contexts, private/traced_probes.te). A shell
    without root has the same rights as the service, so a write test decides; on a virtual device
    the service runs as root as well. DeviceError if the device does not answer for each event.
    """
    names = sorted(events)
    if not names:
        return (), ()
    by_mode = device.is_root and not device.emulated
    if not by_mode:
        # Without access the files are hidden, the folder is not.
        command = "test -w {folder}/enable && echo yes || echo no"
    else:
        command = (
            "test -d {folder} && echo $(stat -c %a {folder}/enable)"
            " $(stat -c %C {folder}/enable 2>/dev/null || echo unknown) || echo no"
        )
    # Names are letters, digits and underscores (see `wanted`): they need no quoting.
    text = "\n".join(command.format(folder=f"{root}/events/{name}") for name in names)
    answers = device.script(text).stdout.splitlines()
    if len(answers) != len(names):
        raise DeviceError(
            f"{len(answers)} answers for {len(names)} ftrace events",
            device=device.serial,
            next_step=f"list {root}/events on the device by hand",
        )
    check_label = by_mode and _enforces_labels(device)
    present = tuple(
        name for name, answer in zip(names, answers, strict=True) if _is_open(answer, check_label)
    )
    return present, tuple(name for name in names if name not in present)


def _enforces_labels(device: Device) -> bool:
    """Whether the service may only open tracefs files of its label: on an enforcing user build."""
    answers = ask_all(device, {"debuggable": "getprop ro.debuggable", "mode": "getenforce"})
    return answers["debuggable"].text != "1" and answers["mode"].text != "Permissive"


def _is_open(answer: str, check_label: bool) -> bool:
    """``answer`` is yes, no, or mode and SELinux context of a file that root sees."""
    words = answer.split()
    if len(words) != 2:
        return answer == "yes"
    mode, context = words
    label_allows = not check_label or context == "unknown" or ":debugfs_tracing:" in context
    return bool(int(mode, 8) & 0o002) and label_allows
