"""Apps as phones have them: processes of other names, several launchers, launches late or unknown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from foundation.errors import DeviceError
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from tests.stand_ins.device.android import android_phone
from tests.stand_ins.device.android.apps import Apps
from tests.stand_ins.device.android.controls import Controls
from workloads.app_switching import AppSwitching
from workloads.profile import App, Profile, load_profile
from workloads.protocol import run_cycle
from workloads.switches import CycleResult

NAMES = ("com.one.a", "com.two.a", "com.three.b")
STATES = ["HOT"] * 3


def profile(rounds: int = 1) -> Profile:
    apps = tuple(App(name, None, None) for name in NAMES)
    return replace(load_profile("phone-apps"), apps=apps, rounds=rounds, dwell_s=0.0, gap_s=0.0)


@pytest.fixture(params=[29, 36])
def apps(adb: AdbServer, request: pytest.FixtureRequest) -> Iterator[Apps]:
    with android_phone(request.param, "user") as phone:
        Controls(phone).install()
        yield Apps(phone, dict.fromkeys(NAMES, ".Main")).install()
        adb.disconnect(phone.serial)


@pytest.fixture
def phone_device(adb: AdbServer, apps: Apps) -> AdbDevice:
    return AdbDevice(adb, adb.connect(apps.phone.serial))


def measured(device: AdbDevice, rounds: int = 1) -> CycleResult:
    workload = AppSwitching(device, profile(rounds))
    workload.install()
    workload.prepare()
    workload.reset()
    run_cycle(device, workload)
    result = workload.result()
    workload.remove()
    return result


def states(result: CycleResult) -> list[str]:
    return [switch.launch_state for switch in result.switches]


def test_the_process_of_the_activity_is_found_whatever_its_name(
    apps: Apps, phone_device: AdbDevice
) -> None:
    apps.processes["com.two.a"] = [":search", ":googleapp", ":interactor"]
    apps.kills = {3: ["com.two.a"]}
    result = measured(phone_device)
    assert states(result) == ["HOT", "COLD", "HOT"]
    assert (result.kills, result.relaunches, result.void_reasons()) == (1, 1, [])


def test_of_several_launcher_activities_the_first_is_started(apps: Apps, phone_device: AdbDevice) -> None:
    apps.launchers["com.one.a"] = [".VoiceSearchActivity"]
    assert states(measured(phone_device)) == STATES
    started = [argv[-1] for argv in apps.phone.ran if argv[:2] == ["am", "start"]]
    assert started[0] == started[3] == "com.one.a/.Main"


def test_an_app_that_a_broadcast_starts_again_was_killed_all_the_same(
    apps: Apps, phone_device: AdbDevice
) -> None:
    apps.restarts.add("com.two.a")
    apps.kills = {3: ["com.two.a"]}
    result = measured(phone_device)
    assert states(result) == ["HOT", "WARM", "HOT"]
    assert (result.kills, result.relaunches, result.void_reasons()) == (1, 0, [])


@pytest.mark.parametrize("timed", [True, False])
def test_a_few_switches_of_unknown_state_are_counted_and_void_nothing(
    apps: Apps, phone_device: AdbDevice, timed: bool
) -> None:
    # 1 of 51 is 2 %; its figures are missing, the rest of the repetition is not.
    apps.unknown = {20: timed}
    result = measured(phone_device, rounds=17)
    assert states(result).count("UNKNOWN") == 1
    assert result.void_reasons() == []
    assert result.facts()["unknown_switches"] == 1


def test_a_stretch_of_unknown_states_voids(apps: Apps, phone_device: AdbDevice) -> None:
    apps.unknown = dict.fromkeys(range(20, 26), False)
    (reason,) = measured(phone_device, rounds=17).void_reasons()
    assert reason.startswith("6 of 51 switches could not be classified, first: com.two.a: am reported")


def test_launches_that_wait_cost_their_switch_at_most(apps: Apps, phone_device: AdbDevice) -> None:
    apps.waits_s = {10: 36.0, 20: 105.0}
    result = measured(phone_device, rounds=17)
    assert result.switches[6].wait_time_ms == 35971
    assert [switch.doubt for switch in result.switches if switch.launch_state == "UNKNOWN"] == [
        "am gave up waiting for it to draw (Status: timeout)"
    ]
    assert result.void_reasons() == []


def test_every_launch_may_take_as_long_as_am_waits(apps: Apps, phone_device: AdbDevice) -> None:
    workload = AppSwitching(phone_device, profile(rounds=4))
    workload.install()
    assert workload.order().deadline_s > 12 * 105


def test_a_launch_that_is_refused_while_it_is_measured_costs_its_switch(
    apps: Apps, phone_device: AdbDevice
) -> None:
    workload = AppSwitching(phone_device, profile())
    workload.install()
    workload.prepare()
    apps.activities["com.two.a"] = ".Other"
    workload.reset()
    run_cycle(phone_device, workload)
    result = workload.result()
    assert states(result) == ["HOT", "UNKNOWN", "HOT"]
    (reason,) = result.void_reasons()
    assert "com.two.a: could not be started: " in reason
    assert "does not exist" in reason
    assert apps.starts == 6
    workload.remove()


def test_an_app_that_cannot_be_started_at_all_is_told_before_the_measurement(
    apps: Apps, phone_device: AdbDevice
) -> None:
    workload = AppSwitching(phone_device, profile())
    workload.install()
    apps.activities["com.two.a"] = ".Other"
    with pytest.raises(DeviceError, match=r"com\.two\.a could not be started: .*does not exist"):
        workload.prepare()
