"""The stable patch ids of a patch file, by git."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Final

from foundation.errors import HostError, UsageError
from harness.virtual.kernels.built.patch_file import PatchFile, PatchPart
from harness.virtual.packages.host_command import require_programs

_DEADLINE_S: Final = 60.0
_FILE_PAIR: Final = re.compile(r"^--- (?:a/)?(\S+).*\n\+\+\+ (?:b/)?(\S+).*\n(?=@@ )", re.MULTILINE)


def patch_ids(patch: PatchFile) -> tuple[str, ...]:
    """The id of each part, in order (git-patch-id(1), ``--stable``). HostError, UsageError."""
    require_programs({"git": "git"})
    return tuple(_id_of(patch, part) for part in patch.parts)


def _id_of(patch: PatchFile, part: PatchPart) -> str:
    try:
        done = subprocess.run(
            ["git", "patch-id", "--stable"],
            input=_by_git(part.diff).encode("utf-8", "surrogateescape"),
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            timeout=_DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise HostError(f"git patch-id did not end within {_DEADLINE_S:.0f} s on {patch.path}") from error
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise HostError(f"git patch-id failed on {patch.path}: {reason}")
    words = done.stdout.split()
    if not words:
        raise UsageError(
            f"git finds no change in {patch.path} ('{part.title[:80]}')",
            next_step="make the diff with git diff or git format-patch",
        )
    return words[0].decode()


def _by_git(diff: str) -> str:
    """The diff as git begins it: patch-id looks for the line ``diff``, which diff -u does not write."""
    if re.search(r"^diff ", diff, re.MULTILINE):
        return diff

    def begun(pair: re.Match[str]) -> str:
        old, new = pair[1], pair[2]
        named = (new if old == "/dev/null" else old, old if new == "/dev/null" else new)
        return f"diff --git a/{named[0]} b/{named[1]}\n{pair[0]}"

    return _FILE_PAIR.sub(begun, diff)
