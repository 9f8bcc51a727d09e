"""Loaded kernel modules as /proc/modules and /sys/module show them.

Sources: kernel/module/procfs.c (m_show), kernel/module/sysfs.c (srcversion of module_add_modinfo_attrs,
notes of add_notes_attrs, holders of add_usage_links). What is built in has no srcversion and no notes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from tests.stand_ins.device.tree import Tree


@dataclass(frozen=True)
class Module:
    """One module; ``users`` are the modules that use its symbols, ``opens`` other references."""

    name: str
    srcversion: str | None = None
    build_id: str | None = None
    users: tuple[str, ...] = ()
    opens: int = 0


def pair(zram: str = "zram", *, of: int = 1, compressors: tuple[str, ...] = ()) -> tuple[Module, ...]:
    """A zram and the modules around it; another build ``of`` them has other sources."""

    def one(name: str, number: int, **more: object) -> Module:
        seed = 16 * of + number
        return Module(name, f"{seed:024X}", f"{seed:040x}", **more)  # type: ignore[arg-type]

    return (
        one(zram, 1, users=compressors, opens=1),
        *(one(name, 2 + number) for number, name in enumerate(compressors)),
        one("zsmalloc", 0, users=(zram,)),
    )


def install(tree: Tree, modules: Sequence[Module]) -> None:
    """Put their files into ``tree``, in place of those that were there."""
    for gone in ("srcversion", "notes", "holders"):
        for path in tree.glob(f"/sys/module/*/{gone}"):
            tree.remove(path)
    lines = []
    for one in modules:
        references = len(one.users) + one.opens
        users = "".join(f"{user}," for user in one.users) or "-"
        lines.append(f"{one.name} 36864 {references} {users} Live 0x0000000000000000\n")
        folder = f"/sys/module/{one.name}"
        if one.srcversion is not None:
            tree.put(f"{folder}/srcversion", f"{one.srcversion}\n")
        if one.build_id is not None:
            content = bytes.fromhex(one.build_id)
            note = struct.pack("<III", 4, len(content), 3) + b"GNU\0" + content
            tree.put(f"{folder}/notes/.note.gnu.build-id", note)
        for user in one.users:
            tree.make_folder(f"{folder}/holders/{user}")
    tree.put("/proc/modules", "".join(lines))
