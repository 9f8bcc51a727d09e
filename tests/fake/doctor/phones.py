"""Four phones that doctor's page must fit: what is known of each, put on a stand-in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tests.stand_ins.device.android import GOOGLE, SAMSUNG, AndroidPhone, android_phone
from tests.stand_ins.device.android.surroundings import PIXEL_SKIN, SAMSUNG_SKIN, install

_HINTS: Final = {"init.svc.vendor.power-hal-aidl": "running", "init.svc.vendor.power.stats": "running"}


def pixel_8_root() -> AndroidPhone:
    """Android 15 userdebug after ``adb root``: hardware zram with a backing device, MGLRU off."""
    phone = android_phone(35, "userdebug", GOOGLE, root=True)
    phone.files.put("/sys/kernel/mm/lru_gen/enabled", "0x0000\n")
    phone.state.zones["VIRTUAL-SKIN"] = 38.0
    install(
        phone,
        skin_limits=PIXEL_SKIN,
        cooling={"thermal-cpufreq-2": 0},
        properties=_HINTS,
        flags={"activity_manager/use_compaction": "true"},
        backing="/dev/block/loop29",
        files={"/vendor/etc/powerhint.json": "{}\n"},
    )
    return phone


def pixel_user_16() -> AndroidPhone:
    """Android 16 user build: mmd has zram, a CPU is capped at status none."""
    phone = android_phone(36, "user", GOOGLE)
    phone.state.zones["VIRTUAL-SKIN"] = 38.0
    install(
        phone,
        skin_limits=PIXEL_SKIN,
        cooling={"thermal-cpufreq-2": 6},
        properties={**_HINTS, "mmd.enabled_aconfig": "true", "mmd.zram.enabled": "true"},
        files={"/vendor/etc/powerhint.json": "{}\n"},
    )
    return phone


def samsung_magisk() -> AndroidPhone:
    """Android 14 with Magisk."""
    phone = android_phone(34, "user", SAMSUNG, su="magisk")
    phone.state.zones["SKIN"] = 33.5
    install(phone, skin_limits=SAMSUNG_SKIN, su_version="27.0:MAGISKSU")
    return phone


def cuttlefish_16k() -> AndroidPhone:
    """Cuttlefish with pages of 16 KiB: no cpufreq, no heat."""
    vendor = replace(
        GOOGLE,
        model="Cuttlefish arm64 phone 16k",
        device="vsoc_arm64",
        hardware="cutf_cvm",
        soc_model="",
        clusters=(),
        thermal_zones=(),
        algorithm="lz4",
    )
    phone = android_phone(36, "userdebug", vendor, root=True)
    install(phone, page_size=16384, properties={"ro.boot.qemu": "1"})
    return phone


#: Name -> how to make it, and what doctor is given.
FOUR: Final[dict[str, tuple[Callable[[], AndroidPhone], tuple[str, ...]]]] = {
    "Pixel 8 userdebug root": (pixel_8_root, ()),
    "Pixel user 16": (pixel_user_16, ()),
    "Samsung with Magisk": (samsung_magisk, ("--su",)),
    "Cuttlefish 16 KiB": (cuttlefish_16k, ()),
}
