"""Builds the zram module with the compression thread against unpacked kernel headers."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path

from foundation.errors import HostError
from harness.virtual.packages.host_command import require_programs, run

SOURCE_DIR = Path(__file__).with_name("zram_kcompressd")
HOOK_PATCH = SOURCE_DIR / "hook.patch"

_BUILD_DEADLINE_S = 600.0
_PATCH_DEADLINE_S = 30.0
_COMPILER = re.compile(r"gcc-\d+")


def own_sources() -> list[Path]:
    """Our part of the module: the C files and the patch."""
    return sorted([*SOURCE_DIR.glob("*.[ch]"), HOOK_PATCH])


def sources_key() -> str:
    """A key that changes with our part of the module, and with its build."""
    digest = hashlib.sha256()
    for path in [*own_sources(), Path(__file__)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def apply_hooks(zram_source: Path) -> None:
    """Patch a copy of Debian's drivers/block/zram in place and add our files.

    Without fuzz: a change of the driver around a hook needs a review. HostError if the patch
    does not apply.
    """
    try:
        run(
            ["patch", "-p1", "--fuzz=0", "--batch", "--no-backup-if-mismatch", "-i", str(HOOK_PATCH)],
            cwd=zram_source,
            deadline_s=_PATCH_DEADLINE_S,
        )
    except HostError as error:
        raise HostError(
            f"{HOOK_PATCH.name} does not apply to this kernel's zram driver: {error.what}",
            next_step="adapt the patch to the driver in the archive's linux-source",
        ) from error
    for path in own_sources():
        if path != HOOK_PATCH:
            shutil.copy(path, zram_source / path.name)


def relocate_headers(root: Path, abi: str) -> None:
    """Let unpacked headers find their common part in ``root``: Debian's Makefile has /usr/src."""
    makefile = root / "usr" / "src" / f"linux-headers-{abi}" / "Makefile"
    text = makefile.read_text()
    match = re.fullmatch(r"\s*include /usr/src/(\S+)\s*", text)
    if match is None:
        raise HostError(f"the Makefile of linux-headers-{abi} has an unknown form: {text.strip()[:100]}")
    here = "$(dir $(abspath $(lastword $(MAKEFILE_LIST))))"
    makefile.write_text(f"include {here}../{match[1]}\n")


def build_module(headers: Path, zram_source: Path, work: Path) -> Path:
    """Compile and return zram.ko, without debug information.

    ``headers`` is the unpacked linux-headers-<abi> folder, ``zram_source`` the unpatched driver,
    ``work`` an empty folder. The result and its build id do not depend on the paths of these folders.
    """
    compiler = _COMPILER.search((headers / ".kernelvariables").read_text())
    if compiler is None:
        raise HostError(f"{headers.name} does not name its compiler")
    require_programs({compiler[0]: compiler[0], "make": "make", "patch": "patch", "strip": "binutils"})
    source = work / "zram"
    shutil.copytree(zram_source, source)
    apply_hooks(source)
    run(
        [
            "make",
            "-C",
            str(headers),
            f"M={source}",
            f"-j{os.cpu_count() or 1}",
            "CONFIG_ZRAM=m",
            # Paths in debug information would make the build id depend on the machine.
            f"KCFLAGS=-ffile-prefix-map={source}/= -ffile-prefix-map={headers.parent}=/usr/src",
            "modules",
        ],
        deadline_s=_BUILD_DEADLINE_S,
    )
    module = source / "zram.ko"
    run(["strip", "--strip-debug", str(module)], deadline_s=_PATCH_DEADLINE_S)
    return module
