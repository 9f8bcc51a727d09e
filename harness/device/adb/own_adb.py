"""adb as this suite brings it: the command that messages print, so that it works as printed."""

from __future__ import annotations

from foundation.quoting import quote_argv


def own_adb(*words: str, serial: str | None = None) -> str:
    """The command line that runs adb with ``words``; no other adb need be installed."""
    chosen = ["--serial", serial] if serial is not None else []
    return quote_argv(["python", "-m", "android_tests", "adb", *chosen, *words])
