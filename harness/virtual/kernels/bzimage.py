"""The kernel release in the boot header of a bzImage.

Layout: Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
"""

from __future__ import annotations

import struct
from pathlib import Path

from foundation.errors import UsageError

_SIGNATURE_AT = 0x202
_SIGNATURE = b"HdrS"
_VERSION_POINTER_AT = 0x20E
_POINTER_BASE = 0x200
_HEAD_BYTES = 0x200 + 0x10000 + 512


def release_of(image: Path) -> str:
    """Kernel release (``uname -r``) of a bzImage.

    UsageError if the file cannot be read, is not a bzImage, or contains no release.
    """
    try:
        with image.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise UsageError(f"cannot read the kernel image {image}: {error.strerror}") from error
    if head[_SIGNATURE_AT : _SIGNATURE_AT + 4] != _SIGNATURE:
        raise UsageError(
            f"{image} is neither a bzImage nor an arm64 Image",
            next_step="give arch/x86/boot/bzImage or arch/arm64/boot/Image, not vmlinux or a package",
        )
    (pointer,) = struct.unpack_from("<H", head, _VERSION_POINTER_AT)
    text = head[_POINTER_BASE + pointer :].split(b"\0", 1)[0] if pointer else b""
    release = text.decode("ascii", "replace").split(" ", 1)[0]
    if not release or not release.isprintable():
        raise UsageError(
            f"{image} contains no kernel release", next_step="build it again; the image is damaged"
        )
    return release
