"""What a fake phone was sent and a dry run of the same command line did not say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from foundation.quoting import quote, quote_argv
from tests.stand_ins.device import FakeDevice

#: Programs that change nothing, whatever their words.
READ_ONLY: Final = (
    *("[", "cat", "command", "date", "df", "dmesg", "echo", "false", "getenforce", "getprop", "grep", "id"),
    *("ls", "od", "pgrep", "pidof", "printf", "sha256sum", "stat", "test", "true", "uname"),
)
#: Of programs that also set things: words at their beginning with which they only read.
READING: Final = (
    ("cmd", "jobscheduler", "get-job-state"),
    ("device_config", "list"),
    ("dumpsys", "activity", "exit-info"),
    ("dumpsys", "battery"),
    ("dumpsys", "content"),
    ("dumpsys", "deviceidle", "enabled"),
    ("dumpsys", "package"),
    ("dumpsys", "power"),
    ("dumpsys", "thermalservice"),
    ("perfetto", "--help"),
    ("perfetto", "--version"),
    ("settings", "get"),
)
#: With one more word it sets.
AIRPLANE: Final = ["cmd", "connectivity", "airplane-mode"]


def unshown(fake: FakeDevice, text: str) -> list[str]:
    """Programs and files that ``text`` does not name, sorted.

    A program with a verb (``am start``) must be there with it, and one of the suite's own with its
    path and first word. Files: those that a shell or a push wrote, by their path. Restarts count as
    ``adb reboot``.
    """
    wanted = {_program(argv) for argv in fake.ran if not _reads(argv)}
    wanted |= {_file(path) for path in fake.files.written}
    services = {one.partition(":")[0] for one in fake.commands} - {"sync", "shell,v2", "shell,v2,raw"}
    wanted |= {f"adb {service}" for service in services}
    text = re.sub(r"\badb -s \S+ ", "adb ", text)
    return sorted(one for one in wanted if not re.search(rf"(?<![\w/]){re.escape(one)}(?![\w/])", text))


def _reads(argv: Sequence[str]) -> bool:
    if argv[0] in READ_ONLY or list(argv) == AIRPLANE:
        return True
    return any(tuple(argv[: len(words)]) == words for words in READING)


def _program(argv: Sequence[str]) -> str:
    has_verb = len(argv) > 1 and re.fullmatch(r"[a-z][a-z-]+", argv[1]) is not None
    return quote_argv(argv[: 2 if has_verb or argv[0].startswith("/") else 1])


def _file(path: str) -> str:
    # What only the phone knows is said as a pattern.
    path = re.sub(r"/policy\d+/scaling_(min|max)_freq$", "/policy*/scaling_{max,min}_freq", path)
    return path if "*" in path else quote(path)
