"""What a phone says about itself: boot, kernel log, why it restarted, facts for the report."""

from __future__ import annotations

import re
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import DeviceError

_STAMP: Final = re.compile(r"^(?:<\d+>)?\[\s*(\d+\.\d+)\]")
#: Reasons of a restart that say nothing against the kernel. Source: Android's boot reason list.
_ASKED_FOR: Final = re.compile(r"^(reboot,(userrequested|adb|shell|ota)|shutdown|cold|battery|charge)")

_PROPERTIES: Final = {
    "model": "ro.product.model",
    "build": "ro.build.fingerprint",
    "android": "ro.build.version.release",
    "sdk": "ro.build.version.sdk",
    "build_type": "ro.build.type",
    "soc": "ro.soc.model",
}


def boot_id(device: Device) -> str:
    """A word that is another one after each boot."""
    return device.read_text("/proc/sys/kernel/random/boot_id").strip()


def uptime_s(device: Device) -> float:
    """Seconds since the kernel started. DeviceError if it cannot be read."""
    text = device.read_text("/proc/uptime")
    try:
        return float(text.split()[0])
    except (IndexError, ValueError) as error:
        raise DeviceError(f"/proc/uptime holds {text[:60]!r}", device=device.serial) from error


def kernel_log(device: Device, *, since_s: float) -> str:
    """Lines of dmesg at or after ``since_s`` of uptime. CommandFailed where it may not be read."""
    lines = device.shell(["dmesg"], deadline_s=60.0).stdout.splitlines()
    for number, line in enumerate(lines):
        stamp = _STAMP.match(line)
        if stamp and float(stamp[1]) >= since_s:
            return "\n".join(lines[number:])
    return ""


def last_words(device: Device) -> str:
    """What the kernel before this boot left in /sys/fs/pstore, or /proc/last_kmsg on old phones.

    Needs root, and a phone that keeps them; says so where there is nothing.
    """
    answers = ask_all(
        device,
        {
            "reason": "getprop sys.boot.reason",
            "pstore": "cat /sys/fs/pstore/*ramoops* /proc/last_kmsg 2>/dev/null; true",
        },
        deadline_s=60.0,
    )
    kept = answers["pstore"].text or "(nothing in /sys/fs/pstore that may be read)"
    return f"reason of the restart: {answers['reason'].text or 'unknown'}\n{kept}"


def restart_log(device: Device) -> str | None:
    """What is known of the boot before this one, or None if the restart was asked for.

    The kernel's last words are in /sys/fs/pstore (root only, and if the phone keeps them).
    """
    answers = ask_all(
        device,
        {
            "reason": "getprop sys.boot.reason",
            "bootloader": "getprop ro.boot.bootreason",
            "pstore": "cat /sys/fs/pstore/console-ramoops* /sys/fs/pstore/dmesg-ramoops-0 2>/dev/null",
        },
        deadline_s=60.0,
    )
    reason = answers["reason"].text or answers["bootloader"].text
    if _ASKED_FOR.match(reason):
        return None
    last_words = answers["pstore"].text or "(nothing in /sys/fs/pstore)"
    return f"the phone restarted by itself; reason: {reason or 'unknown'}\n{last_words}"


def describe(device: Device) -> dict[str, str]:
    """Facts for the report; what cannot be read says so."""
    questions = {key: f"getprop {name}" for key, name in _PROPERTIES.items()}
    questions |= {
        "kernel": "uname -r",
        "cpus": "cat /sys/devices/system/cpu/online",
        "memory": "cat /proc/meminfo",
        "thermal": "dumpsys thermalservice 2>/dev/null",
        "battery": "dumpsys battery 2>/dev/null",
    }
    answers = ask_all(device, questions, deadline_s=60.0)
    memory = re.search(r"MemTotal:\s+(\d+ kB)", answers["memory"].text)
    thermal = re.search(r"Thermal Status: (\d+)", answers["thermal"].text)
    level = re.search(r"\blevel: (\d+)", answers["battery"].text)
    facts = {key: answers[key].text for key in (*_PROPERTIES, "kernel", "cpus") if answers[key].ok}
    facts["memory"] = memory[1] if memory else "unknown"
    facts["thermal_status"] = thermal[1] if thermal else "unknown"
    facts["battery_percent"] = level[1] if level else "unknown"
    facts["root"] = "yes" if device.is_root else "no"
    return facts
