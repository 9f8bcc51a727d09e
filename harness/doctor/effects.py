"""What a phone will do to a measurement, in one line each, and which scenarios are sensible on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from foundation.contract.zram_identity import engine_of
from harness.doctor.facts import DeviceFacts

#: What no phone without a fan sustains: all CPUs busy heat it to its limits in minutes.
PHONE_SCENARIOS: Final = ("idle",)
_ALL_SCENARIOS: Final = ("idle", "busy")
_USUAL_PAGE_BYTES: Final = 4096


@dataclass(frozen=True)
class Effect:
    """``topic`` is one word, ``text`` what it does and what to do about it."""

    topic: str
    text: str


def scenarios(facts: DeviceFacts) -> tuple[str, ...]:
    """Those that the next campaign should have here."""
    return _ALL_SCENARIOS if facts.emulated else PHONE_SCENARIOS


def effects(facts: DeviceFacts) -> list[Effect]:
    """In the order of how much they can spoil; empty for a virtual device, whose guest has none."""
    if facts.emulated:
        return []
    rows = [
        ("emulator", _emulator(facts)),
        ("hardware", _hardware(facts)),
        ("backing", _backing(facts)),
        ("limits", _limits(facts)),
        ("heat", _heat(facts)),
        ("reclaim", _reclaim(facts)),
        ("MGLRU", _lru(facts)),
        ("pages", _pages(facts)),
        ("screen", _screen(facts)),
        ("scenarios", _scenarios(facts)),
    ]
    return [Effect(topic, text) for topic, text in rows if text]


def _emulator(facts: DeviceFacts) -> str:
    name = facts.surroundings.emulator
    return (
        f"this is {name}: it shows that the suite works, no figure says anything of a phone" if name else ""
    )


def _hardware(facts: DeviceFacts) -> str:
    algorithm = facts.zram_algorithm.text
    engine = engine_of(algorithm or "")
    if engine is None:
        if algorithm or not facts.zram_disk:
            return ""
        tensor = facts.properties.get("soc", "").startswith("Tensor")
        return "zram's algorithm is hidden without root" + (
            "; Pixels 6 to 9 use hardware" if tensor else ""
        )
    return (
        f"{engine} compresses: a patch of the software path is not exercised. Set lz4 on both sides"
        " (zram_algorithm of the profile)"
    )


def _backing(facts: DeviceFacts) -> str:
    device = facts.surroundings.backing_device
    if device in (None, "", "none"):
        return ""
    return (
        f"zram writes back to {device.rpartition('/')[2]}: blocks only empty it and keep its size and"
        " algorithm. --reset-backed-zram sets the profile's, and loses it; a restart brings it back"
    )


def _limits(facts: DeviceFacts) -> str:
    writers = list(facts.surroundings.hint_services)
    if facts.surroundings.powerhint_file:
        writers.append("powerhint.json")
    if not writers or not facts.clusters:
        return ""
    shown = ", ".join(writers[:2]) + (f" and {len(writers) - 2} more" if len(writers) > 2 else "")
    return f"the power HAL ({shown}) also writes CPU frequency limits: fixed frequencies may not hold"


def _heat(facts: DeviceFacts) -> str:
    around = facts.surroundings
    if facts.thermal_status is None or around.emulator:
        return ""
    parts = [throttling(facts.thermal_status)]
    if around.capping_c is not None:
        now = "" if around.hottest_skin_c is None else f", now {around.hottest_skin_c:.1f} C"
        parts.append(f"skin limits from {around.capping_c:.1f} C{now}")
    else:
        parts.append(f"no skin limit known, hottest {facts.hottest or 'unknown'}")
    if around.capped is None:
        parts.append("cooling devices are not listed: only scaling_max_freq shows a cap")
    elif around.capped:
        parts.append(f"capped now by {', '.join(around.capped)}: let it cool")
    else:
        parts.append("no CPU is capped now; caps may come before any status")
    return "; ".join(parts)


def throttling(status: int) -> str:
    """A thermal status in words. Source: android.os.Temperature."""
    names = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
    return f"throttling {names[status] if status < len(names) else status}"


def _reclaim(facts: DeviceFacts) -> str:
    around = facts.surroundings
    parts = []
    if around.compaction is not None:
        parts.append(f"compaction of cached apps: {_flag(around.compaction)}")
    if around.freezer is not None:
        parts.append(f"freezer: {_flag(around.freezer)}")
    if around.mmd is not None:
        parts.append(f"mmd: {around.mmd}")
    return f"beside kswapd: {', '.join(parts)}" if parts else ""


def _flag(value: str) -> str:
    return "the build's default" if value in ("default", "device_default") else value


def _lru(facts: DeviceFacts) -> str:
    if facts.lru_gen.text is None:
        return f"unknown: {facts.lru_gen.why}"
    bits = facts.lru_gen.text
    state = "off" if bits in ("0", "0x0000", "n", "N") else "on"
    flag = facts.surroundings.lru_gen_flag
    kept = "" if flag in (None, "default") else f"; a server-side flag sets it ({flag})"
    return f"{state} ({bits}) as found{kept}: a profile can pin it (mglru)"


def _pages(facts: DeviceFacts) -> str:
    size = facts.surroundings.page_size_bytes
    if size is None or size == _USUAL_PAGE_BYTES:
        return ""
    return f"{size // 1024} KiB: figures by page compare with such devices only"


def _screen(facts: DeviceFacts) -> str:
    """What a person must do at the phone."""
    around = facts.surroundings
    maker = facts.properties.get("manufacturer", "").lower()
    parts = []
    if around.su == "Magisk":
        parts.append("tap Grant when Magisk asks (10 s), at the first use of --su")
    elif around.su == "KernelSU":
        parts.append("allow Shell in KernelSU's manager, for --su")
    elif facts.root == "none" and facts.properties.get("build type") == "user":
        parts.append("KernelSU hides su until its manager allows Shell")
    if maker in ("xiaomi", "redmi", "oppo", "realme", "oneplus"):
        parts.append(
            "switch on 'USB debugging (Security settings)' or its like, else input and settings are refused"
        )
    return "; ".join(parts)


def _scenarios(facts: DeviceFacts) -> str:
    if facts.surroundings.emulator:
        return ""
    here = ", ".join(scenarios(facts))
    return f"{here}; busy and rt-busy heat a phone without a fan to its limits, and are void then"
