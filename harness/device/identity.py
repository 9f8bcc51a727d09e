"""Which kernel runs on a device, and the proof that it is the requested variant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device, Expectation
from foundation.contract.threads import role_of
from foundation.errors import ModuleLoadFailed, WrongKernel
from foundation.quoting import quote
from harness.device.notes import build_id_of
from harness.device.phone_state import BOOT_ID
from harness.device.preconditions.pins import selected_choice

VMLINUX: Final = "vmlinux"
#: Property in which a guest reports that a module did not load.
MODULE_ERROR_PROPERTY: Final = "suite.module_error"

_KTHREADD: Final = 2
_PAGE_SIZE: Final = re.compile(r"^(?:(?P<bytes>\d+)|KernelPageSize:\s+(?P<kb>\d+) kB)\s*$", re.MULTILINE)
_FLAGS: Final = {"y": "1", "n": "0"}


@dataclass(frozen=True)
class KernelIdentity:
    """What a device reports about its kernel.

    ``build_ids`` has those of ``vmlinux`` and of the requested modules, in hex; ``thread_names`` the
    comms of kernel threads with a role (foundation.contract.threads), sorted; ``parameters`` maps
    files to content; ``live_count`` is the number in the file ``live_counter``; ``page_size_bytes`` is
    None if unknown. What could not be read is missing, with the reason in ``unavailable``.
    """

    release: str
    version: str
    boot_id: str
    cmdline: str | None
    modules: tuple[str, ...]
    build_ids: Mapping[str, str]
    thread_names: tuple[str, ...]
    parameters: Mapping[str, str]
    live_counter: str | None
    live_count: int | None
    module_error: str | None
    unavailable: Mapping[str, str]
    page_size_bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """For ``block.json``."""
        return asdict(self)


def read_identity(device: Device, expectation: Expectation) -> KernelIdentity:
    """Read it in one round trip; needs no root, though without it a phone may hide much. DeviceError."""
    answers = ask_all(device, _questions(expectation))
    unavailable = {
        key: answer.text or f"exit status {answer.exit_status}"
        for key, answer in answers.items()
        if not answer.ok and key != "module_error"
    }
    build_ids: dict[str, str] = {}
    for name in (VMLINUX, *expectation.build_ids):
        key = f"build id of {name}"
        build = build_id_of(answers[key])
        if build is not None:
            build_ids[name] = build
        elif answers[key].ok:
            unavailable[key] = "no build id in its notes"
    count = answers.get("live counter")
    live_count = int(count.text) if count is not None and count.ok and count.text.isdigit() else None
    if count is not None and count.ok and live_count is None:
        unavailable["live counter"] = f"holds {count.text[:60]!r}, not a number"
    page_size_bytes = page_size_of(answers["page size"].text)
    if page_size_bytes is None:
        unavailable["page size"] = f"printed {answers['page size'].text[:60]!r}, no size"
    return KernelIdentity(
        release=answers["release"].value or "",
        version=answers["version"].value or "",
        boot_id=answers["boot_id"].value or "",
        cmdline=answers["cmdline"].value,
        modules=tuple(line.split()[0] for line in (answers["modules"].value or "").splitlines() if line),
        build_ids=build_ids,
        thread_names=thread_names(answers["threads"].text),
        parameters={path: answers[path].text for path in expectation.parameters if answers[path].ok},
        live_counter=expectation.live_counter,
        live_count=live_count,
        module_error=answers["module_error"].value or None,
        unavailable=unavailable,
        page_size_bytes=page_size_bytes,
    )


def prove(identity: KernelIdentity, expectation: Expectation, *, device: str | None = None) -> None:
    """Check ``identity`` against ``expectation``; ``device`` is a serial for messages.

    ModuleLoadFailed if the device reported a refused module, else WrongKernel with *all*
    differences. What cannot be read proves nothing, and is a difference.
    """
    if identity.module_error:
        raise ModuleLoadFailed(
            f"the kernel refused a module: {identity.module_error}",
            device=device,
            log=identity.module_error,
            next_step="build the module against exactly this kernel",
        )
    if differences := "; ".join(_differences(identity, expectation)):
        raise WrongKernel(
            f"the running kernel is not the variant: {differences}",
            device=device,
            next_step="boot the variant, and check its definition",
        )


def counter_moved(before: KernelIdentity, after: KernelIdentity) -> bool:
    """Whether the live counter rose between two readings of one boot.

    True proves that the variant is in use, not only loaded. False without a counter: only `prove`
    proves that variant (build id, absence of the thread).
    """
    if before.live_count is None or after.live_count is None or before.boot_id != after.boot_id:
        return False
    return after.live_count > before.live_count


def page_size_of(text: str) -> int | None:
    """The page size in bytes that `getconf`, or else /proc/self/smaps, printed; None for neither."""
    found = _PAGE_SIZE.search(text)
    if found is None:
        return None
    return int(found["bytes"]) if found["bytes"] else int(found["kb"]) * 1024


def thread_names(stat_lines: str) -> tuple[str, ...]:
    """Comms of kernel threads with a role, from lines of /proc/PID/stat; sorted."""
    names: list[str] = []
    for line in stat_lines.splitlines():
        # A comm may hold blanks and parentheses: it ends at the last one.
        _, opened, rest = line.partition("(")
        comm, closed, fields = rest.rpartition(")")
        words = fields.split()
        if not opened or not closed or len(words) < 2 or words[1] != str(_KTHREADD):
            continue
        if role_of(comm) is not None:
            names.append(comm)
    return tuple(sorted(names))


def _questions(expectation: Expectation) -> dict[str, str]:
    notes = {VMLINUX: "/sys/kernel/notes"}
    for module in expectation.build_ids:
        if module != VMLINUX:
            notes[module] = f"/sys/module/{module}/notes/.note.gnu.build-id"
    questions = {
        "release": "uname -r",
        "version": "uname -v",
        "boot_id": f"cat {BOOT_ID}",
        "cmdline": "cat /proc/cmdline",
        "modules": "cat /proc/modules",
        # toybox has getconf, busybox has not.
        "page size": "getconf PAGESIZE 2>/dev/null || grep -m 1 KernelPageSize /proc/self/smaps",
        "module_error": f"getprop {MODULE_ERROR_PROPERTY} 2>/dev/null",
        # cat fails for processes that end meanwhile, which is expected.
        "threads": "cat /proc/[0-9]*/stat 2>/dev/null; true",
    }
    for name, path in notes.items():
        questions[f"build id of {name}"] = f"od -An -v -tx1 {quote(path)}"
    for path in expectation.parameters:
        questions[path] = f"cat {quote(path)}"
    if expectation.live_counter is not None:
        questions["live counter"] = f"cat {quote(expectation.live_counter)}"
    return questions


def _differences(identity: KernelIdentity, expectation: Expectation) -> Iterator[str]:
    def unreadable(key: str) -> str:
        return f"cannot be read ({identity.unavailable.get(key, 'not there')})"

    for name, got, wanted in (
        ("release", identity.release, expectation.release),
        ("version", identity.version, expectation.version),
    ):
        if wanted is not None and got != wanted:
            yield f"{name} is {got or 'unknown'}, expected {wanted}"
    wanted_bytes, got_bytes = expectation.page_size_bytes, identity.page_size_bytes
    if wanted_bytes is not None and got_bytes != wanted_bytes:
        size = unreadable("page size") if got_bytes is None else f"is {got_bytes} bytes"
        yield f"page size {size}, expected {wanted_bytes} bytes"
    for name, wanted in expectation.build_ids.items():
        build = identity.build_ids.get(name)
        key = f"build id of {name}"
        if build != wanted.lower():
            yield f"{key} {unreadable(key) if build is None else f'is {build}'}, expected {wanted}"
    compressing = [name for name in identity.thread_names if role_of(name) == "compression"]
    if expectation.compression_thread is True and not compressing:
        seen = ", ".join(identity.thread_names) or "none"
        yield f"no compression thread runs (reclaim threads seen: {seen})"
    if expectation.compression_thread is False and compressing:
        yield f"a compression thread runs ({', '.join(compressing)}), expected none"
    for path, wanted in expectation.parameters.items():
        content = identity.parameters.get(path)
        if content is None:
            yield f"{path} {unreadable(path)}"
        elif _plain(content) != _plain(wanted):
            yield f"{path} is {content}, expected {wanted}"
    if expectation.live_counter is not None and identity.live_count is None:
        yield f"{expectation.live_counter} {unreadable('live counter')}"


def _plain(value: str) -> str:
    """A parameter's value as the kernel means it: the bracketed choice; Y and N are 1 and 0."""
    words = " ".join(selected_choice(value).split())
    return _FLAGS.get(words.lower(), words)
