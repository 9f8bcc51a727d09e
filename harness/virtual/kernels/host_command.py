"""Runs a program of the host with a deadline; its failure becomes one clear line."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import textwrap
from collections.abc import Sequence
from pathlib import Path

from foundation.errors import HostError


def require_programs(packages: dict[str, str]) -> None:
    """Raise HostError naming the Debian packages of the programs (name -> package) that are absent."""
    missing = {program: package for program, package in packages.items() if shutil.which(program) is None}
    if missing:
        raise HostError(
            f"this machine lacks {', '.join(sorted(missing))}",
            next_step=f"apt-get install {' '.join(sorted(set(missing.values())))}",
        )


def _shown(argv: Sequence[str]) -> str:
    return textwrap.shorten(shlex.join(argv), 120, placeholder=" ...")


def run(argv: Sequence[str], *, deadline_s: float, cwd: Path | None = None) -> str:
    """Run ``argv`` and return its stdout as text.

    Raises HostError on a non-zero exit status (with the last lines it printed), when
    ``deadline_s`` passes (the program is killed), or when the program is absent.
    """
    try:
        done = subprocess.run(
            list(argv),
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=deadline_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise HostError(
            f"this machine lacks {argv[0]}", next_step="install it, then run this again"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise HostError(f"{_shown(argv)} did not end within {deadline_s:.0f} s") from error
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
        if any("No space left on device" in line for line in said):
            raise HostError(f"no space left on the disk, seen by {argv[0]}", next_step="free some space")
        errors = [line for line in said if line.startswith(("E:", "Err:"))] or said[-3:]
        raise HostError(f"{_shown(argv)} ended with status {done.returncode}: {' / '.join(errors[-3:])}")
    return done.stdout.decode("utf-8", "replace")
