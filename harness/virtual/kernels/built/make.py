"""Runs the kernel's make: with progress, a log, a deadline, and the first error told in one line."""

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
from harness.virtual.kernels.host_command import require_programs

COMPILER = "gcc-12"
PROGRESS_EVERY_S = 30.0

_DEADLINE_S = 3 * 3600.0
_POLL_S = 0.1
# Program -> Debian package, and headers that tools of the build include.
_PROGRAMS = {
    COMPILER: COMPILER,
    "make": "make",
    "flex": "flex",
    "bison": "bison",
    "bc": "bc",
    "xz": "xz-utils",
    "patch": "patch",
    "ld": "binutils",
}
_HEADERS = {"gelf.h": "libelf-dev", "openssl/ssl.h": "libssl-dev"}
_INCLUDE = Path("/usr/include")
_BUILT = re.compile(r"^  (?:CC|AS|HOSTCC|HOSTLD|LD|AR|LDS|GEN|CC \[M\]) ")
# Only these pass: a MAKEFLAGS of `make demo`, an ARCH or a CC of the user's would make another kernel.
_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "USER")
# The same content gives the same build id, on whatever day and machine.
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
    # a source file that is not there, or a tool that fails
    re.compile(r"^make(?:\[\d+\])?: \*\*\* (?P<at>)(?P<what>(?!\[|Waiting).*)$"),
    re.compile(r"^make(?:\[\d+\])?: \*\*\* \[(?P<at>[^\]]*)\] (?P<what>.*)$"),
)


@dataclass(frozen=True)
class MakeResult:
    """How make ended; ``error`` is None, or its first error in one line. ``files`` were built."""

    error: str | None
    files: int
    dur_s: float


def require_tools() -> None:
    """HostError naming the Debian packages without which no kernel can be built."""
    missing = {name: package for name, package in _HEADERS.items() if not (_INCLUDE / name).is_file()}
    try:
        require_programs(_PROGRAMS)
    except HostError as error:
        absent = " ".join(sorted(missing.values()))
        if absent:
            raise HostError(error.what, next_step=f"{error.next_step} {absent}") from error
        raise
    if missing:
        packages = " ".join(sorted(missing.values()))
        raise HostError(
            f"this machine lacks what a kernel build includes: {', '.join(sorted(missing))}",
            next_step=f"apt-get install {packages}",
        )


def compiler_version() -> str:
    """The compiler by name and full version; HostError if it is not there."""
    require_programs({COMPILER: COMPILER})
    done = subprocess.run(
        [COMPILER, "-dumpfullversion"], capture_output=True, text=True, timeout=30, check=False
    )
    return f"{COMPILER} {done.stdout.strip()}"


def run_make(
    source: Path, objects: Path, arguments: Sequence[str], log: Path, progress: Progress | None = None
) -> MakeResult:
    """Run make for ``source`` with its objects in ``objects``; all output is added to ``log``.

    Says through ``progress`` every 30 s how many files have been built. HostError when the
    deadline passes; on any exception make and its children are ended.
    """
    command = ["nice", "-n", "10", "make", "-C", str(source), f"O={objects}", f"-j{os.cpu_count() or 1}"]
    command += [f"CC={COMPILER}", f"HOSTCC={COMPILER}", *arguments]
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | _FIXED
    begin = time.monotonic()
    with log.open("ab") as stream:
        start = stream.tell()
        # A group of its own: Ctrl-C is for us, and we end all of it.
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
    said = _since(log, start)
    error = first_error(said, source) if process.returncode else None
    if error is not None and "No space left on device" in said:
        raise HostError(
            f"no space left on the disk of {objects}", next_step="free some space, and run it again"
        )
    return MakeResult(error, files_built(said), time.monotonic() - begin)


def first_error(said: str, source: Path) -> str:
    """The first line of make's output that tells why it failed, with paths below the source."""
    prefixes = (f"{source}/", "./")
    for pattern in _ERRORS:
        for line in said.splitlines():
            match = pattern.match(line.strip())
            if match is None:
                continue
            at = match["at"] or ""
            for prefix in prefixes:
                at = at.removeprefix(prefix)
            what = match["what"].strip().replace(f"{source}/", "")
            return f"{at}: {what}" if at else what
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "make gave no reason"


def files_built(said: str) -> int:
    """How many objects, archives and generated files make's output names."""
    return sum(1 for line in said.splitlines() if _BUILT.match(line))


def _wait(
    process: subprocess.Popen[bytes], log: Path, start: int, begin: float, progress: Progress | None
) -> None:
    told = begin
    while process.poll() is None:
        now = time.monotonic()
        if now - begin > _DEADLINE_S:
            raise HostError(
                f"the kernel build did not end within {_DEADLINE_S / 3600:.0f} h", next_step=f"read {log}"
            )
        if progress is not None and now - told >= PROGRESS_EVERY_S:
            told = now
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
