"""The ``[phone]`` table of a profile as preconditions: screen, radio, background work, CPU frequencies."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from foundation.contract.device import Device
from foundation.quoting import quote
from harness.device.adb.addresses import over_network
from harness.device.preconditions.command_pins import CommandPin, SettingPin
from harness.device.preconditions.cpufreq import cpufreq_pins
from harness.device.preconditions.pins import FilePin, FileRecord, sysctl_path
from harness.device.preconditions.protocol import Pin, Precondition
from harness.device.preconditions.records import LmkdSettings, MmdSettings, suppressed
from workloads.phone_settings import PhoneSettings

#: Job of ART's background compilation (BackgroundDexoptJobService.java of art/libartservice, API 34).
_DEXOPT_JOB: Final = 27873780
DEXOPT_SINCE_API: Final = 34
FREEZER_SINCE_API: Final = 30
#: Longest timeout of the setting, ms: the screen never turns off by itself.
_NEVER_MS: Final = "2147483647"
#: Of AC, USB, wireless and dock (BatteryManager.BATTERY_PLUGGED_*).
_ON_ANY_PLUG: Final = "15"

#: Files that control charging, and the value that stops it. Documentation/ABI/testing/sysfs-class-power
#: of the kernel (charge_behaviour); the others belong to Qualcomm's and Google's drivers.
_CHARGE_SWITCHES: Final = (
    ("/sys/class/power_supply/battery/charge_behaviour", "inhibit-charge"),
    ("/sys/class/power_supply/battery/input_suspend", "1"),
    ("/sys/class/power_supply/battery/charging_enabled", "0"),
    ("/sys/devices/platform/google,charger/charge_disable", "1"),
    ("/sys/devices/platform/soc/soc:google,charger/charge_disable", "1"),
)

#: They determine when kswapd wakes.
_RECORDED: Final = ("vm.watermark_scale_factor", "vm.min_free_kbytes")


def phone_pins(device: Device, wanted: PhoneSettings, names: Collection[str] = ()) -> list[Precondition]:
    """The preconditions of ``wanted`` in the order to set them; those in ``names`` are only recorded.

    Reads the device. StateError for a policy whose frequencies cannot be read.
    """
    fixed = wanted.cpufreq == "fixed" and "cpufreq" not in names
    pins: list[Precondition] = [
        *plain_pins(wanted, api=_api(device), network=over_network(device.serial)),
        *_charging(device, wanted),
        *cpufreq_pins(device, wanted.cpufreq_share if fixed else None),
        LmkdSettings(),
        MmdSettings(),
        *(FileRecord(key, sysctl_path(key)) for key in _RECORDED),
    ]
    return suppressed(pins, names)


def plain_pins(wanted: PhoneSettings, *, api: int, network: bool) -> list[Pin]:
    """Those that are equal on all phones of an API level; ``network``: adb runs over it."""
    return [*_screen(wanted), *_quiet(wanted, api, network=network), *_other_reclaim(wanted, api)]


def _screen(wanted: PhoneSettings) -> list[Pin]:
    pins: list[Pin] = []
    if wanted.screen_on:
        pins += [
            SettingPin("screen", "global", "stay_on_while_plugged_in", _ON_ANY_PLUG),
            SettingPin("screen", "system", "screen_off_timeout", _NEVER_MS),
            CommandPin(
                precondition="screen",
                name="screen",
                reading="dumpsys power",
                pattern=r"^\s*mWakefulness=(\w+)",
                values={"Awake": "on"},
                otherwise="off",
                # This also dismisses the keyguard if there is no PIN; both take a moment.
                writing={
                    "on": "input keyevent 224 && wm dismiss-keyguard && sleep 1",
                    "off": "input keyevent 223 && sleep 1",
                },
                wanted="on",
                advice="unlock it, and remove the PIN",
                essential=True,
            ),
        ]
    if wanted.brightness is not None:
        pins += [
            SettingPin("brightness", "system", "screen_brightness_mode", "0"),
            SettingPin("brightness", "system", "screen_brightness", str(wanted.brightness)),
        ]
    if wanted.fixed_rotation:
        pins += [
            SettingPin("rotation", "system", "accelerometer_rotation", "0"),
            SettingPin("rotation", "system", "user_rotation", "0"),
        ]
    return pins


def _quiet(wanted: PhoneSettings, api: int, *, network: bool) -> list[Pin]:
    pins: list[Pin] = []
    if not wanted.animations:
        keys = ("window_animation_scale", "transition_animation_scale", "animator_duration_scale")
        pins += [SettingPin("animations", "global", key, "0") for key in keys]
    if wanted.airplane and not network:
        pins.append(
            CommandPin(
                precondition="airplane",
                name="airplane mode",
                # ConnectivityService.java, the shell command of service connectivity.
                reading="cmd connectivity airplane-mode",
                pattern=r"^(enabled|disabled)\s*$",
                writing={
                    "enabled": "cmd connectivity airplane-mode enable",
                    "disabled": "cmd connectivity airplane-mode disable",
                },
                wanted="enabled",
                survives_restart=True,
            )
        )
    if not wanted.doze:
        pins.append(
            CommandPin(
                precondition="doze",
                name="device idle",
                # DeviceIdleController.java: 1 if both deep and light idle are on.
                reading="dumpsys deviceidle enabled",
                pattern=r"^([01])\s*$",
                writing={"0": "dumpsys deviceidle disable", "1": "dumpsys deviceidle enable"},
                wanted="0",
            )
        )
    if not wanted.background_dexopt and api >= DEXOPT_SINCE_API:
        pins.append(
            CommandPin(
                precondition="dexopt",
                name="background dexopt",
                # JobSchedulerShellCommand.java: unknown(UID/jidN) for a job that is not scheduled.
                reading=f"cmd jobscheduler get-job-state android {_DEXOPT_JOB}",
                pattern=r"^(unknown|\w+)",
                values={"unknown": "off"},
                otherwise="on",
                writing={"off": "pm bg-dexopt-job --disable", "on": "pm bg-dexopt-job --enable"},
                wanted="off",
            )
        )
    return pins


def _other_reclaim(wanted: PhoneSettings, api: int) -> Iterator[Pin]:
    """Android pages cached apps out (process_madvise, MADV_PAGEOUT), in system_server's CPU time, and
    freezes them. Both follow their setting at once. Source: CachedAppOptimizer.java, updateUseCompaction
    and updateUseFreezer; the freezer came with API 30."""
    if not wanted.app_compaction:
        yield SettingPin("compaction", "activity_manager", "use_compaction", "false", "device_config")
    if not wanted.app_freezer and api >= FREEZER_SINCE_API:
        yield SettingPin("freezer", "global", "cached_apps_freezer", "disabled")


def _charging(device: Device, wanted: PhoneSettings) -> list[Pin]:
    """The first charge control that this phone has; a check shows whether it works."""
    if wanted.charging != "no" or not device.is_root:
        return []
    for pin in charge_pins():
        if device.shell(["test", "-e", pin.path], check=False).exit_status == 0:
            return [pin]
    return []


def charge_pins() -> list[FilePin]:
    """All known charge controls of phones; one of them is set."""
    return [FilePin("charging", path, off, precondition="charging") for path, off in _CHARGE_SWITCHES]


def _api(device: Device) -> int:
    text = device.script(f"getprop {quote('ro.build.version.sdk')}").stdout.strip()
    return int(text) if text.isdigit() else 0
