"""What a fake phone was sent and a dry run of the same command line did not say."""

from __future__ import annotations

import re
from typing import Final

from harness.device.adb.shell_v2 import FROM_STDIN
from harness.device.planned_phone import lines_of
from tests.stand_ins.device import FakeDevice

#: What only the phone knows; the shell needs no quotes where its value has no blanks.
_ITS: Final = re.compile(r"'?<[^<>]+>'?")
#: Which files are polled: those that are there.
_POLLED: Final = re.compile(r"(?: --file \S+)+")
_POINTS: Final = re.compile(r"(?<=input swipe )[\d ]+\d|(?<=input tap )[\d ]+\d")
_SHELL: Final = re.compile(r"adb -s \S+ shell '(.*)'")


def unshown(fake: FakeDevice, text: str) -> list[str]:
    """Lines that were sent and pushed files that ``text``, a dry run with ``-v``, does not have; sorted."""
    shown = [line.strip().partition("    # ")[0] for line in text.splitlines()]
    for line in list(shown):
        # A file of the kernel is written by `cat`, its text on standard input.
        shown += [f"cat > {line.rpartition(' > ')[2]}"] if line.startswith("echo ") else []
        shown += found[1].split("; ") if (found := _SHELL.fullmatch(line)) else []
    pattern = re.compile("|".join(map(_pattern, dict.fromkeys(shown))))
    sent = _sent(fake)
    missing = {line for line in sent if not pattern.fullmatch(_POLLED.sub("", line))}
    # What the shell wrote is in its texts.
    pushed = {path for path in fake.files.written if not any(f"> {path}" in line for line in sent)}
    words = re.compile("|".join(_pattern(word) for line in shown for word in line.split() if "/" in word))
    services = {one.partition(":")[0] for one in fake.commands} - {"sync", "shell,v2", "shell,v2,raw"}
    without_serial = re.sub(r"\badb -s \S+ ", "adb ", text)
    missing |= {path for path in pushed if not words.fullmatch(path)}
    return sorted(missing | {one for one in services if f"adb {one}" not in without_serial})


def in_both(fake: FakeDevice, text: str) -> tuple[list[str], list[str]]:
    """Lines that were sent and that ``text`` has word for word, in the order of each, first times only.

    Without those for other phones, which come last.
    """
    shown = [line.strip() for line in text.partition("  to a phone ")[0].splitlines()]
    sent = _sent(fake)
    return [line for line in sent if line in shown], [line for line in dict.fromkeys(shown) if line in sent]


def _sent(fake: FakeDevice) -> dict[str, None]:
    """Every line of every shell text, as a dry run has it, in order."""
    lines: dict[str, None] = {}
    for text in fake.texts:
        command = text.removeprefix("echo $$; ")
        if command.startswith("exec "):
            command = f"{command.removeprefix('exec ')} &"
        lines |= dict.fromkeys(lines_of(command)) if command != FROM_STDIN else {}
    return lines


def _pattern(line: str) -> str:
    # Points of a screen whose size the dry run does not know.
    return r"[\d ]+\d".join(map(_words, _POINTS.split(line)))


def _words(text: str) -> str:
    return r"\S.*?".join(map(re.escape, _ITS.split(_POLLED.sub("", text))))
