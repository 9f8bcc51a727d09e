"""One app launch on the device, and whether it was cold, warm or hot."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from foundation.errors import DeviceError
from foundation.quoting import quote

LaunchState = Literal["COLD", "WARM", "HOT", "UNKNOWN"]

#: The longest launch, seconds. am waits 10 s for activities that pass on to others; with a phone short of
#: memory it was seen to answer after 36 s, and to end with ``Status: timeout`` after 105 s.
LAUNCH_DEADLINE_S: Final = 120.0

#: Begins the doubt about an app that am refused to start.
NOT_STARTED: Final = "could not be started"

_FIELD: Final = re.compile(r"^(Status|LaunchState|TotalTime|WaitTime): *(.*?)\s*$", re.MULTILINE)
_LAST: Final = re.compile(r"^after .*$", re.MULTILINE)
#: RELAUNCH: a new activity in the living process (WaitResult.java).
_STATES: Final[dict[str, LaunchState]] = {"COLD": "COLD", "WARM": "WARM", "HOT": "HOT", "RELAUNCH": "WARM"}


@dataclass(frozen=True)
class Launch:
    """The result of one ``am start -W``.

    ``launch_state`` is UNKNOWN if ``am`` does not know it or failed, or if ``am`` and the PIDs contradict
    each other; ``doubt`` is the reason.
    Times are CLOCK_BOOTTIME with the 10 ms resolution of /proc/uptime, read next to the launch;
    ``total_time_ms`` is Android's own figure.
    """

    launch_state: LaunchState
    doubt: str | None
    t_begin_boot_ns: int
    t_end_boot_ns: int
    total_time_ms: float | None
    wait_time_ms: float | None
    pid_before: int | None
    pid_after: int | None


def launch_script(package: str, activity: str, process: str | None = None) -> str:
    """Shell text that starts an activity and prints the PIDs and the boot time before and after.

    ``process`` is the name of the process that the activity runs in; None: the package's.
    """
    component, name = quote(f"{package}/{activity}"), quote(process or package)
    return (
        "read up rest < /proc/uptime; "
        f'echo "before $up $(pidof {name})"; '
        f"am start -W -n {component} 2>&1; "
        'echo "status $?"; '
        "read up rest < /proc/uptime; "
        f'echo "after $up $(pidof {name})"'
    )


def stop_argv(package: str) -> list[str]:
    """The command that ends all processes of an app."""
    return ["am", "force-stop", package]


def split_launch(output: str) -> tuple[str, str]:
    """The output of `launch_script`, and what was printed after it."""
    match = _LAST.search(output)
    return (output[: match.end()], output[match.end() :]) if match else (output, "")


def parse_launch(answer: str, package: str, *, device: str | None = None) -> Launch:
    """Parse the output of `launch_script`. DeviceError if it is incomplete.

    The state of a launch that ``am`` refused or gave up waiting for is UNKNOWN.
    """
    stamps = {
        word: rest.split() for word, rest in re.findall(r"^(before|after|status) ?(.*)$", answer, re.M)
    }
    fields = dict(_FIELD.findall(answer))
    if stamps.keys() != {"before", "after", "status"} or not stamps["before"] or not stamps["after"]:
        raise DeviceError(
            f"incomplete output from starting {package}: {answer[-200:]!r}",
            device=device,
            next_step="run `am start -W` on the device by hand",
        )
    before, after = _pid(stamps["before"]), _pid(stamps["after"])
    state, doubt = classify(fields.get("LaunchState"), "brought to the front" in answer, before, after)
    if stamps["status"] != ["0"] or fields.get("Status") not in ("ok", "timeout"):
        lines = [
            line.strip() for line in answer.splitlines() if "rror" in line or line.startswith("Status")
        ]
        state, doubt = "UNKNOWN", f"{NOT_STARTED}: {'; '.join(lines) or 'am gave no reason'}"
    elif fields["Status"] == "timeout":
        state, doubt = "UNKNOWN", "am gave up waiting for it to draw (Status: timeout)"
    return Launch(
        launch_state=state,
        doubt=doubt,
        t_begin_boot_ns=_boot_ns(stamps["before"][0]),
        t_end_boot_ns=_boot_ns(stamps["after"][0]),
        total_time_ms=_number(fields.get("TotalTime")),
        wait_time_ms=_number(fields.get("WaitTime")),
        pid_before=before,
        pid_after=after,
    )


def classify(
    reported: str | None, to_front: bool, before: int | None, after: int | None
) -> tuple[LaunchState, str | None]:
    """Cold, warm or hot, from the state that ``am`` reported and the PIDs before and after.

    A cold launch creates a process, a warm one an activity in a living process, a hot one neither
    (developer.android.com, "App startup time"). Android before 10 reports no LaunchState; there the
    PIDs and the warning "brought to the front" decide.
    """
    new_process = after is not None and after != before
    if after is None:
        return "UNKNOWN", "the app has no process after its launch"
    if reported is None:
        return ("COLD" if new_process else "HOT" if to_front else "WARM"), None
    state = _STATES.get(reported)
    if state is None:
        return "UNKNOWN", f"am reported LaunchState {reported}"
    if (state == "COLD") != new_process:
        return "UNKNOWN", f"am reported {state}, but the PID changed from {before} to {after}"
    return state, None


def _pid(stamp: list[str]) -> int | None:
    return int(stamp[1]) if len(stamp) > 1 else None


def _boot_ns(seconds: str) -> int:
    integer, _, part = seconds.partition(".")
    return int(integer) * 1_000_000_000 + int(part.ljust(9, "0")[:9] or "0")


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdigit() else None
