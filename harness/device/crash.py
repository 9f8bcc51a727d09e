"""Panic, oops, lockup and hung task in a kernel's console output."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# Sources: kernel/panic.c, arch/x86/kernel/dumpstack.c, arch/arm64/kernel/traps.c, kernel/watchdog.c,
# kernel/hung_task.c, kernel/rcu/tree_stall.h. They do not match a user program's fault ("traps:
# app[9] general protection fault ip:...").
_STAMP: Final = r"^(?:<\d+>)?\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])? "
_KINDS: Final = (
    ("panic", r"Kernel panic - not syncing"),
    ("oops", r"(?:Internal error: )?Oops(?: - [\w ]+)?: .*\[#\d+\]"),
    ("oops", r"(?:Internal error|general protection fault|invalid opcode|stack segment).*\[#\d+\]"),
    ("oops", r"Unable to handle kernel "),
    ("bug", r"kernel BUG at "),
    ("lockup", r"watchdog: BUG: soft lockup"),
    ("lockup", r"watchdog: .*[Hh]ard LOCKUP"),
    ("lockup", r"rcu: INFO: rcu_\w+ .*detected .*stall"),
    ("bug", r"BUG: "),
    ("hung task", r"INFO: task .+ blocked for more than \d+ seconds"),
)
_PATTERNS: Final = tuple((kind, re.compile(_STAMP + text, re.MULTILINE)) for kind, text in _KINDS)
_LINES_BEFORE: Final = 10
_LINES_MAX: Final = 400


@dataclass(frozen=True)
class Crash:
    """The first sign of a crash: its ``kind``, its line, and the console text around and after it."""

    kind: str
    headline: str
    log: str


def find_crash(console: str) -> Crash | None:
    """Find the first crash in ``console``, or None. A WARN is not a crash."""
    first: tuple[int, int, str] | None = None
    for rank, (kind, pattern) in enumerate(_PATTERNS):
        match = pattern.search(console)
        if match and (first is None or (match.start(), rank) < first[:2]):
            first = (match.start(), rank, kind)
    if first is None:
        return None
    lines = console.splitlines()
    at = console.count("\n", 0, first[0])
    excerpt = lines[max(0, at - _LINES_BEFORE) : at + _LINES_MAX]
    return Crash(kind=first[2], headline=lines[at].strip(), log="\n".join(excerpt))
