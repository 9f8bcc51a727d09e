"""Runs a program of the host with a deadline; its failure becomes a one-line error."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import textwrap
from collections.abc import Sequence
from pathlib import Path

from foundation.errors import HostError


def require_programs(packages: dict[str, str]) -> None:
    """HostError naming the missing programs and their Debian packages (program -> package)."""
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

    HostError for a non-zero exit status (with its last lines of output), when ``deadline_s``
    passes, or if the program is missing. Any exception kills the program and its children.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise HostError(
            f"this machine lacks {argv[0]}", next_step="install it, then run this again"
        ) from error
    with process:
        try:
            stdout, stderr = process.communicate(timeout=deadline_s)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise HostError(f"{_shown(argv)} did not end within {deadline_s:.0f} s") from error
            raise
    if process.returncode:
        output = (stderr or stdout).decode("utf-8", "replace").strip().splitlines()
        if any("No space left on device" in line for line in output):
            raise HostError(f"no space left on the disk of {argv[0]}", next_step="free some space")
        errors = [line for line in output if line.startswith(("E:", "Err:"))] or output[-3:]
        raise HostError(f"{_shown(argv)} ended with status {process.returncode}: {' / '.join(errors[-3:])}")
    return stdout.decode("utf-8", "replace")
