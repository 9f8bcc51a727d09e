"""The root file system of the virtual device, packed as an initramfs."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.cache import cache_dir
from foundation.contract.arch import Arch
from foundation.errors import UsageError
from foundation.files import write_atomic
from harness.device.modules.module_file import module_bytes
from harness.virtual.cpio import CpioWriter
from harness.virtual.guest_programs import COMMAND_NAMES, GUEST_PROGRAMS, guest_program
from harness.virtual.userland import userland

if TYPE_CHECKING:
    from harness.virtual.kernels import KernelBundle, ModuleLoad

# What `getprop` prints on an Android device, as far as it holds for this one.
_PROPERTIES: Final = {
    "ro.build.type": "userdebug",
    "ro.build.version.release": "16",
    "ro.build.version.sdk": "36",
    "ro.debuggable": "1",
    "ro.hardware": "virtual",
    "ro.kernel.qemu": "1",
    "ro.product.manufacturer": "reclaim-suite",
}
_ABIS: Final[dict[Arch, str]] = {"aarch64": "arm64-v8a", "x86_64": "x86_64"}
_MODEL_KEYS: Final = ("ro.product.device", "ro.product.model", "ro.product.name")

_FOLDERS: Final = (
    *("proc", "sys", "dev", "tmp", "mnt", "data/app", "data/system/settings"),
    "data/misc/perfetto-traces",
)


def build_initramfs(bundle: KernelBundle, *, compressed: bool = False) -> Path:
    """Pack the userland, the guest programs and the modules of ``bundle`` into a file in the cache.

    An emulated CPU takes about a second to decompress it; uncompressed it takes 17 MB more of the guest's
    memory until init starts. HostError if packages cannot be fetched, UsageError if a module file
    cannot be read.
    """
    archive = _archive(bundle)
    digest = hashlib.sha256(archive).hexdigest()[:24]
    target = cache_dir("virtual", "initramfs") / f"{digest}.cpio{'.gz' if compressed else ''}"
    if not target.exists():
        packed = gzip.compress(archive, compresslevel=6, mtime=0) if compressed else archive
        write_atomic(target, packed)
    return target


def load_conf(modules: tuple[ModuleLoad, ...]) -> str:
    """Text of ``/lib/modules/load.conf``: in load order, one line per module file with its parameters.

    UsageError for a parameter with whitespace.
    """
    lines = []
    for module in modules:
        words = [f"{key}={value}" for key, value in module.params.items()]
        bad = [word for word in words if any(ch.isspace() for ch in word)]
        if bad:
            raise UsageError(
                f"parameter {bad[0]!r} of module {module.name} contains whitespace", next_step="remove it"
            )
        lines.append(" ".join([f"{module.name}.ko", *words]))
    return "".join(line + "\n" for line in lines)


def _archive(bundle: KernelBundle) -> bytes:
    arch = bundle.base.arch
    cpio = CpioWriter()
    for folder in _FOLDERS:
        cpio.folder(folder)
    cpio.folder("data/local/tmp", 0o771)
    # The kernel opens it for PID 1 before /dev is mounted.
    cpio.character_device("dev/console", 5, 1)
    cpio.link("bin", "system/bin")
    cpio.link("sbin", "system/bin")
    cpio.file("init", guest_program("init", arch).read_bytes(), 0o755)
    ours = {f"system/bin/{name}" for name in (*GUEST_PROGRAMS, *COMMAND_NAMES)}
    for name in GUEST_PROGRAMS:
        if name != "init":
            cpio.file(f"system/bin/{name}", guest_program(name, arch).read_bytes(), 0o755)
    for name in COMMAND_NAMES:
        cpio.link(f"system/bin/{name}", "framework")
    packages = userland(arch)
    for file in packages.files:
        cpio.file(file.path, file.source.read_bytes(), file.mode)
    for path, target in packages.links:
        if path not in ours:
            cpio.link(path, target)
    cpio.file(
        "system/etc/passwd", b"root:x:0:0:root:/:/system/bin/sh\nshell:x:2000:2000:shell:/:/system/bin/sh\n"
    )
    cpio.file("system/etc/group", b"root:x:0:\nshell:x:2000:\n")
    cpio.link("etc", "system/etc")
    properties = {
        **_PROPERTIES,
        "ro.product.cpu.abi": _ABIS[arch],
        **dict.fromkeys(_MODEL_KEYS, f"virtual-{arch}"),
    }
    cpio.file("system/build.prop", "".join(f"{k}={v}\n" for k, v in properties.items()).encode())
    cpio.folder("lib/modules")
    for module in bundle.modules:
        cpio.file(f"lib/modules/{module.name}.ko", module_bytes(module.path))
    cpio.file("lib/modules/load.conf", load_conf(bundle.modules).encode())
    return cpio.finish()
