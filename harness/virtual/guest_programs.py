"""The programs of the virtual device, and their build."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from harness.native.build import binary, build_c

GUEST: Final = Path(__file__).parent / "guest"

#: Each has a source folder of its name below guest/ and uses guest/common, except app.
GUEST_PROGRAMS: Final = ("adbd", "init", "activityd", "framework", "app")

#: Android's commands: links to the program framework.
COMMAND_NAMES: Final = (
    "am",
    "cmd",
    "dumpsys",
    "getprop",
    "input",
    "logcat",
    "pm",
    "ps",
    "reboot",
    "setprop",
    "settings",
)


def guest_program(name: str) -> Path:
    """Build a static x86-64 program of the guest, or take it from the cache. HostError without gcc."""
    if name == "app":
        return binary("app", "x86_64")
    sources = [*sorted((GUEST / name).glob("*.c")), *sorted((GUEST / "common").glob("*.c"))]
    return build_c(f"guest-{name}", sources, "x86_64", ("-Wshadow",))
