"""The settings of a phone while it is measured: set, read back, reported all at once, restored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from foundation.errors import StateError
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.preconditions.block_preconditions import PhonePreconditions
from harness.device.preconditions.names import PRECONDITIONS
from harness.device.preconditions.pinned import PinnedState, left_behind, undo_left
from tests.stand_ins.device.android import GOOGLE, MEDIATEK, SAMSUNG, android_phone
from tests.stand_ins.device.android.controls import Controls
from tests.stand_ins.device.android.phone import Build
from workloads.phone_settings import PhoneSettings
from workloads.profile import Profile, load_profile

FIXED = PhoneSettings(cpufreq="fixed")
POLICY = "/sys/devices/system/cpu/cpufreq/policy0"
#: What can only be set by root.
OF_ROOT = ("cpufreq", "page-cluster", "swappiness", "zram")


def profile(wanted: PhoneSettings) -> Profile:
    return replace(load_profile("phone-like"), phone=wanted)


@pytest.fixture(params=[29, 31, 33, 34, 36])
def controls(adb: AdbServer, request: pytest.FixtureRequest) -> Iterator[Controls]:
    with android_phone(request.param, "userdebug", SAMSUNG, root=True) as phone:
        made = Controls(phone).install()
        yield made
        adb.disconnect(phone.serial)


@pytest.fixture
def phone_device(adb: AdbServer, controls: Controls) -> AdbDevice:
    return AdbDevice(adb, adb.connect(controls.phone.serial))


def snapshot(controls: Controls) -> tuple[object, ...]:
    state, files = controls.phone.state, controls.phone.files
    cpus = [files.read(f"{POLICY}/{name}") for name in ("scaling_min_freq", "scaling_max_freq")]
    settings = {space: dict(table) for space, table in state.settings.items()}
    flags = {space: dict(table) for space, table in state.flags.items() if table}
    return settings, flags, state.awake, controls.idle_enabled, controls.dexopt_scheduled, cpus


def test_everything_is_set_read_back_and_put_back(controls: Controls, phone_device: AdbDevice) -> None:
    controls.phone.state.awake = False
    controls.experiments = {"thrashing_limit": "30"}
    controls.phone.properties["ro.lmk.psi_partial_stall_ms"] = "70"
    before = snapshot(controls)
    with PinnedState(phone_device) as state:
        conditions = PhonePreconditions(phone_device, profile(FIXED))
        conditions.establish(state)
        settings = controls.phone.state.settings
        assert settings["global"]["airplane_mode_on"] == "1"
        assert settings["global"]["window_animation_scale"] == "0"
        assert (settings["system"]["screen_brightness"], settings["system"]["user_rotation"]) == (
            "100",
            "0",
        )
        assert controls.phone.state.awake
        assert not controls.idle_enabled
        assert not controls.phone.state.compacts_apps
        assert controls.phone.state.freezes_apps == (controls.phone.android.api < 30)
        # There is no command for it before API 34: a gate looks whether it runs.
        assert controls.dexopt_scheduled == (controls.phone.android.api < 34)
        # 70 % of 1824000 is 1276800; the steps are 158222 apart.
        assert controls.phone.files.read(f"{POLICY}/scaling_min_freq") == b"1191110\n"
        assert controls.phone.files.read(f"{POLICY}/scaling_max_freq") == b"1191110\n"
        assert state.drifted() == []
        rows = {row["name"]: row for row in state.record()}
        assert rows["cpufreq policy0"]["before"] == "governor=energy_aware min=400000 max=1824000"
        assert rows["lmkd"]["before"] == (
            "ro.config.low_ram=false ro.lmk.psi_partial_stall_ms=70 thrashing_limit=30"
        )
        conditions.before()
        controls.run(60)
        assert conditions.after() == ()
        assert conditions.record()["suppressed"] == []
        assert conditions.record()["condition"]["begin"]["battery_percent"] == 87
    assert snapshot(controls) == before
    assert left_behind(phone_device.serial) == []


@pytest.mark.parametrize("names", [(), ("compaction", "freezer")])
def test_a_flag_that_was_set_comes_back_and_a_suppressed_one_is_recorded(
    controls: Controls, phone_device: AdbDevice, names: tuple[str, ...]
) -> None:
    controls.phone.state.flags["activity_manager"] = {"use_compaction": "true"}
    controls.phone.state.settings["global"]["cached_apps_freezer"] = "enabled"
    before = snapshot(controls)
    with PinnedState(phone_device) as state:
        PhonePreconditions(phone_device, profile(FIXED), names).establish(state)
        assert controls.phone.state.compacts_apps == bool(names)
        rows = {row["name"]: row for row in state.record()}
        row = rows["device_config activity_manager use_compaction"]
        assert (row["before"], row["set"]) == ("true", None if names else "false")
    assert snapshot(controls) == before


def test_what_survives_a_restart_is_put_back_after_one(controls: Controls, phone_device: AdbDevice) -> None:
    before = snapshot(controls)
    with PinnedState(phone_device) as state:
        PhonePreconditions(phone_device, profile(FIXED)).establish(state)
        controls.phone.restart(down_s=0.2)
        controls.install()
        controls.idle_enabled = controls.dexopt_scheduled = True
    assert snapshot(controls) == before
    assert left_behind(phone_device.serial) == []


def test_a_killed_run_and_a_restart_leave_settings_that_the_next_one_undoes(
    controls: Controls, phone_device: AdbDevice
) -> None:
    before = snapshot(controls)
    state = PinnedState(phone_device)
    PhonePreconditions(phone_device, profile(FIXED)).establish(state)
    controls.phone.restart(down_s=0.2)
    controls.install()
    controls.idle_enabled = controls.dexopt_scheduled = True
    phone_device.reconnect(deadline_s=10)
    lines = undo_left(phone_device)
    assert snapshot(controls) == before
    assert "airplane mode: disabled" in lines
    assert "cpufreq policy0: reset by a reboot" in lines
    assert left_behind(phone_device.serial) == []


def test_the_cable_is_pulled_while_it_is_put_back(controls: Controls, phone_device: AdbDevice) -> None:
    before = snapshot(controls)
    with PinnedState(phone_device) as state:
        PhonePreconditions(phone_device, profile(FIXED)).establish(state)
        controls.phone.vanish()
        controls.phone.come_back(after_s=0.3)
    assert snapshot(controls) == before


def test_everything_unmet_is_reported_at_once(controls: Controls, phone_device: AdbDevice) -> None:
    state = controls.phone.state
    state.battery_percent = 12
    controls.phone.zram.opened_by_other = True
    controls.phone.faults.read_back[f"{POLICY}/scaling_max_freq"] = b"1824000\n"
    before = snapshot(controls)
    with pytest.raises(StateError) as caught, PinnedState(phone_device) as held:
        PhonePreconditions(phone_device, profile(replace(FIXED, charging="no"))).establish(held)
    text = str(caught.value)
    for part in (
        "battery: the battery is at 12 %",
        "zram: zram0",
        "cpufreq: cpufreq policy0",
        "charging: it",
    ):
        assert part in text
    assert "4 preconditions are not met" in text
    assert "--suppress battery,charging,cpufreq,zram" in text
    assert "\n" not in text
    controls.phone.faults.read_back.clear()
    assert snapshot(controls) == before


@pytest.mark.parametrize("build", ["user", "userdebug"])
@pytest.mark.parametrize("api", [29, 31, 33, 34, 36])
def test_a_phone_without_root_is_measured_with_what_it_lacks_suppressed(
    adb: AdbServer, api: int, build: Build
) -> None:
    with android_phone(api, build, GOOGLE) as phone:
        controls = Controls(phone).install()
        device = AdbDevice(adb, adb.connect(phone.serial))
        with pytest.raises(StateError) as caught, PinnedState(device) as state:
            PhonePreconditions(device, profile(FIXED)).establish(state)
        (names,) = str(caught.value).rpartition("--suppress ")[2:]
        assert set(names.split(",")) == set(OF_ROOT)
        with PinnedState(device) as state:
            conditions = PhonePreconditions(device, profile(FIXED), names.split(","))
            conditions.establish(state)
            rows = {row["name"]: row["before"] for row in state.record()}
            assert str(rows["zram0"]).startswith("unknown: ")
            # An LRU that nobody asks for is only recorded; of a file that is closed to the shell
            # nobody can say that the kernel lacks it.
            said = str(rows["lru_gen"])
            if api < 33:
                assert said == "absent"
            else:
                assert bool(re.match("unknown: .*Permission denied", said)) == (api < 36)
            assert [line for line in state.drifted() if "lru_gen" in line] == []
            conditions.before()
            assert conditions.after() == ()
            assert conditions.record()["suppressed"] == names.split(",")
        assert controls.idle_enabled
        adb.disconnect(phone.serial)


def test_a_hot_phone_is_waited_for(controls: Controls, phone_device: AdbDevice) -> None:
    said: list[str] = []
    state = controls.phone.state
    state.thermal_status, state.battery_dc = 2, 402

    def cool(seconds: float) -> None:
        state.thermal_status, state.battery_dc = max(0, state.thermal_status - 1), state.battery_dc - 20

    with PinnedState(phone_device) as held:
        conditions = PhonePreconditions(phone_device, profile(PhoneSettings()), say=said.append, sleep=cool)
        conditions.establish(held)
        conditions.before()
    assert said == [
        "waiting: thermal status is 2, the limit is 0; the battery is at 40.2 °C, the limit is 38",
        "waiting: thermal status is 1, the limit is 0; the battery is at 38.2 °C, the limit is 38",
    ]


def test_a_phone_that_stays_hot(controls: Controls, phone_device: AdbDevice) -> None:
    controls.phone.state.thermal_status = 3
    wanted = PhoneSettings(cool_down_s=0)
    with PinnedState(phone_device) as held:
        conditions = PhonePreconditions(phone_device, profile(wanted), sleep=lambda s: None)
        conditions.establish(held)
        with pytest.raises(StateError, match=r"thermal status is 3.*--suppress thermal"):
            conditions.before()
        suppressed = PhonePreconditions(phone_device, profile(wanted), ["thermal"])
        suppressed.before()
        assert suppressed.after() == ()
        assert suppressed.limit_reasons({"policy0": "at times limited"}, 6) == ()
        assert suppressed.record()["condition"]["end"]["thermal_status"] == 3


def test_throttling_in_the_repetition_voids_it(controls: Controls, phone_device: AdbDevice) -> None:
    with PinnedState(phone_device) as held:
        conditions = PhonePreconditions(phone_device, profile(FIXED))
        conditions.establish(held)
        conditions.before()
        controls.run(50)
        controls.ticks["policy4"][672000] += 5000
        controls.phone.state.thermal_status = 1
        assert conditions.after() == (
            "the phone was throttled: thermal status 1 (limit 0) at the end",
            "policy4 was throttled: 50% of the time at other frequencies than 1695885 kHz,"
            " most at 672000 kHz",
        )


def test_the_governor_leg_only_records_the_frequencies(controls: Controls, phone_device: AdbDevice) -> None:
    before = controls.phone.files.read(f"{POLICY}/scaling_min_freq")
    with PinnedState(phone_device) as held:
        PhonePreconditions(phone_device, profile(PhoneSettings())).establish(held)
        assert controls.phone.files.read(f"{POLICY}/scaling_min_freq") == before
        rows = {row["name"]: row for row in held.record()}
        assert rows["cpufreq policy7"]["set"] is None
        assert held.drifted() == []


def test_charging_is_stopped_where_the_phone_has_a_switch(
    controls: Controls, phone_device: AdbDevice
) -> None:
    switch = "/sys/class/power_supply/battery/input_suspend"
    controls.phone.files.put(switch, "0\n")
    controls.phone.state.plugged = None
    with PinnedState(phone_device) as held:
        PhonePreconditions(phone_device, profile(PhoneSettings(charging="no"))).establish(held)
        assert controls.phone.files.read(switch).strip() == b"1"
    assert controls.phone.files.read(switch).strip() == b"0"


def test_every_pin_has_a_name_to_suppress_it_by(controls: Controls, phone_device: AdbDevice) -> None:
    """With all names suppressed nothing is written."""
    controls.phone.commands.clear()
    with PinnedState(phone_device) as held:
        PhonePreconditions(phone_device, profile(FIXED), list(PRECONDITIONS)).establish(held)
        assert all(row["set"] is None for row in held.record())
    assert not [text for text in controls.phone.commands if "cat >" in text or "settings put" in text]


@pytest.fixture(params=[29, 34, 36])
def miui(adb: AdbServer, request: pytest.FixtureRequest) -> Iterator[Controls]:
    """A user build without "USB debugging (Security settings)"."""
    with android_phone(request.param, "user", MEDIATEK) as phone:
        phone.state.security_settings = False
        yield Controls(phone).install()
        adb.disconnect(phone.serial)


def test_settings_that_a_vendor_refuses_are_recorded_and_said(adb: AdbServer, miui: Controls) -> None:
    device = AdbDevice(adb, adb.connect(miui.phone.serial))
    before, said = snapshot_of_settings(miui), list[str]()
    conditions = PhonePreconditions(device, profile(PhoneSettings()), OF_ROOT_AND_HUGE, say=said.append)
    with PinnedState(device) as state:
        conditions.establish(state)
        assert state.drifted() == []
        rows = {row["name"]: row for row in state.record()}
        assert rows["settings global window_animation_scale"]["set"] is None
        assert miui.phone.state.settings["global"]["airplane_mode_on"] == "1", "the others are set"
    refused = conditions.record()["refused"]
    assert "settings global window_animation_scale" in refused
    assert len(said) == len(refused)
    assert "was refused: java.lang.SecurityException: Permission denial: writing to settings" in said[0]
    assert "USB debugging (Security settings)" in said[0]
    assert snapshot_of_settings(miui) == before
    assert left_behind(device.serial) == []


def test_a_dark_screen_that_cannot_be_switched_on_is_not_measured(adb: AdbServer, miui: Controls) -> None:
    miui.phone.state.awake = False
    device = AdbDevice(adb, adb.connect(miui.phone.serial))
    with (
        PinnedState(device) as state,
        pytest.raises(StateError, match=r"screen: .*INJECT_EVENTS.*Security"),
    ):
        PhonePreconditions(device, profile(PhoneSettings()), OF_ROOT_AND_HUGE).establish(state)
    assert left_behind(device.serial) == []


OF_ROOT_AND_HUGE = (*OF_ROOT, "huge-pages", "mglru")


def snapshot_of_settings(controls: Controls) -> dict[str, dict[str, str]]:
    return {space: dict(table) for space, table in controls.phone.state.settings.items()}
