"""What vendors' builds of Android refuse to the shell, which AOSP allows it."""

from __future__ import annotations

import re
from typing import Final

#: InputManagerService and SettingsProvider of frameworks/base name these permissions, which AOSP's
#: shell has (packages/Shell), and MIUI, HyperOS and ColorOS take from it (Genymobile/scrcpy, issues
#: 70 and 3824).
_TAKEN: Final = re.compile(r"INJECT_EVENTS|WRITE_SECURE_SETTINGS")

ADVICE: Final = (
    "this build of Android takes that permission from adb: in the developer options switch on"
    " 'USB debugging (Security settings)' (Xiaomi, Redmi, POCO) or 'Disable permission monitoring'"
    " (OPPO, realme, OnePlus), and restart the phone"
)


def advice_on(printed: str) -> str | None:
    """What to do about a command that printed this; None if no permission was taken from the shell."""
    return ADVICE if _TAKEN.search(printed) else None
