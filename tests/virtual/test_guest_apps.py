"""Apps in the guest: launches, classes of oom_score_adj, and how apps end."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from foundation.contract.device import Device
from harness.virtual.lane import VirtualLane
from tests.variants import boot_into, virtual_variant
from workloads.kills import exit_reasons

_INI = """anon_kb={anon_kb}
hot_share=0.5
cold_share=0.1
rewrite_share=0.2
content=zero:0.1,ratio2.5:0.5,random:0.4
seed=7
pace_pages=64
pace_ms=0
"""


def install(device: Device, package: str, anon_kb: int = 2048) -> None:
    push_ini(device, package, _INI.format(anon_kb=anon_kb))


def push_ini(device: Device, package: str, text: str) -> None:
    device.shell(["mkdir", "-p", f"/data/app/{package}"])
    device.push_bytes(text.encode(), f"/data/app/{package}/app.ini")


def start(device: Device, package: str) -> dict[str, str]:
    """am start -W; its lines as a mapping, with the whole text under ``all``."""
    text = device.shell(["am", "start", "-W", "-n", f"{package}/.Main"], deadline_s=120).stdout
    pairs = (line.partition(": ")[::2] for line in text.splitlines())
    return {**dict(pairs), "all": text}


def pid_of(device: Device, package: str) -> str:
    return device.shell(["pidof", package], check=False).stdout.strip()


def adj_of(device: Device, package: str) -> int:
    return int(device.read_text(f"/proc/{pid_of(device, package)}/oom_score_adj"))


def events(device: Device, tag: str) -> list[str]:
    text = device.shell(["logcat", "-d", "-b", "events", "-s", tag]).stdout
    return [line.split(f"{tag}: ", 1)[1] for line in text.splitlines()]


def exit_info(device: Device) -> str:
    return device.shell(["dumpsys", "activity", "exit-info"]).stdout


@pytest.fixture(scope="module")
def lane() -> Iterator[VirtualLane]:
    opened = VirtualLane()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def booted(lane: VirtualLane) -> Device:
    device = boot_into(lane, virtual_variant("baseline=stock"))
    for name in "abcde":
        install(device, f"com.example.app_{name}")
    return device


@pytest.fixture
def device(booted: Device) -> Device:
    """No app runs, the log is empty."""
    for name in "abcde":
        booted.shell(["am", "force-stop", f"com.example.app_{name}"])
    booted.shell(["logcat", "-c"])
    return booted


def test_packages(device: Device) -> None:
    names = [f"package:com.example.app_{name}" for name in "abcde"]
    assert device.shell(["pm", "list", "packages"]).stdout.splitlines() == names
    assert (
        device.shell(["cmd", "package", "list", "packages", "-3", "app_b"]).stdout.splitlines()
        == names[1:2]
    )
    assert device.shell(["pm", "list", "packages", "-s"]).stdout == ""
    path = device.shell(["pm", "path", "com.example.app_a"]).stdout
    assert path == "package:/data/app/com.example.app_a/app.ini\n"
    assert device.shell(["pm", "path", "com.example.none"], check=False).exit_status == 1


def test_a_cold_start(device: Device) -> None:
    said = start(device, "com.example.app_a")
    assert said["all"].splitlines()[0] == "Starting: Intent { cmp=com.example.app_a/.Main }"
    assert said["all"].splitlines()[-1] == "Complete"
    assert said["Status"] == "ok"
    assert said["LaunchState"] == "COLD"
    assert said["Activity"] == "com.example.app_a/.Main"
    assert 0 < int(said["TotalTime"]) <= int(said["WaitTime"])
    pid = pid_of(device, "com.example.app_a")
    assert device.read_text(f"/proc/{pid}/comm") == "m.example.app_a\n"
    rss_pages = int(device.read_text(f"/proc/{pid}/statm").split()[1])
    assert rss_pages * 4 >= 2048
    assert events(device, "am_proc_start")[0].startswith(f"[0,{pid},0,com.example.app_a,")
    assert '"event":"start"' in device.read_text("/data/app/com.example.app_a/app.log").replace(" ", "")


def test_hot_warm_and_top(device: Device) -> None:
    start(device, "com.example.app_a")
    pid = pid_of(device, "com.example.app_a")
    top = start(device, "com.example.app_a")
    assert "intent has been delivered to currently running top-most instance." in top["all"]
    assert (top["LaunchState"], top["TotalTime"]) == ("UNKNOWN (0)", "0")
    device.shell(["input", "keyevent", "HOME"])
    hot = start(device, "com.example.app_a")
    assert "its current task has been brought to the front" in hot["all"]
    assert hot["LaunchState"] == "HOT"
    device.shell(["input", "keyevent", "KEYCODE_BACK"])
    warm = start(device, "com.example.app_a")
    assert warm["LaunchState"] == "WARM"
    assert "Warning" not in warm["all"]
    assert pid_of(device, "com.example.app_a") == pid


def test_the_long_form_of_an_activity_and_force_stop_first(device: Device) -> None:
    start(device, "com.example.app_a")
    pid = pid_of(device, "com.example.app_a")
    said = device.shell(["am", "start", "-S", "-W", "com.example.app_a/com.example.app_a.Main"]).stdout
    assert said.startswith("Stopping: com.example.app_a\n")
    assert "LaunchState: COLD\n" in said
    assert pid_of(device, "com.example.app_a") not in ("", pid)


@pytest.mark.parametrize("component", ["com.example.none/.Main", "com.example.app_a/.Other"])
def test_what_does_not_exist(device: Device, component: str) -> None:
    done = device.shell(["am", "start", "-W", "-n", component], check=False)
    assert "Error type 3\nError: Activity class {" in done.stdout
    assert done.exit_status == 0
    assert device.shell(["am", "start", "-n", component]).stderr.startswith("Error type 3\n")


@pytest.mark.parametrize("words", [["-n", "nonsense"], ["-x"], ["-n"], []])
def test_a_wrong_command_line(device: Device, words: list[str]) -> None:
    done = device.shell(["am", "start", *words], check=False)
    assert done.exit_status == 255
    assert done.stderr.startswith("Error: ")


def test_classes_of_oom_score_adj(device: Device) -> None:
    for name in "abcd":
        start(device, f"com.example.app_{name}")
    adjs = {name: adj_of(device, f"com.example.app_{name}") for name in "abcd"}
    assert adjs == {"d": 0, "c": 700, "b": 900, "a": 910}
    start(device, "com.example.app_a")
    adjs = {name: adj_of(device, f"com.example.app_{name}") for name in "abcd"}
    assert adjs == {"a": 0, "d": 700, "c": 900, "b": 910}
    device.shell(["input", "keyevent", "3"])
    assert adj_of(device, "com.example.app_a") == 700
    dump = device.shell(["dumpsys", "activity", "oom"]).stdout
    pid = pid_of(device, "com.example.app_a")
    assert re.search(rf"prev +LAST t: 0 {pid}:com.example.app_a/", dump)
    assert "topResumedActivity=null" in device.shell(["dumpsys", "activity", "activities"]).stdout


def test_an_app_without_activity_is_cached(device: Device) -> None:
    start(device, "com.example.app_a")
    start(device, "com.example.app_b")
    device.shell(["input", "keyevent", "BACK"])
    assert adj_of(device, "com.example.app_b") == 900
    assert adj_of(device, "com.example.app_a") == 700


def test_force_stop(device: Device) -> None:
    start(device, "com.example.app_a")
    pid = pid_of(device, "com.example.app_a")
    device.shell(["am", "force-stop", "com.example.app_a"])
    assert pid_of(device, "com.example.app_a") == ""
    (said,) = events(device, "am_kill")
    stopped = r"\[0,(\d+),com.example.app_a,0,stop com.example.app_a due to from pid [1-9]\d*\]"
    match = re.fullmatch(stopped, said)
    assert match is not None, said
    assert match[1] == pid
    assert "(USER REQUESTED) subreason=21 (FORCE STOP)" in exit_info(device)
    assert exit_reasons(device, "com.example.app_a")[int(pid)] == "exit info: USER REQUESTED"
    assert events(device, "am_proc_died") == []
    assert start(device, "com.example.app_a")["LaunchState"] == "COLD"
    device.shell(["am", "force-stop", "com.example.none"])


def test_kill_spares_the_app_in_front(device: Device) -> None:
    for name in "abc":
        start(device, f"com.example.app_{name}")
    device.shell(["am", "kill", "com.example.app_a"])
    device.shell(["am", "kill", "com.example.app_c"])
    assert [bool(pid_of(device, f"com.example.app_{name}")) for name in "abc"] == [False, True, True]
    device.shell(["am", "kill-all"])
    assert [bool(pid_of(device, f"com.example.app_{name}")) for name in "abc"] == [False, False, True]
    reasons = [said.rpartition(",")[2] for said in events(device, "am_kill")]
    assert reasons == ["kill background]", "kill all background]"]


def test_a_death_is_noticed(device: Device) -> None:
    start(device, "com.example.app_a")
    start(device, "com.example.app_b")
    pid = pid_of(device, "com.example.app_a")
    device.shell(["kill", "-9", pid])
    for _ in range(50):
        if events(device, "am_proc_died"):
            break
        device.sleep(0.1)
    assert events(device, "am_proc_died") == [f"[0,{pid},com.example.app_a,700,15]"]
    assert "reason=2 (SIGNALED) subreason=0 (UNKNOWN) status=9" in exit_info(device)
    assert start(device, "com.example.app_a")["LaunchState"] == "COLD"


def test_an_app_that_dies_while_it_starts(device: Device) -> None:
    push_ini(device, "com.example.broken", "anon_kb=nonsense\n")
    try:
        said = start(device, "com.example.broken")
    finally:
        device.shell(["rm", "-r", "/data/app/com.example.broken"])
    assert said["Status"] == "timeout"
    assert "TotalTime" not in said
    assert "com.example.broken" in events(device, "am_proc_died")[0]


def test_a_start_without_waiting(device: Device) -> None:
    done = device.shell(["am", "start", "-n", "com.example.app_a/.Main"])
    assert done.stdout == "Starting: Intent { cmp=com.example.app_a/.Main }\n"
    assert start(device, "com.example.app_a")["Status"] == "ok"


def test_wait_idle_returns_when_no_app_is_busy(device: Device) -> None:
    log = "/data/app/com.example.app_a/app.log"
    device.shell(["am", "wait-idle"])
    device.shell(["rm", "-f", log])
    device.shell(["am", "start", "-n", "com.example.app_a/.Main"])
    device.shell(["am", "wait-idle"])
    assert '"event":"idle"' in device.read_text(log)
    device.shell(["input", "keyevent", "HOME"])
    for _ in range(3):
        device.shell(["am", "start", "-n", "com.example.app_a/.Main"])
        device.shell(["input", "keyevent", "HOME"])
    device.shell(["am", "wait-idle"])
    events_read = [line.split('"')[3] for line in device.read_text(log).splitlines()]
    assert events_read == ["start", "idle", *["resume", "idle"] * 3]


def test_wait_idle_does_not_wait_for_the_dead(device: Device) -> None:
    device.script(
        "am start -n com.example.app_a/.Main; kill -9 $(pidof com.example.app_a); am wait-idle",
        deadline_s=30,
    )


def test_memory_of_an_app(device: Device) -> None:
    start(device, "com.example.app_a")
    text = device.shell(["dumpsys", "meminfo", "com.example.app_a"]).stdout
    match = re.search(r"TOTAL PSS: +(\d+) +TOTAL RSS: +(\d+) +TOTAL SWAP PSS: +(\d+)", text)
    assert match
    assert int(match.group(1)) >= 2048
    assert "No process found" in device.shell(["dumpsys", "meminfo", "com.example.none"]).stdout


def test_the_log_has_times_and_limits(device: Device) -> None:
    for name in "abc":
        start(device, f"com.example.app_{name}")
    lines = device.shell(["logcat", "-d", "-v", "threadtime"]).stdout.splitlines()
    assert all(re.match(r"\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} +\d+ +\d+ I \w+: ", line) for line in lines)
    assert device.shell(["logcat", "-t", "2"]).stdout.splitlines() == lines[-2:]
    epoch = device.shell(["logcat", "-d", "-v", "epoch", "-t", "1"]).stdout.split()[0]
    assert abs(float(epoch) - int(device.shell(["date", "+%s"]).stdout)) < 60
    device.shell(["logcat", "-c"])
    assert device.shell(["logcat", "-d"]).stdout == ""


# Last: it fills the memory of the device.
def test_the_kernel_kills_the_least_used_app_first_and_it_is_noticed(device: Device) -> None:
    total_kb = int(device.shell(["awk", "/MemAvailable/ {print $2}", "/proc/meminfo"]).stdout)
    for name in "ab":
        install(device, f"com.example.big_{name}", anon_kb=int(total_kb * 0.6))
    start(device, "com.example.app_a")
    first = start(device, "com.example.big_a")
    assert first["Status"] == "ok"
    pid = pid_of(device, "com.example.big_a")
    device.shell(["input", "keyevent", "HOME"])
    second = start(device, "com.example.big_b")
    assert second["Status"] == "ok"
    died = events(device, "am_proc_died")
    assert f"[0,{pid},com.example.big_a,700,15]" in died
    assert "reason=3 (LOW_MEMORY)" in exit_info(device)
    assert pid_of(device, "com.example.big_b") != ""
    assert start(device, "com.example.app_a")["LaunchState"] in ("HOT", "COLD")
    for name in "ab":
        device.shell(["am", "force-stop", f"com.example.big_{name}"])
