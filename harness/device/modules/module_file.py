"""Files of kernel modules: plain, or packed by xz or gzip."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path
from typing import Final

from foundation.errors import UsageError
from harness.device.modules.elf import ModuleInfo, parse_module

#: What a module's file may end in.
SUFFIXES: Final = (".ko", ".ko.xz", ".ko.gz")


def module_bytes(path: Path) -> bytes:
    """Content of a module file; ``.xz`` and ``.gz`` are unpacked, since not every kernel can.

    UsageError if it cannot be read or has another suffix.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".xz":
            return lzma.decompress(content)
        if path.suffix == ".gz":
            return gzip.decompress(content)
    except (OSError, lzma.LZMAError, EOFError) as error:
        raise UsageError(f"cannot read module {path}: {error}", next_step="rebuild it") from error
    if path.suffix != ".ko":
        raise UsageError(f"module {path} is not a .ko, .ko.xz or .ko.gz file", next_step="unpack it to .ko")
    return content


def read_module(path: Path) -> ModuleInfo:
    """Metadata of a module file. UsageError if it cannot be read or is not a module."""
    return parse_module(module_bytes(path), str(path))
