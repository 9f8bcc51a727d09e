"""A recorded survey as a stand-in phone: what a real phone answered, for a test to run the suite against.

    with replayed(Path("tests/.../survey-of-a-pixel")) as phone: ...

Files and commands that were recorded answer as they did on that phone, also by refusing. A folder that was
recorded whole has no other files. Any other command is the stand-in's (tests/stand_ins/device/android).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from foundation.quoting import quote_argv
from harness.survey.asking import Entry
from harness.survey.folder import INDEX, SCHEMA, entries_of
from tests.stand_ins.device.android import VERSIONS, AndroidPhone, android_phone
from tests.stand_ins.device.tree import How
from tests.stand_ins.device.tree_shell import Call, Program

_REFUSED: Final = "Permission denied"
_PROCESSES: Final = "cat /proc/[0-9]*/stat 2>/dev/null; true"
#: Folders whose files a survey records whole: what it did not find there does not exist on that phone.
_WHOLE: Final = (
    "/sys/block/zram0",
    "/sys/devices/system/cpu/cpufreq",
    "/sys/kernel/mm",
    "/proc/pressure",
    "/proc/sys/vm",
)


def load(folder: Path) -> tuple[dict[str, Any], dict[str, list[Entry]]]:
    """The index of a survey, and the entries of each item by its name. ValueError for another schema."""
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    if index["schema"] != SCHEMA:
        raise ValueError(f"{folder} has schema {index['schema']}, not {SCHEMA}")
    items = {}
    for item in index["items"]:
        content = json.loads((folder / item["file"]).read_text(encoding="utf-8"))
        items[item["name"]] = list(entries_of(content))
    return index, items


def replayed(folder: Path) -> AndroidPhone:
    """The phone, not yet listening."""
    index, items = load(folder)
    recorded = [entry for item in items.values() for entry in item if entry.exit_status is not None]
    entries = [replace(entry, path=entry.path or _file_of(entry.command)) for entry in recorded]
    by_command = {entry.command: entry for entry in reversed(entries)}
    root = by_command["id -u"].stdout.strip() == "0"
    debuggable = "[ro.debuggable]: [1]" in by_command["getprop"].stdout
    api = max(level for level in VERSIONS if level <= int(index["api"]))
    phone = android_phone(api, "userdebug" if debuggable else "user", root=root)
    _files(phone, entries)
    _processes(phone, by_command[_PROCESSES].stdout)
    _programs(phone, by_command)
    return phone


def _file_of(command: str) -> str | None:
    """The file that a plain ``cat`` reads."""
    match = re.fullmatch(r"cat (/[^\s;*\[]+)", command)
    return match[1] if match else None


def _processes(phone: AndroidPhone, text: str) -> None:
    for path in phone.files.glob("/proc/[0-9]*"):
        phone.files.remove(path)
    for line in text.splitlines():
        phone.files.put(f"/proc/{line.split()[0]}/stat", f"{line}\n")


def _files(phone: AndroidPhone, entries: list[Entry]) -> None:
    for path in _WHOLE:
        phone.files.remove(path)
    refused = {entry.path for entry in entries if entry.path and _REFUSED in entry.stderr}
    answered = {entry.path: entry.stdout for entry in entries if entry.path and entry.ok}
    for path in refused:
        phone.files.put(path, "")
    for path, text in answered.items():
        phone.files.put(path, f"{text}\n")
    before = phone.files.guard
    assert before is not None

    def guard(path: str, how: How) -> bool:
        if path in answered and how == "read":
            return True
        return path not in refused and before(path, how)

    phone.files.guard = guard


def _programs(phone: AndroidPhone, by_command: dict[str, Entry]) -> None:
    """Replace programs for the words that were recorded; the shell's own texts are left to the stand-in."""
    properties = by_command["getprop"].stdout.splitlines()
    pairs = (line.removeprefix("[").removesuffix("]").partition("]: [") for line in properties)
    phone.properties = {name: value for name, separator, value in pairs if separator}
    phone.release = by_command["uname -r"].stdout.strip()
    phone.version = by_command["uname -v"].stdout.strip()
    for name in {command.split()[0] for command in by_command} - {"cat", "getprop", "uname", "echo", "id"}:
        phone.programs[name] = _recorded(by_command, phone.programs.get(name))


def _recorded(by_command: dict[str, Entry], otherwise: Program | None) -> Callable[[Call], int]:
    def program(call: Call) -> int:
        entry = by_command.get(quote_argv(call.argv))
        if entry is None or entry.exit_status is None:
            if otherwise is not None:
                return otherwise(call)
            call.io.fail(f"sh: {call.argv[0]}: not found")
            return 127
        call.io.out(entry.stdout.encode())
        call.io.err(entry.stderr.encode())
        return entry.exit_status

    return program
