"""What limits a phone's frequencies, heat or a hint of its power service, and a battery that runs low."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from foundation.errors import NotReady, StateError
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.preconditions.block_preconditions import PhonePreconditions
from harness.device.preconditions.pinned import PinnedState
from tests.stand_ins.device.android import GOOGLE, android_phone
from tests.stand_ins.device.android.controls import Controls
from workloads.phone_settings import PhoneSettings
from workloads.profile import load_profile

FIXED = PhoneSettings(cpufreq="fixed")
#: What the phone of these tests would be pinned to: 70 % of 2367000, in steps of 218333.
PINNED = {"policy0": 1090664, "policy4": 1493665}


@pytest.fixture
def controls(adb: AdbServer) -> Iterator[Controls]:
    with android_phone(35, "userdebug", GOOGLE, root=True) as phone:
        yield Controls(phone).install()
        adb.disconnect(phone.serial)


@pytest.fixture
def pixel(adb: AdbServer, controls: Controls) -> AdbDevice:
    return AdbDevice(adb, adb.connect(controls.phone.serial))


@pytest.fixture
def state(pixel: AdbDevice) -> Iterator[PinnedState]:
    with PinnedState(pixel) as held:
        yield held


def conditions(
    device: AdbDevice,
    wanted: PhoneSettings,
    say: list[str],
    *,
    passes: Callable[[], None] = lambda: None,
    patient: bool = True,
) -> PhonePreconditions:
    profile = replace(load_profile("phone-like"), phone=wanted)
    return PhonePreconditions(
        device, profile, ["zram"], say=say.append, sleep=lambda s: passes(), patient=patient
    )


def test_a_cpu_that_is_capped_at_thermal_status_0_is_waited_for(
    controls: Controls, pixel: AdbDevice, state: PinnedState
) -> None:
    said: list[str] = []
    controls.cap("policy4", 1493665)
    made = conditions(
        pixel, PhoneSettings(), said, passes=lambda: controls.cap("policy4", 2367000, state=0)
    )
    made.establish(state)
    made.before()
    assert said == ["waiting: thermal-cpufreq-1 (state 6) limits a CPU's frequency"]


def test_a_warm_case_is_waited_for_before_it_throttles(
    controls: Controls, pixel: AdbDevice, state: PinnedState
) -> None:
    said: list[str] = []
    zones, skin = controls.phone.state.zones, controls.phone.state.skin
    zones[skin] = 36.5
    made = conditions(pixel, PhoneSettings(), said, passes=lambda: zones.update({skin: 34.0}))
    made.establish(state)
    made.before()
    assert said == ["waiting: the case is at 36.5 °C, the limit is 35"]
    assert made.record()["condition"]["begin"]["skin_c"] == 34.0


def test_a_cap_at_the_end_is_throttling_at_thermal_status_0(
    controls: Controls, pixel: AdbDevice, state: PinnedState
) -> None:
    made = conditions(pixel, PhoneSettings(), [])
    made.establish(state)
    made.before()
    controls.cap("policy4", 1493665)
    assert made.after() == ("the phone was throttled: thermal-cpufreq-1 (state 6) at the end",)
    assert made.limit_reasons({"policy4": "at times limited to 1 of 2 kHz"}, None) == (
        "policy4 was throttled: at times limited to 1 of 2 kHz",
    )


def test_a_hint_is_no_throttling_and_costs_only_a_fixed_frequency(
    controls: Controls, pixel: AdbDevice
) -> None:
    limits = {"policy4": "at times limited to 1 of 2 kHz"}
    for wanted, reasons in (
        (PhoneSettings(), ()),
        (FIXED, ("policy4 was set by another writer, and not for heat: at times limited to 1 of 2 kHz",)),
    ):
        with PinnedState(pixel) as held:
            made = conditions(pixel, wanted, [])
            made.establish(held)
            made.before()
            assert made.after() == ()
            # The cooling devices: idle at both edges, where the samples in between say nothing; or there.
            assert made.limit_reasons(limits, None) == reasons
            assert made.limit_reasons(limits, 0) == reasons
            assert made.limit_reasons(limits, 2) == (
                "policy4 was throttled: at times limited to 1 of 2 kHz",
            )
            assert made.limit_reasons({}, 2) == (
                "the phone was throttled: a cooling device of a CPU was at state 2",
            )


def test_a_fixed_frequency_that_is_lost_costs_its_repetition_and_is_set_again(
    controls: Controls, pixel: AdbDevice, state: PinnedState
) -> None:
    said: list[str] = []
    made = conditions(pixel, FIXED, said)
    made.establish(state)
    made.before()
    controls.run(10)
    controls.power_hint("policy4", 402000, 2367000)
    controls.run(10)
    (lost, ran) = made.after()
    assert lost == (
        "policy4 lost its frequency: governor=sched_pixel min=402000 max=2367000 at the end, set by another"
        " writer, and not for heat"
    )
    assert ran.startswith("policy4 was set by another writer, and not for heat: 50% of the time at other")
    made.before()
    controls.run(10)
    assert made.after() == ()
    assert state.drifted() == []
    assert said == []


def test_a_writer_that_comes_before_a_repetition_is_told_and_undone(
    controls: Controls, pixel: AdbDevice, state: PinnedState
) -> None:
    said: list[str] = []
    made = conditions(pixel, FIXED, said)
    made.establish(state)
    controls.power_hint("policy0", 324000, 1704000)
    made.before()
    assert said == ["cpufreq policy0: set to governor=sched_pixel min=324000 max=1704000 by another writer"]
    assert state.drifted() == []


def test_a_frequency_that_cannot_be_held_costs_the_block(
    controls: Controls, pixel: AdbDevice, state: PinnedState
) -> None:
    limit = "/sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq"
    made = conditions(pixel, replace(FIXED, cool_down_s=0), [])
    made.establish(state)
    controls.phone.faults.read_back[limit] = b"2367000\n"
    with pytest.raises(NotReady, match=r"cpufreq policy4: set to .* max=2367000 by another writer"):
        made.before()
    controls.phone.faults.read_back.clear()


def test_a_battery_that_runs_low_is_waited_for_before_the_next_block(
    controls: Controls, pixel: AdbDevice, state: PinnedState
) -> None:
    said: list[str] = []
    phone = controls.phone.state
    phone.battery_percent = 29

    def charge() -> None:
        assert phone.settings["global"]["airplane_mode_on"] == "0", "nothing is set while it charges"
        phone.battery_percent += 2

    made = conditions(pixel, PhoneSettings(), said, passes=charge)
    made.establish(state)
    assert said == [
        f"waiting: the battery is at {level} %, and charges up to 35 %" for level in (29, 31, 33)
    ]


@pytest.mark.parametrize(
    ("plugged", "words"),
    [("USB", "the battery is at 12 % after 60 s of charging"), (None, "the battery is at 12 %, but must")],
)
def test_a_battery_that_stays_low_costs_the_block(
    controls: Controls, pixel: AdbDevice, state: PinnedState, plugged: str | None, words: str
) -> None:
    controls.phone.state.battery_percent, controls.phone.state.plugged = 12, plugged
    made = conditions(pixel, PhoneSettings(charge_s=60), [])
    with pytest.raises(NotReady, match=words):
        made.establish(state)


def test_a_battery_that_runs_low_in_a_block_costs_it(
    controls: Controls, pixel: AdbDevice, state: PinnedState
) -> None:
    made = conditions(pixel, PhoneSettings(), [])
    made.establish(state)
    controls.phone.state.battery_percent = 29
    with pytest.raises(NotReady, match="the battery is at 29 %"):
        made.before()


def test_at_the_start_of_a_campaign_nothing_is_waited_for(
    controls: Controls, pixel: AdbDevice, state: PinnedState
) -> None:
    controls.phone.state.battery_percent = 12
    made = conditions(pixel, PhoneSettings(), [], patient=False)
    with pytest.raises(StateError, match="the battery is at 12 %, but must") as caught:
        made.establish(state)
    assert not isinstance(caught.value, NotReady)
