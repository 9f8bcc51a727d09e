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


@pytest.mark.parametrize("text", ["", answer().partition("after")[0]])
def test_a_cut_off_start_is_an_error_not_a_figure(text: str) -> None:
    with pytest.raises(DeviceError, match=r"suite\.chat"):
        parse_launch(text, "suite.chat")


def test_a_start_without_a_state_and_a_total_time_is_read_whole() -> None:
    # Some vendors' phones print no more than this.
    text = "before 9.5 7\nStatus: ok\nLaunchState: UNKNOWN (0)\nWaitTime: 37\nstatus 0\nafter 9.6 7\n"
    launch = parse_launch(text, "suite.chat")
    assert (launch.launch_state, launch.total_time_ms, launch.wait_time_ms) == ("UNKNOWN", None, 37.0)
    assert launch.doubt == "am reported LaunchState UNKNOWN (0)"


def test_a_start_that_takes_too_long_is_no_launch_state_and_no_error() -> None:
    launch = parse_launch(answer().replace("Status: ok", "Status: timeout"), "suite.chat")
    assert launch.launch_state == "UNKNOWN"
    assert "Status: timeout" in str(launch.doubt)


def test_a_relaunch_is_a_warm_start() -> None:
    assert classify("RELAUNCH", False, 4711, 4711) == ("WARM", None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "before 1.0\nError type 3\nError: Activity class {a/b} does not exist.\nstatus 1\nafter 1.1\n",
            "could not be started: Error type 3; Error: Activity class {a/b} does not exist.",
        ),
        (answer().replace("status 0", "status 137"), "could not be started: Status: ok"),
    ],
)
def test_a_refused_start_is_of_unknown_state_for_the_reason_that_am_gives(text: str, words: str) -> None:
    launch = parse_launch(text, "suite.chat")
    assert (launch.launch_state, launch.doubt) == ("UNKNOWN", words)


def test_the_process_need_not_be_named_like_the_package() -> None:
    script = launch_script("suite.search", ".Main", "suite.search:search")
    assert script.count("$(pidof suite.search:search)") == 2
    assert "am start -W -n suite.search/.Main " in script


def test_the_script_runs_in_a_shell_and_a_hostile_name_stays_a_word() -> None:
    script = launch_script("a; touch /nonexistent/x #", ".Main")
    tools = 'am() { printf "%s\\n" "$@"; }; pidof() { echo 5; }; '
    done = subprocess.run(["sh", "-c", tools + script], capture_output=True, text=True, check=True)
    assert "a; touch /nonexistent/x #/.Main" in done.stdout.splitlines()
    assert done.stdout.splitlines()[0].startswith("before ")
    assert "status 0" in done.stdout
