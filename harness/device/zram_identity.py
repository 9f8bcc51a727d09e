"""Which zram compresses on a device: its modules, whatever a vendor calls them, and their builds."""

from __future__ import annotations

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.contract.zram_identity import ModuleIdentity, ZramIdentity, zram_modules
from foundation.quoting import quote
from harness.device.notes import build_id_of


def read_zram(device: Device) -> ZramIdentity:
    """Read it; DeviceError. /proc/modules needs no root, what is below /sys/module does on a phone.

    Files: kernel/module/sysfs.c, module_add_modinfo_attrs and add_notes_attrs.
    """
    first = ask_all(device, {"modules": "cat /proc/modules", "disks": "ls /sys/block"})
    if not first["modules"].ok:
        return ZramIdentity("unknown")
    names = zram_modules(first["modules"].text)
    if not any("zram" in name for name in names):
        if not first["disks"].ok:
            return ZramIdentity("unknown")
        there = any(disk.startswith("zram") for disk in first["disks"].text.split())
        return ZramIdentity("built in" if there else "none")
    questions = {}
    for name in names:
        folder = quote(f"/sys/module/{name}")
        questions[f"srcversion {name}"] = f"cat {folder}/srcversion"
        questions[f"notes {name}"] = f"od -An -v -tx1 {folder}/notes/.note.gnu.build-id"
    answers = ask_all(device, questions)
    return ZramIdentity(
        "module",
        {
            name: ModuleIdentity(
                answers[f"srcversion {name}"].value or None, build_id_of(answers[f"notes {name}"])
            )
            for name in names
        },
    )
