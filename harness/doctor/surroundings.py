"""What acts on a phone's memory, CPUs and processes beside the kernel under test.

Sources: the dump of ThermalManagerService.java (frameworks/base; HIDL's own form before Android 14);
CachedAppOptimizer.java for compaction and freezer; system/memory/mmd and the README there for ``mmd``;
Documentation/admin-guide/mm/multigen_lru.rst.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from foundation.contract.batch import Answer
from harness.device import phone_facts, phone_state

#: A service of init that sets frequency limits by hints, such as ``vendor.power-hal-aidl``.
_HINTS: Final = re.compile(
    r"^\[init\.svc\.((?:vendor\.)?(?!.*stats)[\w.\-]*(?:power|perf)[\w.\-]*)\]: \[running\]", re.MULTILINE
)
_THRESHOLD: Final = re.compile(
    r"(?:mType=3|type = SKIN), (?:m|\.)[Nn]ame ?= ?(?P<name>[^,]+), "
    r"(?:mHot|\.hot)ThrottlingThresholds ?= ?\[(?P<hot>[^\]]*)\]"
)


@dataclass(frozen=True)
class Surroundings:
    """One reading; what is unknown is None, a setting that nobody set is the text ``default``.

    ``su``: ``Magisk``, ``KernelSU``, ``AOSP`` or ``unknown``. ``skin_limits_c`` maps a skin sensor to the
    temperature from which its status is not none; ``hottest_skin_c`` is that of the case now. ``capped``
    are cooling devices of CPUs that limit them now; None if none are listed. ``hint_services`` are
    services of init.
    """

    page_size_bytes: int | None = None
    su: str | None = None
    emulator: str | None = None
    backing_device: str | None = None
    hint_services: tuple[str, ...] = ()
    powerhint_file: bool = False
    skin_limits_c: Mapping[str, float] | None = None
    hottest_skin_c: float | None = None
    capped: tuple[str, ...] | None = None
    compaction: str | None = None
    freezer: str | None = None
    mmd: str | None = None
    lru_gen_flag: str | None = None

    @property
    def capping_c(self) -> float | None:
        """The lowest limit of a skin sensor, degrees Celsius."""
        return min(self.skin_limits_c.values(), default=None) if self.skin_limits_c else None


def surroundings_questions() -> dict[str, str]:
    """What to ask, by key; nothing changes the phone. ``su -v`` prints a version and asks nobody."""
    return {
        "page size": "getconf PAGESIZE",
        "su version": "su -v",
        "backing device": "cat /sys/block/zram0/backing_dev",
        "all properties": "getprop",
        "powerhint": "ls /vendor/etc/powerhint.json",
        "compaction": "device_config get activity_manager use_compaction",
        "freezer": "settings get global cached_apps_freezer",
        "lru_gen flag": "device_config get mglru_native lru_gen_config",
    }


def read_surroundings(answers: Mapping[str, Answer]) -> Surroundings:
    """Parse the answers to `surroundings_questions`, and ``thermal`` and ``su`` of doctor's own."""
    properties = answers["all properties"].text
    thermal = answers["thermal"].text
    cooling = phone_state.parse_cpu_cooling(thermal)
    page = answers["page size"].text
    return Surroundings(
        page_size_bytes=int(page) if page.isdigit() else None,
        su=_su(answers["su version"], properties) if answers["su"].ok else None,
        emulator=phone_facts.emulator_of(
            {name: _property(name, properties) for name in phone_facts.EMULATOR_PROPERTIES}
        ),
        backing_device=answers["backing device"].value,
        hint_services=tuple(sorted(set(_HINTS.findall(properties)))),
        powerhint_file=answers["powerhint"].ok,
        skin_limits_c=_skin_limits(thermal),
        hottest_skin_c=phone_state.parse_skin(thermal),
        capped=None if cooling is None else tuple(name for name, state in cooling.items() if state),
        compaction=_setting(answers["compaction"]),
        freezer=_setting(answers["freezer"]),
        mmd=_mmd(properties),
        lru_gen_flag=_setting(answers["lru_gen flag"]),
    )


def _su(version: Answer, properties: str) -> str:
    """The su of a debuggable build (system/extras/su) has no version: it takes the option for a user."""
    text = version.text.upper()
    if "MAGISK" in text:
        return "Magisk"
    if "KERNELSU" in text:
        return "KernelSU"
    return "unknown" if version.ok or _property("ro.debuggable", properties) != "1" else "AOSP"


def _property(name: str, properties: str) -> str:
    match = re.search(rf"^\[{re.escape(name)}\]: \[(.*)\]$", properties, re.MULTILINE)
    return match[1] if match else ""


def _mmd(properties: str) -> str | None:
    """mmd has zram if both its property and its flag say so (fs_mgr.cpp leaves zram to it then)."""
    if _property("mmd.enabled_aconfig", properties) == _property("mmd.zram.enabled", properties) == "true":
        return "sets up and maintains zram"
    state = _property("init.svc.mmd", properties)
    return state or None


def _setting(answer: Answer) -> str | None:
    if not answer.ok or "\n" in answer.text:
        return None
    return "default" if answer.text in ("null", "") else answer.text


def _skin_limits(thermal: str) -> dict[str, float] | None:
    """The first temperature above status none, by skin sensor; NaN entries have no limit."""
    limits: dict[str, float] = {}
    for match in _THRESHOLD.finditer(thermal):
        # Index 0 is the limit of status none.
        values = [float(word) for word in match["hot"].split(",")[1:] if word.strip()]
        known = [value for value in values if not math.isnan(value)]
        if known:
            limits[match["name"].strip()] = known[0]
    return limits or None
