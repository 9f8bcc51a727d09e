"""Applies a patch to copies of the files that it touches; the source is never written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from foundation.errors import HostError, UsageError
from harness.virtual.kernels.built.patch_file import PatchFile, PatchPart
from harness.virtual.packages.host_command import require_programs

_DEADLINE_S = 60.0
_FILE = re.compile(r"^(?:patching|checking) file '?(.+?)'?(?: \((?:renamed|copied) from .*\))?$")
_HUNK = re.compile(r"^Hunk #(\d+) (?:FAILED|ignored) at (\d+)")
_FATAL = re.compile(r"^patch: \*\*\*\* (.*)")


def apply_patch(patch: PatchFile, source: Path, work: Path, version: str) -> dict[str, Path | None]:
    """Apply every part in order, with no more fuzz than ``patch`` allows; ``work`` is an empty folder.

    Returns the new content (a file below ``work``) of each file that changes, None for a removed
    one. UsageError names file and hunk; ``version`` is the kernel's, for the message.
    """
    require_programs({"patch": "patch"})
    tree = work / "tree"
    tree.mkdir()
    for name in patch.files:
        original = source / name
        if original.is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(original, tree / name)
    for part in patch.parts:
        _apply_part(patch, part, tree, work, version)
    changed: dict[str, Path | None] = {}
    for name in patch.files:
        before = _read(source / name)
        after = _read(tree / name)
        if before != after:
            changed[name] = tree / name if after is not None else None
    if not changed:
        raise UsageError(
            f"{patch.path} changes nothing in Debian's {version}",
            next_step="check the path of the patch",
        )
    return changed


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _apply_part(patch: PatchFile, part: PatchPart, tree: Path, work: Path, version: str) -> None:
    for name in sorted(part.old):
        if not (tree / name).is_file():
            raise UsageError(
                f"{_which(patch, part)} does not apply: Debian's {version} has no file {name}",
                next_step="rebase the patch onto this version; paths begin with a/ and b/",
            )
    diff = work / "part.diff"
    diff.write_bytes(part.diff.encode("utf-8", "surrogateescape"))
    # None unless it is asked for: a misplaced hunk would make another kernel than the author's.
    fuzz = f"--fuzz={patch.fuzz}"
    options = [fuzz, "--batch", "--forward", "--no-backup-if-mismatch", "--reject-file=-"]
    try:
        done = subprocess.run(
            ["patch", "-p1", *options, "-i", str(diff)],
            cwd=tree,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise HostError(f"patch did not end within {_DEADLINE_S:.0f} s on {patch.path}") from error
    if done.returncode:
        output = (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace")
        raise UsageError(
            f"{_which(patch, part)} does not apply to Debian's {version}: {failure(output)}",
            next_step="rebase the patch onto this version; offsets are allowed, fuzz only by fuzz=1..3",
        )


def _which(patch: PatchFile, part: PatchPart) -> str:
    return str(patch.path) if len(patch.parts) == 1 else f"{patch.path} ('{part.title[:80]}')"


def failure(output: str) -> str:
    """What failed, from patch's output: the first file and hunk, and the number of others."""
    file = "?"
    first: str | None = None
    failed = 0
    for line in output.splitlines():
        if match := _FILE.match(line):
            file = match[1]
        elif match := _HUNK.match(line):
            failed += 1
            first = first or f"{file}, hunk {match[1]} (line {match[2]})"
        elif match := _FATAL.match(line):
            return match[1].strip()
        elif line.startswith("Reversed (or previously applied) patch detected"):
            first = first or f"{file} has the change already"
        elif "which already exists" in line:
            first = first or line.strip().rstrip("!")
    if first is None:
        return output.strip().rpartition("\n")[2].strip() or "patch gave no reason"
    return first if failed < 2 else f"{first}, and {failed - 1} more"
