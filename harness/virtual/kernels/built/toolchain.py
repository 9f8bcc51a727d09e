"""The compiler for a guest's architecture: the host's own, or a cross compiler."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.contract.arch import Arch
from foundation.errors import HostError
from harness.virtual.packages.host_command import require_programs

HOST_COMPILER: Final = "gcc-12"

# kbuild's name of the architecture, the target of make, and the image it leaves.
_TARGETS: Final[dict[Arch, tuple[str, str, str]]] = {
    "x86_64": ("x86_64", "bzImage", "arch/x86/boot/bzImage"),
    "aarch64": ("arm64", "Image", "arch/arm64/boot/Image"),
}
_TRIPLES: Final[dict[Arch, str]] = {"x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu"}

# Program -> Debian package, and headers that tools of the build include.
_PROGRAMS: Final = {name: name for name in (HOST_COMPILER, "make", "flex", "bison", "bc", "patch")} | {
    "xz": "xz-utils",
    "ld": "binutils",
}
_HEADERS: Final = {"gelf.h": "libelf-dev", "openssl/ssl.h": "libssl-dev"}
_INCLUDE: Final = Path("/usr/include")


@dataclass(frozen=True)
class Toolchain:
    """How to compile for ``arch``; ``prefix`` is that of a cross compiler, empty for the host's own."""

    arch: Arch
    prefix: str

    @property
    def compiler(self) -> str:
        """The C compiler."""
        return f"{self.prefix}{HOST_COMPILER}"

    @property
    def target(self) -> str:
        """The target of make that links the image."""
        return _TARGETS[self.arch][1]

    @property
    def image(self) -> Path:
        """The image below the folder of objects."""
        return Path(_TARGETS[self.arch][2])

    @property
    def arguments(self) -> tuple[str, ...]:
        """Variables of make."""
        cross = (f"CROSS_COMPILE={self.prefix}",) if self.prefix else ()
        return (
            f"ARCH={_TARGETS[self.arch][0]}",
            *cross,
            f"CC={self.compiler}",
            f"HOSTCC={HOST_COMPILER}",
        )

    @property
    def programs(self) -> dict[str, str]:
        """Program -> Debian package of a build."""
        if not self.prefix:
            return dict(_PROGRAMS)
        debian = self.prefix.rstrip("-").replace("_", "-")
        return _PROGRAMS | {
            self.compiler: f"{HOST_COMPILER}-{debian}",
            f"{self.prefix}ld": f"binutils-{debian}",
        }

    def version(self) -> str:
        """The compiler's name and full version; HostError if it is missing."""
        require_programs({self.compiler: self.programs[self.compiler]})
        done = subprocess.run(
            [self.compiler, "-dumpfullversion"], capture_output=True, text=True, timeout=30, check=False
        )
        return f"{self.compiler} {done.stdout.strip()}"


def toolchain(arch: Arch) -> Toolchain:
    """The toolchain of this host for ``arch``."""
    return Toolchain(arch, "" if platform.machine() == arch else f"{_TRIPLES[arch]}-")


def require_tools(tools: Toolchain) -> None:
    """HostError naming the missing Debian packages of a kernel build."""
    missing = {name: package for name, package in _HEADERS.items() if not (_INCLUDE / name).is_file()}
    packages = " ".join(sorted(missing.values()))
    try:
        require_programs(tools.programs)
    except HostError as error:
        raise HostError(error.what, next_step=f"{error.next_step} {packages}".strip()) from error
    if missing:
        raise HostError(
            f"this machine lacks headers of a kernel build: {', '.join(sorted(missing))}",
            next_step=f"apt-get install {packages}",
        )
