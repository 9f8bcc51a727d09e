"""zram and zsmalloc as modules of a phone's kernel: what rmmod and insmod do, and what they refuse.

Behaviour from kernel/module/main.c (delete_module: EWOULDBLOCK while another module or an open device uses
it; load_module: EEXIST, ENOEXEC, ENOENT) and version.c (same_magic, check_version); with
CONFIG_MODULE_SIG_PROTECT of Android's kernels, EACCES for a module without the kernel's own signature that
exports a protected symbol (kernel/module/gki_module.c). Form of /proc/modules: procfs.c. Release and
vermagic are of the form that a GKI module has.
"""

from __future__ import annotations

import errno
import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.stand_ins.device.daemon import FakeDevice
from tests.stand_ins.device.programs import device_wide
from tests.stand_ins.device.tree import Attribute, Node, refuse
from tests.stand_ins.device.tree_shell import Call
from tests.stand_ins.elf import AARCH64, module

RELEASE: Final = "6.1.75-android14-11-g6a1b5c4d3e2f-ab12077835"
FLAGS: Final = "SMP preempt mod_unload modversions aarch64"
CHECKSUMS: Final = {"module_layout": 0x0EA759D7, "kmalloc_trace": 0x7A6D7F4E}
FOLDER: Final = f"/system_dlkm/lib/modules/{RELEASE}/kernel"


def pair(
    build: int, *, zram_name: str = "zram", depends: str = "zsmalloc", **changes: Any
) -> tuple[bytes, bytes]:
    """A zsmalloc and a zram file of one build; ``changes`` as in `module`, for zram."""
    usual: dict[str, Any] = {
        "release": RELEASE,
        "flags": FLAGS,
        "machine": AARCH64,
        "checksums": CHECKSUMS,
        "srcversion": f"{build:024X}",
    }
    zsmalloc = module("zsmalloc", build_id=bytes([build, 1] * 10), **usual)
    zram = module(zram_name, depends, build_id=bytes([build, 2] * 10), **(usual | changes))
    return zsmalloc, zram


@dataclass
class _Loaded:
    name: str
    users: list[str] = field(default_factory=list)


class ModuleModel:
    """The modules of a `FakeDevice`, and the files of its own pair.

    ``refuse_load`` maps a module's name to an errno and the line of the kernel's log; ``held_by`` are
    modules that use zram; ``opened`` counts what has a zram device open.
    """

    def __init__(self, phone: FakeDevice, *, zram_name: str = "zram") -> None:
        self.phone = phone
        self.zram_name = zram_name
        self.own = pair(1, zram_name=zram_name)
        self.refuse_load: dict[str, tuple[int, str]] = {}
        self.held_by: list[str] = []
        self.opened = 0
        self.can_unload = True
        self.loads: list[str] = []
        self._loaded: dict[str, _Loaded] = {}
        files = phone.files
        self.paths = (f"{FOLDER}/mm/zsmalloc.ko", f"{FOLDER}/drivers/block/zram/{zram_name}.ko")
        for path, content in zip(self.paths, self.own, strict=True):
            files.put(path, content)
        files.put("/proc/modules", Attribute(self._listing, size=0))
        files.put("/proc/mounts", "/dev/root / ext4 ro 0 0\n")
        files.put("/proc/sys/kernel/modules_disabled", "0\n")
        phone.programs |= {
            "find": self._find,
            "insmod": device_wide(self._insmod),
            "rmmod": device_wide(self._rmmod),
            "grep": lambda call: 1,
        }
        for content in self.own:
            self._enter(content)

    @property
    def builds(self) -> str:
        """What is loaded, as ``srcversion`` of zram; empty for none."""
        path = f"/sys/module/{self.zram_name}/srcversion"
        files = self.phone.files
        return files.read(path).decode().strip() if files.exists(path) else ""

    def _find(self, call: Call) -> int:
        """``find FOLDER... -name PATTERN``; an absent folder is an error as well."""
        at = call.argv.index("-name")
        tree, status = call.shell.tree, 0
        for folder in call.argv[1:at]:
            if not tree.is_folder(folder):
                call.io.fail(f"find: '{folder}': No such file or directory")
                status = 1
            for depth in range(1, 9):
                for path in tree.glob(folder + "/*" * depth, root=call.root):
                    if fnmatch.fnmatchcase(path.rpartition("/")[2], call.argv[at + 1].strip("'")):
                        call.io.out(f"{path}\n".encode())
        return status

    def _listing(self) -> str:
        lines = []
        for one in reversed(self._loaded.values()):
            zram = one.name != "zsmalloc"
            users = [*one.users, *(self.held_by if zram else [])]
            # A swap has its device open, as any other user.
            opened = self.opened + self.phone.zram.is_swap if zram else 0
            count = str(len(users) + opened) if self.can_unload else "-"
            names = "".join(f"{user}," for user in users) or "-"
            lines.append(f"{one.name} 36864 {count} {names} Live 0x0000000000000000")
        return "\n".join(lines)

    def _rmmod(self, argv: Sequence[str]) -> str:
        one = self._loaded.get(argv[-1])
        if one is None:
            raise refuse(errno.ENOENT)
        zram = one.name != "zsmalloc"
        if one.users or (zram and (self.held_by or self.opened or self.phone.zram.is_swap)):
            raise refuse(errno.EWOULDBLOCK)
        del self._loaded[one.name]
        self.phone.files.remove(f"/sys/module/{one.name}")
        if zram:
            for other in self._loaded.values():
                other.users = [user for user in other.users if user != one.name]
            self.phone.zram.boot()
            self.phone.files.remove("/sys/block/zram0")
            self.phone.files.remove(self.phone.zram.node)
        return ""

    def _insmod(self, argv: Sequence[str]) -> str:
        content = self.phone.files.read(argv[1])
        name = content.partition(b"name=")[2].partition(b"\0")[0].decode()
        self.loads.append(" ".join(argv[1:]))
        if name in self._loaded:
            raise refuse(errno.EEXIST)
        if name in self.refuse_load and content not in self.own:
            number, line = self.refuse_load[name]
            self.phone.kernel_log += f"[  {self.phone.uptime_s + 1:.6f}] {line}\n"
            raise refuse(number)
        self._enter(content)
        return ""

    def _enter(self, content: bytes) -> None:
        words = dict(word.partition(b"=")[::2] for word in content.split(b"\0") if b"=" in word)
        name = words[next(key for key in words if key.endswith(b"name"))].decode()
        self._loaded[name] = _Loaded(name)
        files = self.phone.files
        at = content.index(b"GNU\0") - 12
        files.put(f"/sys/module/{name}/notes/.note.gnu.build-id", Node(content[at : at + 36]))
        files.put(f"/sys/module/{name}/srcversion", words[b"srcversion"].decode() + "\n")
        if name != "zsmalloc":
            self._loaded["zsmalloc"].users.append(name)
            self.phone.zram.install(files)
