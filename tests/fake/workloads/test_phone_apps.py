"""App switching over the installed apps of a phone: all found first, acted in, and every kill explained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from foundation.errors import CommandFailed, CommandTimeout, UsageError
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from tests.stand_ins.device.android import android_phone
from tests.stand_ins.device.android.apps import Apps
from tests.stand_ins.device.android.controls import Controls
from tests.stand_ins.device.tree_shell import Call
from workloads.app_actions import Action
from workloads.app_switching import AppSwitching
from workloads.kills import Kills, KillWatch
from workloads.order import run
from workloads.profile import App, Profile, load_profile
from workloads.protocol import run_cycle

NAMES = ("com.one.a", "com.two.a", "com.three.b")


def profile(*apps: App) -> Profile:
    made = apps or tuple(App(name, None, None) for name in NAMES)
    return replace(load_profile("phone-apps"), apps=made, rounds=2, dwell_s=0.0, gap_s=0.0)


@pytest.fixture(params=[29, 31, 33, 34, 36])
def apps(adb: AdbServer, request: pytest.FixtureRequest) -> Iterator[Apps]:
    with android_phone(request.param, "user") as phone:
        Controls(phone).install()
        yield Apps(phone, dict.fromkeys(NAMES, ".Main")).install()
        adb.disconnect(phone.serial)


@pytest.fixture
def phone_device(adb: AdbServer, apps: Apps) -> AdbDevice:
    return AdbDevice(adb, adb.connect(apps.phone.serial))


def watched(device: AdbDevice, workload: AppSwitching) -> Kills:
    """What was killed during a cycle."""
    with KillWatch(device) as watch:
        run_cycle(device, workload)
        return watch.stop()


def test_all_that_is_missing_is_told_before_anything_starts(apps: Apps, phone_device: AdbDevice) -> None:
    apps.activities["com.three.b"] = None
    wanted = (*NAMES, "com.four", "com.five")
    workload = AppSwitching(phone_device, profile(*(App(name, None, None) for name in wanted)))
    with pytest.raises(UsageError) as caught:
        workload.install()
    text = str(caught.value)
    assert "2 packages are not installed: com.four, com.five" in text
    assert "1 have no launcher activity: com.three.b" in text
    assert "\n" not in text
    assert apps.starts == 0


def test_a_counter_that_may_not_be_read_stops_nothing(apps: Apps, phone_device: AdbDevice) -> None:
    # Android 10: /proc/vmstat is closed to the shell.
    allowed = apps.phone.files.guard
    apps.phone.files.guard = lambda path, how: (
        path != "/proc/vmstat" and (allowed is None or allowed(path, how))
    )
    workload = AppSwitching(phone_device, profile())
    workload.install()
    assert len(workload.prepare().switches) == len(NAMES)


def test_kills_are_counted_with_their_reason_and_the_free_swap(apps: Apps, phone_device: AdbDevice) -> None:
    workload = AppSwitching(phone_device, profile())
    workload.install()
    workload.prepare()
    # lmkd takes one, something that does not log the other; the numbers count starts since the boot.
    apps.kills = {4: ["com.three.b", "com.one.a"]}
    workload.reset()
    kills = watched(phone_device, workload)
    result = workload.result()
    workload.remove()
    assert [switch.launch_state for switch in result.switches] == [
        "HOT",
        "HOT",
        "COLD",
        "COLD",
        "HOT",
        "HOT",
    ]
    assert result.kills == result.relaunches == 2
    lost = {switch.pid_lost: switch.package for switch in result.switches if switch.pid_lost is not None}
    kills = kills.with_lost(phone_device, lost)
    facts = result.facts() | kills.facts()
    # Android keeps the reasons of ended processes since API 30.
    other = "not reported" if apps.phone.android.api < 30 else "exit info: LOW_MEMORY"
    assert facts["kills_by_reason"] == {other: 1, "lmkd: low memory and swap": 1}
    assert facts["swap_free_kb_at_kills"] == [20480]
    assert facts["kept_alive_share"] == pytest.approx(4 / 6)
    assert facts["package_versions"] == dict.fromkeys(NAMES, "42")
    assert facts["log_trouble"] is None
    assert result.void_reasons() == []
    by_lmkd = next(kill for kill in kills.killed if kill.reason.startswith("lmkd"))
    assert (by_lmkd.process, by_lmkd.adj) == ("com.one.a", 905)
    last = json.loads(kills.to_json_line())
    assert {kill["process"] for kill in last["killed"]} == {"com.one.a", "com.three.b"}
    assert apps.phone.processes.pids == []


def test_a_kill_that_the_follower_of_the_log_was_not_told_yet_is_counted(
    apps: Apps, phone_device: AdbDevice
) -> None:
    apps.lag = True
    workload = AppSwitching(phone_device, profile())
    workload.install()
    workload.prepare()
    apps.kills = {8: ["com.one.a"]}
    workload.reset()
    facts = watched(phone_device, workload).facts()
    workload.remove()
    assert facts["kills_by_reason"] == {"lmkd: low memory and swap": 1}
    assert facts["log_trouble"] is None


def test_a_logcat_that_ends_is_told(apps: Apps, phone_device: AdbDevice) -> None:
    apps.phone.programs["logcat"] = lambda call: 1
    workload = AppSwitching(phone_device, profile())
    workload.install()
    workload.reset()
    assert "kills may be missing" in str(watched(phone_device, workload).log_trouble)
    workload.remove()


def test_actions_are_done_while_the_app_is_in_front(apps: Apps, phone_device: AdbDevice) -> None:
    actions = (
        Action("swipe", 2, 0.03, (0.5, 0.75), (0.5, 0.25)),
        Action("tap", 1, 0.01, (0.1, 0.9)),
        Action("url", 1, 0.02, text="https://example.org/?a=1&b=2"),
    )
    made = [App(name, None, None, action) for name, action in zip(NAMES, actions, strict=True)]
    workload = AppSwitching(phone_device, replace(profile(*made), rounds=1, dwell_s=0.01))
    workload.install()
    run_cycle(phone_device, workload)
    assert apps.inputs == [
        "input swipe 270 900 270 300 300",
        "input swipe 270 900 270 300 300",
        "input tap 54 1080",
        "am start -a android.intent.action.VIEW -d https://example.org/?a=1&b=2 -p com.three.b",
    ]
    slept = [float(argv[1]) for argv in apps.phone.ran if argv[0] == "sleep"]
    # The dwell goes on beside the inputs.
    assert sorted(slept) == [0.01, 0.01, 0.01, 0.01, 0.02, 0.03, 0.03]


def test_a_refused_action_is_an_error_with_the_words_of_the_phone(
    apps: Apps, phone_device: AdbDevice
) -> None:
    def refuse(call: Call) -> int:
        call.io.fail("java.lang.SecurityException: Injecting input events")
        return 255

    apps.phone.programs["input"] = refuse
    made = App("com.one.a", None, None, Action("tap", 1, 0.01, (0.1, 0.9)))
    workload = AppSwitching(phone_device, replace(profile(made), rounds=1))
    workload.install()
    with pytest.raises(CommandFailed, match=r"'input tap 54 1080' ended with exit status 255: .*Injecting"):
        run_cycle(phone_device, workload)


def test_nothing_is_sent_while_a_cycle_runs(apps: Apps, phone_device: AdbDevice) -> None:
    workload = AppSwitching(phone_device, replace(profile(), gap_s=0.01))
    workload.install()
    workload.reset()
    before = len(apps.phone.commands)
    sent: list[list[str]] = []
    start = apps.phone.programs["am"]

    def count(call: Call) -> int:
        sent.append(apps.phone.commands[before:])
        return start(call)

    apps.phone.programs["am"] = count
    run_cycle(phone_device, workload)
    assert len(sent) == 6
    assert [len(commands) for commands in sent] == [1] * 6, "the order, and nothing after it"
    assert "reclaim-suite-order.out" not in "".join(apps.phone.files.listing("/data/local/tmp"))


def test_a_hanging_phone_ends_the_order(apps: Apps, phone_device: AdbDevice) -> None:
    workload = AppSwitching(phone_device, profile())
    workload.install()
    apps.phone.faults.hang.add("am")
    order = replace(workload.order(), deadline_s=0.5)
    with pytest.raises(CommandTimeout):
        run(phone_device, order)
