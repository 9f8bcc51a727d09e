"""Kernel images of both architectures: what they are, and a file that QEMU boots."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from foundation.cache import cache_dir
from foundation.contract.arch import Arch
from foundation.files import write_atomic
from harness.virtual.kernels.arm64_image import raw_image, read_bytes, release_and_pages
from harness.virtual.kernels.bzimage import release_of


@dataclass(frozen=True)
class ImageFacts:
    """Of an image: architecture, release (``uname -r``), and page size in KiB."""

    arch: Arch
    release: str
    page_kb: int


def read_image(path: Path) -> ImageFacts:
    """Facts of a bzImage, or of an arm64 Image (plain, gzip or EFI zboot).

    UsageError if the file cannot be read, is neither, or contains no release.
    """
    content = read_bytes(path)
    raw = raw_image(content, str(path))
    if raw is None:
        return ImageFacts("x86_64", release_of(path), 4)
    return ImageFacts("aarch64", *release_and_pages(raw, str(path)))


def bootable(path: Path) -> Path:
    """The image as QEMU's ``-kernel`` takes it: ``path``, or a packed arm64 Image unpacked in the cache.

    UsageError as for `read_image`.
    """
    content = read_bytes(path)
    raw = raw_image(content, str(path))
    if raw is None or raw == content:
        return path
    target = cache_dir("virtual", "images") / hashlib.sha256(content).hexdigest()[:24]
    if not target.exists():
        write_atomic(target, raw)
    return target
