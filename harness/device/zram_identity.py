"""Which zram compresses on a device: its modules, whatever a vendor calls them, and their builds."""

from __future__ import annotations

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.contract.zram_identity import ModuleIdentity, ZramIdentity, engine_of, zram_modules
from foundation.quoting import quote
from harness.device.notes import build_id_of
from harness.device.preconditions.pins import selected_choice


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


def read_engine(device: Device) -> str | None:
    """The hardware that zram0 compresses in, as `engine_of` says it; None if a CPU does, or if hidden."""
    base = "/sys/block/zram0"
    answers = ask_all(device, {name: f"cat {base}/{name}" for name in ("comp_algorithm", "comp_mode")})
    algorithm, mode = (selected_choice(answer.value or "") for answer in answers.values())
    return engine_of(algorithm, mode)
