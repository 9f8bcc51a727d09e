"""The programs of the virtual device, and their build."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from foundation.contract.arch import Arch
from harness.native.build import binary, build_c

GUEST: Final = Path(__file__).parent / "guest"

#: The suite's own programs; each has a source folder of its name below guest/ and uses guest/common,
#: except app. The rest of the guest are packages (`harness.virtual.userland`).
GUEST_PROGRAMS: Final = ("init", "activityd", "framework", "link", "app")

#: Android's commands: links to the program framework.
COMMAND_NAMES: Final = (
    "am",
    "cmd",
    "dumpsys",
    "getprop",
    "input",
    "logcat",
    "pm",
    "reboot",
    "setprop",
    "settings",
)


def guest_program(name: str, arch: Arch) -> Path:
    """Build a static program of the guest, or take it from the cache. HostError without a compiler."""
    if name == "app":
        return binary("app", arch)
    sources = [*sorted((GUEST / name).glob("*.c")), *sorted((GUEST / "common").glob("*.c"))]
    return build_c(f"guest-{name}", sources, arch, ("-Wshadow",))
