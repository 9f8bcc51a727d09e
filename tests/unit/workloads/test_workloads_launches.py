from __future__ import annotations

import subprocess

import pytest

from foundation.errors import DeviceError
from workloads.launches import classify, launch_script, parse_launch

# Shape of `am start -W` since Android 10 (AOSP, ActivityManagerShellCommand); 9 has no LaunchState.
STARTED = """\
before 100.25{before}
Starting: Intent {{ cmp=suite.chat/.Main }}
{warning}Status: ok
{state}Activity: suite.chat/.Main
TotalTime: 512
WaitTime: 530
Complete
status 0
after 100.81 4711
"""
WARNING = "Warning: Activity not started, its current task has been brought to the front\n"


def answer(before: str = "", state: str = "LaunchState: COLD\n", warning: str = "") -> str:
    return STARTED.format(before=before, state=state, warning=warning)


def test_a_cold_start_is_read_whole() -> None:
    launch = parse_launch(answer(), "suite.chat")
    assert (launch.launch_state, launch.doubt) == ("COLD", None)
    assert (launch.pid_before, launch.pid_after) == (None, 4711)
    assert (launch.total_time_ms, launch.wait_time_ms) == (512.0, 530.0)
    assert (launch.t_begin_boot_ns, launch.t_end_boot_ns) == (100_250_000_000, 100_810_000_000)


@pytest.mark.parametrize(
    ("said", "to_front", "before", "after", "state"),
    [
        ("COLD", False, None, 7, "COLD"),
        ("COLD", False, 6, 7, "COLD"),
        ("WARM", False, 7, 7, "WARM"),
        ("HOT", True, 7, 7, "HOT"),
        ("COLD", False, 7, 7, "UNKNOWN"),
        ("HOT", True, None, 7, "UNKNOWN"),
        ("HOT", True, 6, 7, "UNKNOWN"),
        ("HOT", True, 7, None, "UNKNOWN"),
        ("UNKNOWN (0)", False, 7, 7, "UNKNOWN"),
        (None, False, None, 7, "COLD"),
        (None, True, 7, 7, "HOT"),
        (None, False, 7, 7, "WARM"),
    ],
)
def test_am_and_the_process_ids_must_agree(
    said: str | None, to_front: bool, before: int | None, after: int | None, state: str
) -> None:
    got, doubt = classify(said, to_front, before, after)
    assert got == state
    assert (doubt is not None) == (state == "UNKNOWN")


def test_android_9_is_classified_by_the_warning() -> None:
    launch = parse_launch(answer(before=" 4711", state="", warning=WARNING), "suite.chat")
    assert launch.launch_state == "HOT"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "before 1.0\nError type 3\nError: Activity class {a/b} does not exist.\nstatus 1\nafter 1.1\n",
        answer().replace("status 0", "status 137"),
        answer().partition("after")[0],
    ],
)
def test_a_refused_or_cut_off_start_is_an_error_not_a_figure(text: str) -> None:
    with pytest.raises(DeviceError, match=r"suite\.chat"):
        parse_launch(text, "suite.chat")


def test_a_start_that_takes_too_long_is_no_launch_state_and_no_error() -> None:
    launch = parse_launch(answer().replace("Status: ok", "Status: timeout"), "suite.chat")
    assert launch.launch_state == "UNKNOWN"
    assert "Status: timeout" in str(launch.doubt)


def test_a_relaunch_is_a_warm_start() -> None:
    assert classify("RELAUNCH", False, 4711, 4711) == ("WARM", None)


def test_the_reason_that_am_gives_is_passed_on() -> None:
    text = "before 1.0\nError: Activity class {a/b} does not exist.\nstatus 1\nafter 1.1\n"
    with pytest.raises(DeviceError, match="does not exist"):
        parse_launch(text, "suite.chat")


def test_the_script_runs_in_a_shell_and_a_hostile_name_stays_a_word() -> None:
    script = launch_script("a; touch /nonexistent/x #", ".Main")
    tools = 'am() { printf "%s\\n" "$@"; }; pidof() { echo 5; }; '
    done = subprocess.run(["sh", "-c", tools + script], capture_output=True, text=True, check=True)
    assert "a; touch /nonexistent/x #/.Main" in done.stdout.splitlines()
    assert done.stdout.splitlines()[0].startswith("before ")
    assert "status 0" in done.stdout
