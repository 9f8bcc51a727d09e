"""Runs the kernel's make: with progress, a log, a deadline, and the first error in one line."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import HostError
from foundation.progress import Progress
from harness.virtual.kernels.built.toolchain import Toolchain

PROGRESS_EVERY_S = 30.0

_DEADLINE_S = 3 * 3600.0
_POLL_S = 0.1
_BUILT = re.compile(r"^  (?:CC|AS|HOSTCC|HOSTLD|LD|AR|LDS|GEN|CC \[M\]) ")
# Nothing else is inherited: MAKEFLAGS of `make demo`, or the user's ARCH or CC, would change the kernel.
_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "USER")
# The same content gives the same build id on any day and machine.
_FIXED = {
    "LC_ALL": "C",
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "reclaim-suite",
    "KBUILD_BUILD_HOST": "reclaim-suite",
    "KBUILD_BUILD_VERSION": "1",
}
_ERRORS = (
    # compiler and assembler
    re.compile(r"^(?P<at>[^\s:]+:\d+)(?::\d+)?: (?:fatal )?[Ee]rror: (?P<what>.*)$"),
    # kconfig
    re.compile(r"^(?P<at>[^\s:]*Kconfig[^\s:]*:\d+): (?P<what>(?!warning).*)$"),
    # linker
    re.compile(
        r"^(?:\S*ld: )?(?P<at>[^\s:]+\.[oa])?:?(?:\([^)]*\))?:?\s*(?P<what>undefined reference to .*)$"
    ),
    re.compile(r"^\S*ld: (?P<at>)(?P<what>.*)$"),
    # a missing source file, or a tool that fails
    re.compile(r"^make(?:\[\d+\])?: \*\*\* (?P<at>)(?P<what>(?!\[|Waiting).*)$"),
    re.compile(r"^make(?:\[\d+\])?: \*\*\* \[(?P<at>[^\]]*)\] (?P<what>.*)$"),
)


@dataclass(frozen=True)
class MakeResult:
    """How make ended: its first error in one line, or None; the number of built files; the time."""

    error: str | None
    files: int
    dur_s: float


def run_make(
    source: Path,
    objects: Path,
    arguments: Sequence[str],
    log: Path,
    tools: Toolchain,
    progress: Progress | None = None,
) -> MakeResult:
    """Run make for ``source`` with its objects in ``objects``; appends all output to ``log``.

    Reports the number of built files to ``progress`` every 30 s. HostError when the deadline
    passes; any exception ends make and its children.
    """
    command = ["nice", "-n", "10", "make", "-C", str(source), f"O={objects}", f"-j{os.cpu_count() or 1}"]
    command += [*tools.arguments, *arguments]
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | _FIXED
    begin = time.monotonic()
    with log.open("ab") as stream:
        start = stream.tell()
        # In its own process group: Ctrl-C reaches us, and we end the whole group.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            _wait(process, log, start, begin, progress)
        except BaseException:
            _end(process)
            raise
    output = _since(log, start)
    error = first_error(output, source) if process.returncode else None
    if error is not None and "No space left on device" in output:
        raise HostError(
            f"no space left on the disk of {objects}", next_step="free some space, and run it again"
        )
    return MakeResult(error, files_built(output), time.monotonic() - begin)


def first_error(output: str, source: Path) -> str:
    """The first line of make's output with the cause, with paths relative to the source."""
    prefixes = (f"{source}/", "./")
    for pattern in _ERRORS:
        for line in output.splitlines():
            match = pattern.match(line.strip())
            if match is None:
                continue
            at = match["at"] or ""
            for prefix in prefixes:
                at = at.removeprefix(prefix)
            what = match["what"].strip().replace(f"{source}/", "")
            return f"{at}: {what}" if at else what
    return output.strip().rpartition("\n")[2].strip() or "make gave no reason"


def files_built(output: str) -> int:
    """The number of objects, archives and generated files in make's output."""
    return sum(1 for line in output.splitlines() if _BUILT.match(line))


def _wait(
    process: subprocess.Popen[bytes], log: Path, start: int, begin: float, progress: Progress | None
) -> None:
    reported = begin
    while process.poll() is None:
        now = time.monotonic()
        if now - begin > _DEADLINE_S:
            raise HostError(
                f"the kernel build did not end within {_DEADLINE_S / 3600:.0f} h", next_step=f"read {log}"
            )
        if progress is not None and now - reported >= PROGRESS_EVERY_S:
            reported = now
            progress(f"  {files_built(_since(log, start))} files built after {(now - begin) / 60:.1f} min")
        time.sleep(_POLL_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    for request in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, request)
        try:
            process.wait(10)
            return
        except subprocess.TimeoutExpired:
            continue


def _since(log: Path, start: int) -> str:
    with log.open("rb") as stream:
        stream.seek(start)
        return stream.read().decode("utf-8", "replace")
