"""Facts about a phone: kernel log, reason of the last reboot, model and build for the report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import DeviceError
from harness.device import phone_state

_STAMP: Final = re.compile(r"^(?:<\d+>)?\[\s*(\d+\.\d+)\]")
#: Reasons of a reboot that do not incriminate the kernel. Source: Android's boot reason list.
_REQUESTED: Final = re.compile(r"^(reboot,(userrequested|adb|shell|ota)|shutdown|cold|battery|charge)")

#: What ``ro.hardware`` is called on virtual machines with Android. Sources: external/qemu,
#: device/google/cuttlefish (androidboot.hardware).
_EMULATORS: Final = {
    "goldfish": "the Android emulator",
    "ranchu": "the Android emulator",
    "cutf_cvm": "Cuttlefish",
    "vsoc": "Cuttlefish",
}

EMULATOR_PROPERTIES: Final = ("ro.hardware", "ro.boot.qemu", "ro.kernel.qemu")

_PROPERTIES: Final = {
    "model": "ro.product.model",
    "build": "ro.build.fingerprint",
    "android": "ro.build.version.release",
    "sdk": "ro.build.version.sdk",
    "build_type": "ro.build.type",
    "soc": "ro.soc.model",
}


def emulator_of(properties: Mapping[str, str]) -> str | None:
    """The emulator that a device with these properties is; None for a phone.

    ``properties`` holds ``ro.hardware``, ``ro.boot.qemu`` and ``ro.kernel.qemu`` (before Android 12).
    """
    known = _EMULATORS.get(properties.get("ro.hardware", ""))
    if known is None and "1" in (properties.get("ro.boot.qemu"), properties.get("ro.kernel.qemu")):
        return "an emulator"
    return known


def emulator(device: Device) -> str | None:
    """As `emulator_of`, read from the device."""
    answers = ask_all(device, {name: f"getprop {name}" for name in EMULATOR_PROPERTIES})
    return emulator_of({name: answer.text for name, answer in answers.items()})


def uptime_s(device: Device) -> float:
    """Seconds since the kernel booted. DeviceError if it cannot be read."""
    text = device.read_text("/proc/uptime")
    try:
        return float(text.split()[0])
    except (IndexError, ValueError) as error:
        raise DeviceError(f"/proc/uptime holds {text[:60]!r}", device=device.serial) from error


def kernel_log(device: Device, *, since_s: float) -> str:
    """Lines of dmesg at or after ``since_s`` of uptime. CommandFailed if reading it is not allowed."""
    lines = device.shell(["dmesg"], deadline_s=60.0).stdout.splitlines()
    for number, line in enumerate(lines):
        stamp = _STAMP.match(line)
        if stamp and float(stamp[1]) >= since_s:
            return "\n".join(lines[number:])
    return ""


@dataclass(frozen=True)
class Restart:
    """Why the phone last rebooted, and the log that the kernel before it left; ``unknown`` or a remark if
    that cannot be read."""

    reason: str
    last_words: str

    @property
    def was_requested(self) -> bool:
        """Whether the reason does not incriminate the kernel."""
        return _REQUESTED.match(self.reason) is not None


def last_restart(device: Device) -> Restart:
    """The reason from Android, else from the bootloader; last words from /sys/fs/pstore, or from
    /proc/last_kmsg on old phones, which needs root and a phone that keeps them."""
    answers = ask_all(
        device,
        {
            "reason": "getprop sys.boot.reason",
            "bootloader": "getprop ro.boot.bootreason",
            "kept": "cat /sys/fs/pstore/console-ramoops* /sys/fs/pstore/dmesg-ramoops* /proc/last_kmsg"
            " 2>/dev/null; true",
        },
        deadline_s=60.0,
    )
    return Restart(
        answers["reason"].text or answers["bootloader"].text or "unknown",
        answers["kept"].text or "(nothing readable in /sys/fs/pstore)",
    )


def describe(device: Device) -> dict[str, str]:
    """Facts for the report; ``unknown`` for what cannot be read."""
    questions = {key: f"getprop {name}" for key, name in _PROPERTIES.items()}
    questions |= {
        "kernel": "uname -r",
        "cpus": "cat /sys/devices/system/cpu/online",
        "memory": "cat /proc/meminfo",
        "thermal": phone_state.THERMAL_COMMAND,
        "battery": phone_state.BATTERY_COMMAND,
    }
    answers = ask_all(device, questions, deadline_s=60.0)
    memory = re.search(r"MemTotal:\s+(\d+ kB)", answers["memory"].text)
    thermal = phone_state.parse_thermal_status(answers["thermal"].text)
    level = phone_state.parse_battery(answers["battery"].text).percent
    facts = {key: answers[key].text for key in (*_PROPERTIES, "kernel", "cpus") if answers[key].ok}
    facts["memory"] = memory[1] if memory else "unknown"
    facts["thermal_status"] = "unknown" if thermal is None else str(thermal)
    facts["battery_percent"] = "unknown" if level is None else str(level)
    facts["root"] = "yes" if device.is_root else "no"
    return facts
