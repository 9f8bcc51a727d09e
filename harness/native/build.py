"""Builds the suite's C programs (static, x86-64 and aarch64) and a library for QEMU; cached by content."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from foundation.cache import cache_dir
from foundation.contract.arch import Arch
from foundation.errors import HostError, UsageError
from foundation.files import replacing
from foundation.words import did_you_mean

ARCHES: Final[tuple[Arch, ...]] = ("x86_64", "aarch64")

_WORKLOADS: Final = Path(__file__).parent / "workloads"
_CAPTURE: Final = Path(__file__).parent / "capture"

_COMPILERS: Final[dict[Arch, tuple[str, str]]] = {
    "x86_64": ("gcc", "gcc libc6-dev"),
    "aarch64": ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"),
}

_COMMON: Final = ("-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror")
_FLAGS: Final = (*_COMMON, "-static", "-pthread")
_LIBRARY_FLAGS: Final = (*_COMMON, "-shared", "-fPIC")
_STILL_HOST: Final = tuple(
    Path(__file__).parent / "host" / f"{part}.c" for part in ("still_clock", "turns")
)

#: Program -> its sources.
PROGRAMS: Final[dict[str, tuple[Path, ...]]] = {
    "app": (_WORKLOADS / "app.c", _WORKLOADS / "descriptor.c", _WORKLOADS / "pagecontent.c"),
    "burner": (_WORKLOADS / "burner.c",),
    "eater": tuple(_WORKLOADS / f"{part}.c" for part in ("eater", "call", "histogram", "pagecontent")),
    "poller": tuple(
        _CAPTURE / f"{part}.c" for part in ("poller", "counters", "source", "text", "threads", "zram")
    ),
    "probe-cost": (_CAPTURE / "probe_cost.c",),
}


def compiler(arch: Arch) -> str:
    """Path of the compiler for ``arch``; HostError naming the Debian packages if it is missing."""
    name, packages = _COMPILERS[arch]
    path = shutil.which(name)
    if path is None:
        raise HostError(
            f"{name} is not installed", next_step=f"apt-get install --no-install-recommends {packages}"
        )
    return path


def build_c(name: str, sources: Sequence[Path], arch: Arch, extra_flags: Sequence[str] = ()) -> Path:
    """Build a static program and return its path in the cache.

    The cache key covers the sources, every header next to them, the flags and the compiler's
    version. HostError if the compiler is missing or rejects the source.
    """
    return _build(name, sources, arch, [*_FLAGS, *extra_flags])


def still_host() -> Path:
    """A library to preload into QEMU, whose guest the host's time then does not reach. HostError."""
    machine = platform.machine()
    for arch in ARCHES:
        if arch == machine:
            return _build("still-host.so", _STILL_HOST, arch, _LIBRARY_FLAGS)
    raise HostError(
        f"the instruction clock is not made for hosts of {machine}", next_step="use an x86-64 or arm64 host"
    )


def _build(name: str, sources: Sequence[Path], arch: Arch, flags: Sequence[str]) -> Path:
    gcc = compiler(arch)
    target = cache_dir("native", arch) / f"{name}-{_digest(gcc, sources, flags)}"
    if target.exists():
        return target
    with replacing(target) as partial:
        done = subprocess.run(
            [gcc, *flags, "-o", str(partial), *map(str, sources)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if "error" in line] or [done.stderr.strip()]
            raise HostError(f"{name} does not compile for {arch}: {lines[0]}")
        partial.chmod(0o755)
    return target


def _digest(gcc: str, sources: Sequence[Path], flags: Sequence[str]) -> str:
    version = subprocess.run([gcc, "--version"], capture_output=True, text=True, timeout=30, check=True)
    digest = hashlib.sha256("\0".join([version.stdout, *flags]).encode())
    headers = {header for source in sources for header in source.parent.glob("*.h")}
    for path in [*sources, *sorted(headers)]:
        content = path.read_bytes()
        digest.update(f"{path.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:20]


def binary(name: str, arch: Arch) -> Path:
    """Build one of `PROGRAMS`, or take it from the cache. UsageError for an unknown name."""
    if name not in PROGRAMS:
        raise UsageError(f"no native program '{name}'", next_step=did_you_mean(name, PROGRAMS))
    return build_c(name, PROGRAMS[name], arch)


def build_all() -> dict[tuple[str, Arch], Path]:
    """Build every program for every architecture."""
    return {(name, arch): binary(name, arch) for arch in ARCHES for name in PROGRAMS}
