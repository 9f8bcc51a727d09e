"""The images of one kernel, from a folder or a TOML file; each is checked against its partition.

The keys of the file are described in docs/phone-kernels.md.
"""

from __future__ import annotations

import functools
import hashlib
import re
import struct
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from foundation.errors import UsageError
from foundation.toml_table import Table
from harness.device.fastboot.boot_image import BOOT_MAGIC, VENDOR_MAGIC, read_boot_header
from harness.device.fastboot.kernel_payload import KernelFingerprint, fingerprint_of

FILE_NAME: Final = "images.toml"
ANDROID_INFO: Final = "android-info.txt"

#: Partitions that hold a kernel or what must match it, in the order in which they are written.
PARTITIONS: Final = (
    "vbmeta",
    "dtbo",
    "vendor_kernel_boot",
    "vendor_boot",
    "init_boot",
    "boot",
    "system_dlkm",
    "vendor_dlkm",
)
#: Those inside ``super``: only fastbootd sees and writes them.
DYNAMIC: Final = frozenset({"system_dlkm", "vendor_dlkm"})

#: Bits of the flags in a vbmeta header. Source: external/avb/libavb/avb_vbmeta_image.h.
HASHTREE_DISABLED: Final = 1
VERIFICATION_DISABLED: Final = 2

_SPARSE: Final = b"\x3a\xff\x26\xed"
_DTBO: Final = b"\xd7\xb7\xab\x1e"
_AVB: Final = b"AVB0"
_AVB_FLAGS_AT: Final = 120
_MAGICS: Final[Mapping[str, tuple[bytes, ...]]] = {
    "boot": (BOOT_MAGIC,),
    "init_boot": (BOOT_MAGIC,),
    "vendor_boot": (VENDOR_MAGIC,),
    "vendor_kernel_boot": (VENDOR_MAGIC,),
    "dtbo": (_DTBO,),
    "vbmeta": (_AVB,),
}
_WORD: Final = re.compile(r"[\x21-\x7e]+")
_REQUIRE: Final = re.compile(r"require\s+([a-z-]+)\s*=\s*(\S+)")


@dataclass(frozen=True)
class Image:
    """One file for one partition; ``size`` is its bytes there, after a sparse image is expanded."""

    partition: str
    path: Path
    size: int
    sha256: str
    sparse: bool = False

    @property
    def dynamic(self) -> bool:
        """Whether its partition is inside ``super``."""
        return self.partition in DYNAMIC


@dataclass(frozen=True)
class ImageSet:
    """Images that belong together; ``images`` in the order of `PARTITIONS`.

    ``requires`` maps a bootloader variable to its accepted values; ``kernel`` is how the boot
    image, or the user, identifies the kernel.
    """

    where: Path
    images: tuple[Image, ...]
    requires: Mapping[str, tuple[str, ...]]
    kernel: KernelFingerprint
    vbmeta_flags: int | None = None

    def image(self, partition: str) -> Image | None:
        """The image of ``partition``, if there is one."""
        return next((image for image in self.images if image.partition == partition), None)

    @property
    def partitions(self) -> frozenset[str]:
        """Names without slots."""
        return frozenset(image.partition for image in self.images)

    def with_release(self, release: str | None) -> ImageSet:
        """See `KernelFingerprint.with_release`."""
        return replace(self, kernel=self.kernel.with_release(release))

    def hashes(self) -> dict[str, str]:
        """Partition to SHA-256."""
        return {image.partition: image.sha256 for image in self.images}


@dataclass(frozen=True)
class _Listed:
    """Content of a folder or file, before any image is opened."""

    paths: Mapping[str, Path]
    requires: dict[str, tuple[str, ...]] = field(default_factory=dict)
    release: str | None = None


def read_image(partition: str, path: Path) -> Image:
    """Check and hash one image. UsageError if it is not what ``partition`` holds, or is truncated."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
            digest = hashlib.sha256(head)
            while block := file.read(1 << 20):
                digest.update(block)
            size = file.tell()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if size == 0:
        raise UsageError(f"{path} is empty")
    magics = _MAGICS.get(partition, ())
    if magics and not head.startswith(magics):
        raise UsageError(f"{path} is not an image of {partition}: it starts with {head[:8]!r}")
    sparse = head.startswith(_SPARSE)
    if sparse:
        size = _expanded_size(head, path)
    if head.startswith(BOOT_MAGIC):
        read_boot_header(path)
    return Image(partition, path, size, digest.hexdigest(), sparse)


def _expanded_size(head: bytes, path: Path) -> int:
    """Source: system/core/libsparse/sparse_format.h."""
    if len(head) < 28:
        raise UsageError(f"{path} is truncated inside its header")
    block, blocks = struct.unpack_from("<II", head, 12)
    return int(block * blocks)


def kernel_in(path: Path) -> KernelFingerprint:
    """How the kernel in a boot image identifies itself; unknown parts are None. UsageError."""
    header = read_boot_header(path)
    with path.open("rb") as file:
        file.seek(header.kernel_at)
        return fingerprint_of(file.read(header.kernel_size))


def load_boot_image(path: Path) -> tuple[Image, KernelFingerprint]:
    """Read a boot image to boot from memory. UsageError if it holds no kernel."""
    return _boot_image(*_stamp(path))


def load_image_set(path: Path) -> ImageSet:
    """Read a folder of ``PARTITION.img``, or a TOML file that names them. UsageError for a mistake."""
    return _image_set(*_stamp(path))


def _stamp(path: Path) -> tuple[Path, tuple[int, int]]:
    """The cache key of a path: large files are read only once while they are unchanged."""
    try:
        given = path.stat()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if path.is_dir():
        parts = [entry.stat() for entry in path.iterdir() if entry.is_file()]
    else:
        parts = [given, *(entry.stat() for entry in path.parent.glob("*.img"))]
    newest_ns = max((part.st_mtime_ns for part in parts), default=0)
    return path.absolute(), (newest_ns, sum(part.st_size for part in parts))


@functools.lru_cache(maxsize=32)
def _boot_image(path: Path, stamp: tuple[int, int]) -> tuple[Image, KernelFingerprint]:
    image = read_image("boot", path)
    if read_boot_header(path).kernel_size == 0:
        raise UsageError(
            f"{path} holds no kernel: it is an init_boot image", next_step="give the boot.img next to it"
        )
    return image, kernel_in(path)


@functools.lru_cache(maxsize=32)
def _image_set(path: Path, stamp: tuple[int, int]) -> ImageSet:
    listed = _read_folder(path) if path.is_dir() else _read_file(path)
    images = tuple(
        read_image(partition, listed.paths[partition])
        for partition in PARTITIONS
        if partition in listed.paths
    )
    boot = listed.paths.get("boot")
    kernel = (kernel_in(boot) if boot is not None else KernelFingerprint()).with_release(listed.release)
    vbmeta = listed.paths.get("vbmeta")
    return ImageSet(path, images, listed.requires, kernel, _flags(vbmeta) if vbmeta else None)


def _flags(path: Path) -> int:
    with path.open("rb") as file:
        head = file.read(_AVB_FLAGS_AT + 4)
    if len(head) < _AVB_FLAGS_AT + 4:
        raise UsageError(f"{path} is truncated inside its header")
    (flags,) = struct.unpack_from(">I", head, _AVB_FLAGS_AT)
    return int(flags)


def _read_folder(folder: Path) -> _Listed:
    if (folder / FILE_NAME).exists():
        return _read_file(folder / FILE_NAME)
    paths = {}
    for entry in sorted(folder.glob("*.img")):
        if entry.stem not in PARTITIONS:
            raise UsageError(
                f"{entry} does not belong to a kernel: an image set holds {', '.join(sorted(PARTITIONS))}",
                next_step=f"move it away, or name the images in {FILE_NAME}",
            )
        paths[entry.stem] = entry
    return _Listed(_not_empty(paths, folder), _android_info(folder))


def _read_file(path: Path) -> _Listed:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"image set {path} cannot be read: {error}") from error
    table = Table(path, "", content)
    release = table.take_if("release", str, _is_word, "what 'uname -r' prints under this kernel")
    requires = _android_info(path.parent)
    product = table.take_if("product", str, _is_word, "what 'fastboot getvar product' prints")
    if product is not None:
        requires["product"] = (product,)
    for name, value in table.take_or("requires", dict, {}, lambda v: True, "a table of variables").items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(word, str) and _is_word(word) for word in values):
            raise table.fail(
                f"[requires] {name} = {value!r} is neither a word nor a list of accepted words"
            )
        requires[name] = tuple(values)
    named = table.sub("images")
    paths = {}
    for partition in PARTITIONS:
        text = named.take_if(partition, str, lambda v: bool(v), "the path of an image")
        if text is not None:
            paths[partition] = path.parent / text
    named.done()
    table.done()
    if not paths:
        paths = {
            entry.stem: entry for entry in sorted(path.parent.glob("*.img")) if entry.stem in PARTITIONS
        }
    return _Listed(_not_empty(paths, path), requires, release)


def _not_empty(paths: dict[str, Path], where: Path) -> dict[str, Path]:
    if not paths:
        raise UsageError(
            f"{where} contains no image",
            next_step=f"an image set holds some of {', '.join(sorted(PARTITIONS))}",
        )
    return paths


def _android_info(folder: Path) -> dict[str, tuple[str, ...]]:
    """``require KEY=VALUE|VALUE`` lines, read as ``fastboot update`` does; board means product."""
    try:
        text = (folder / ANDROID_INFO).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return {
        "product" if key == "board" else key: tuple(values.split("|"))
        for key, values in _REQUIRE.findall(text)
        if key != "partition-exists"
    }


def _is_word(value: str) -> bool:
    return _WORD.fullmatch(value) is not None
