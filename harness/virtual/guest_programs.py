"""Which programs run in the virtual device, and how each is built."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from harness.native.build import binary, build_c

GUEST: Final = Path(__file__).parent / "guest"

# Program -> its source folder below guest/; all use guest/common.
_SOURCES: Final = {
    "adbd": "adbd",
    "init": "init",
    "activityd": "activityd",
    "framework": "framework",
}

GUEST_PROGRAMS: Final = (*_SOURCES, "app")

# One program under the names of Android's commands.
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
    """Build (or find in the cache) a static x86-64 program of the guest. HostError without gcc."""
    if name == "app":
        return binary("app", "x86_64")
    folder = GUEST / _SOURCES[name]
    sources = [*sorted(folder.glob("*.c")), *sorted((GUEST / "common").glob("*.c"))]
    return build_c(f"guest-{name}", sources, "x86_64", ("-Wshadow",))
