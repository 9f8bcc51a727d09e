"""The zsmalloc and zram modules that a device has loaded, and the files on it that they came from.

/proc/modules and /sys/module: kernel/module/procfs.c and sysfs.c. Modules of GKI are in system_dlkm, those
of a vendor in vendor_dlkm or /vendor (source.android.com, "Kernel modules"). Needs root.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from foundation.contract.batch import Answer, ask_all
from foundation.contract.device import Device
from foundation.errors import StateError, UsageError
from foundation.quoting import quote
from harness.device.modules.elf import ModuleInfo, canonical, parse_module
from harness.device.notes import gnu_build_id

#: Folders with modules, in the order in which they are searched.
FOLDERS: Final = (
    "/system_dlkm/lib/modules",
    "/vendor_dlkm/lib/modules",
    "/odm_dlkm/lib/modules",
    "/vendor/lib/modules",
    "/system/lib/modules",
    "/lib/modules",
)
_UNKNOWN: Final = "-"


@dataclass(frozen=True)
class ModuleId:
    """One build of a module; ``srcversion`` and ``build_id`` are None where there is none.

    As text ``NAME/SRCVERSION/BUILD_ID``.
    """

    name: str
    srcversion: str | None
    build_id: str | None

    def __str__(self) -> str:
        return "/".join((self.name, self.srcversion or _UNKNOWN, self.build_id or _UNKNOWN))

    @staticmethod
    def of(info: ModuleInfo) -> ModuleId:
        """That of a file."""
        return ModuleId(info.name, info.srcversion, info.build_id)

    @staticmethod
    def parse(text: str) -> ModuleId:
        """Parse what `str` returns. ValueError for anything else."""
        name, srcversion, build_id = (None if word == _UNKNOWN else word for word in text.split("/"))
        if name is None:
            raise ValueError(f"not a module: {text!r}")
        return ModuleId(name, srcversion, build_id)


@dataclass(frozen=True)
class Loaded:
    """One line of /proc/modules; ``users`` are modules. ``references`` is None on a kernel that cannot
    unload modules."""

    name: str
    references: int | None
    users: tuple[str, ...]

    @property
    def other_references(self) -> int:
        """Those that are not modules: an open device, or a part of the kernel itself."""
        return (self.references or 0) - len(self.users)


@dataclass(frozen=True)
class OwnPair:
    """The pair that a device has loaded: what it is, the files that it came from, and zram's ``parameters``
    as insmod takes them."""

    infos: tuple[ModuleInfo, ModuleInfo]
    paths: tuple[str, str]
    parameters: str


def parse_modules(text: str) -> dict[str, Loaded]:
    """/proc/modules by name: ``NAME SIZE REFERENCES USER,USER, STATE ADDRESS``, with ``-`` for nothing."""
    modules = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 4:
            references = int(words[2]) if words[2].isdigit() else None
            users = tuple(user for user in words[3].split(",") if user not in ("", _UNKNOWN))
            modules[words[0]] = Loaded(words[0], references, users)
    return modules


def the_pair(modules: Mapping[str, Loaded]) -> tuple[Loaded | None, Loaded | None]:
    """The zsmalloc and zram modules, whatever a vendor calls them (vendor_zram, zram_gs)."""
    zsmalloc = next((one for name, one in modules.items() if "zsmalloc" in name), None)
    named = [one for name, one in modules.items() if "zram" in name]
    # Of several, the one that stores its pages there.
    user = [one for one in named if zsmalloc is not None and one.name in zsmalloc.users]
    return zsmalloc, next(iter([*user, *named]), None)


def read_modules(device: Device) -> dict[str, Loaded]:
    """What is loaded. StateError if /proc/modules cannot be read."""
    answer = ask_all(device, {"modules": "cat /proc/modules"})["modules"]
    if not answer.ok:
        raise StateError(f"/proc/modules cannot be read: {answer.text}", device=device.serial)
    return parse_modules(answer.text)


def loaded_pair(device: Device) -> tuple[ModuleId | None, ModuleId | None]:
    """The loaded zsmalloc and zram modules; None for one that is not loaded."""
    found = the_pair(read_modules(device))
    names = [one.name for one in found if one is not None]
    questions = {f"srcversion {name}": f"cat {quote(f'/sys/module/{name}/srcversion')}" for name in names}
    questions |= {
        f"notes {name}": f"od -An -v -tx1 {quote(f'/sys/module/{name}/notes/.note.gnu.build-id')}"
        for name in names
    }
    answers = ask_all(device, questions) if questions else {}
    ids = {
        name: ModuleId(
            name, answers[f"srcversion {name}"].value or None, _build_id(answers[f"notes {name}"])
        )
        for name in names
    }
    zsmalloc, zram = (None if one is None else ids[one.name] for one in found)
    return zsmalloc, zram


def find_own(device: Device) -> OwnPair:
    """The loaded pair and its files. StateError, in one line, for a pair that cannot be exchanged.

    A file counts if srcversion and build id are those of the loaded module.
    """
    modules = read_modules(device)
    for one, word in zip(the_pair(modules), ("zsmalloc", "zram"), strict=True):
        if one is None:
            raise _refused(device, *_without(device, word))
        if one.references is None:
            step = "only a kernel with CONFIG_MODULE_UNLOAD can: use boot: or flash:"
            raise _refused(device, "this kernel cannot unload modules", step)
    zsmalloc, zram = loaded_pair(device)
    assert zsmalloc is not None
    assert zram is not None
    files = [_file_of(device, one) for one in (zsmalloc, zram)]
    (zsmalloc_path, zsmalloc_info), (zram_path, zram_info) = files
    return OwnPair((zsmalloc_info, zram_info), (zsmalloc_path, zram_path), _parameters(device, zram.name))


def refuse_holders(device: Device, modules: Mapping[str, Loaded]) -> None:
    """StateError, in one line, if something other than swap holds the pair."""
    zsmalloc, zram = the_pair(modules)
    if zsmalloc is None or zram is None:
        return
    step = "unload them, or use boot: or flash:"
    if zram.users:
        raise _refused(device, f"{', '.join(zram.users)} use {zram.name}", step)
    if others := [user for user in zsmalloc.users if user != zram.name]:
        raise _refused(device, f"{', '.join(others)} use {zsmalloc.name}", step)
    if zsmalloc.other_references > 0:
        raise _refused(
            device,
            f"a part of the kernel itself uses {zsmalloc.name} (zswap may)",
            "switch zswap off at boot: zswap.enabled=0",
        )


def _without(device: Device, word: str) -> tuple[str, str]:
    there = ask_all(device, {"module": f"ls -d /sys/module/{word}", "disk": "ls -d /sys/block/zram0"})
    if there["module"].ok or (word == "zram" and there["disk"].ok):
        return f"{word} is built into this kernel", "use boot: or flash:, which replace the kernel"
    return f"no {word} module is loaded", "load the phone's own, or restart it"


def _file_of(device: Device, wanted: ModuleId) -> tuple[str, ModuleInfo]:
    pattern = quote(f"*{'zsmalloc' if 'zsmalloc' in wanted.name else 'zram'}*.ko")
    # find fails for the folders that a phone lacks.
    found = ask_all(device, {"files": f"find {' '.join(FOLDERS)} -name {pattern} 2>/dev/null; true"})
    others = []
    for path in found["files"].text.split():
        if canonical(PurePosixPath(path).stem) != wanted.name:
            continue
        content = ask_all(device, {"file": f"od -An -v -tx1 {quote(path)}"}, deadline_s=120.0)["file"]
        try:
            info = parse_module(bytes.fromhex(content.text), path) if content.ok else None
        except (ValueError, UsageError):
            info = None
        if info is not None and ModuleId.of(info) == wanted:
            return path, info
        others.append(path)
    seen = f"; {', '.join(others)} is another build" if others else ""
    raise _refused(
        device,
        f"the file that the running {wanted.name} came from is not below {', '.join(FOLDERS)}{seen}",
        "without it the phone's own pair could not be loaded again: use boot: or flash:",
    )


def _parameters(device: Device, name: str) -> str:
    folder = f"/sys/module/{name}/parameters"
    answer = ask_all(device, {"parameters": f"ls {quote(folder)}"})["parameters"]
    names = answer.text.split() if answer.ok else []
    values = ask_all(device, {key: f"cat {quote(f'{folder}/{key}')}" for key in names}) if names else {}
    words = (f"{key}={value.text}" for key, value in values.items() if value.value)
    return " ".join(word for word in words if not any(char.isspace() or char == "(" for char in word))


def _build_id(answer: Answer) -> str | None:
    try:
        return gnu_build_id(bytes.fromhex(answer.text)) if answer.ok else None
    except ValueError:
        return None


def _refused(device: Device, what: str, next_step: str) -> StateError:
    said = f"the zram module cannot be exchanged: {what}"
    return StateError(said, device=device.serial, next_step=next_step)
