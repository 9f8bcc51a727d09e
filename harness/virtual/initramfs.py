"""The root file system of the virtual device, packed as an initramfs."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.cache import cache_dir
from foundation.errors import HostError, UsageError
from foundation.files import write_atomic
from harness.virtual.cpio import CpioWriter
from harness.virtual.guest_programs import COMMAND_NAMES, GUEST_PROGRAMS, guest_program
from harness.virtual.kernels.module_file import module_bytes

if TYPE_CHECKING:
    from harness.virtual.kernels import KernelBundle, ModuleLoad

# What `getprop` prints on an Android device, as far as it holds for this one.
_PROPERTIES: Final = {
    "ro.build.type": "userdebug",
    "ro.build.version.release": "14",
    "ro.build.version.sdk": "34",
    "ro.debuggable": "1",
    "ro.hardware": "virtual",
    "ro.kernel.qemu": "1",
    "ro.product.cpu.abi": "x86_64",
    "ro.product.device": "virtual-x86_64",
    "ro.product.manufacturer": "reclaim-suite",
    "ro.product.model": "virtual-x86_64",
    "ro.product.name": "virtual-x86_64",
}

_FOLDERS: Final = ("proc", "sys", "dev", "tmp", "mnt", "lib/modules", "data/app", "data/system/settings")


def build_initramfs(bundle: KernelBundle) -> Path:
    """Pack guest programs, busybox and the modules of ``bundle`` into a file in the cache.

    HostError if busybox-static is missing, UsageError if a module file cannot be read.
    """
    archive = _archive(bundle)
    digest = hashlib.sha256(archive).hexdigest()[:24]
    target = cache_dir("virtual", "initramfs") / f"{digest}.cpio.gz"
    if not target.exists():
        write_atomic(target, gzip.compress(archive, compresslevel=6, mtime=0))
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
    cpio = CpioWriter()
    for folder in _FOLDERS:
        cpio.folder(folder)
    cpio.folder("data/local/tmp", 0o771)
    # The kernel opens it for PID 1 before /dev is mounted.
    cpio.character_device("dev/console", 5, 1)
    cpio.link("bin", "system/bin")
    cpio.link("sbin", "system/bin")
    cpio.file("init", guest_program("init").read_bytes(), 0o755)
    for name in GUEST_PROGRAMS:
        if name != "init":
            cpio.file(f"system/bin/{name}", guest_program(name).read_bytes(), 0o755)
    ours = {*GUEST_PROGRAMS, *COMMAND_NAMES}
    for name in COMMAND_NAMES:
        cpio.link(f"system/bin/{name}", "framework")
    shell = _mksh()
    if shell:
        cpio.file("system/bin/sh", shell.read_bytes(), 0o755)
        ours.add("sh")
    busybox = _busybox()
    cpio.file("system/bin/busybox", busybox.read_bytes(), 0o755)
    for applet in _applets(busybox):
        if applet not in ours and applet != "busybox":
            cpio.link(f"system/bin/{applet}", "busybox")
    cpio.file(
        "system/etc/passwd", b"root:x:0:0:root:/:/system/bin/sh\nshell:x:2000:2000:shell:/:/system/bin/sh\n"
    )
    cpio.file("system/etc/group", b"root:x:0:\nshell:x:2000:\n")
    cpio.link("etc", "system/etc")
    properties = {**_PROPERTIES, "suite.shell": shell_name()}
    cpio.file("system/build.prop", "".join(f"{k}={v}\n" for k, v in properties.items()).encode())
    for module in bundle.modules:
        cpio.file(f"lib/modules/{module.name}.ko", module_bytes(module.path))
    cpio.file("lib/modules/load.conf", load_conf(bundle.modules).encode())
    return cpio.finish()


def _busybox() -> Path:
    for name in ("/bin/busybox", shutil.which("busybox")):
        if name and Path(name).exists() and _is_static(Path(name)):
            return Path(name)
    raise HostError(
        "this host has no static busybox", next_step="install the Debian package busybox-static"
    )


def shell_name() -> str:
    """The device's shell: mksh (Android's own) if the host has a static one, else busybox's ash.

    ash runs its builtin ``ps`` instead of ours; every other command of the suite behaves the same.
    """
    return "mksh" if _mksh() else "ash"


def _mksh() -> Path | None:
    places = ("/usr/lib/x86_64-linux-musl/bin/mksh", "/bin/mksh-static")
    return next((Path(at) for at in places if Path(at).exists() and _is_static(Path(at))), None)


def _is_static(program: Path) -> bool:
    """Whether ``program`` is a 64-bit ELF file that needs no dynamic loader."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with program.open("rb") as file:
            elf = ELFFile(file)
            return elf.elfclass == 64 and not any(elf.iter_segments("PT_INTERP"))
    except ELFError:
        return False


def _applets(busybox: Path) -> list[str]:
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, timeout=20, check=False)
    if listed.returncode != 0:
        raise HostError(
            f"{busybox} --list exited with status {listed.returncode}", next_step="reinstall busybox-static"
        )
    return listed.stdout.split()
