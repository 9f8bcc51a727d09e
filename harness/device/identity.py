"""Which kernel really runs on a device, and the proof that it is the variant that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from foundation.contract.batch import Answer, ask_all
from foundation.contract.device import Device, Expectation
from foundation.contract.threads import role_of
from foundation.errors import ModuleLoadFailed, WrongKernel
from foundation.quoting import quote
from harness.device.notes import build_id, from_hex_dump
from harness.device.phone_state import BOOT_ID
from harness.device.preconditions.pins import selected_choice

VMLINUX: Final = "vmlinux"
#: Property in which a guest says that a module did not load.
MODULE_ERROR_PROPERTY: Final = "suite.module_error"

_KTHREADD: Final = 2
_FLAGS: Final = {"y": "1", "n": "0"}


@dataclass(frozen=True)
class KernelIdentity:
    """What a device says about its kernel.

    ``build_ids`` holds ``vmlinux`` and the modules that were asked for, in hex;
    ``thread_names`` the comms of kernel threads with a role (foundation.contract.threads), sorted;
    ``parameters`` file to content; ``live_count`` the number in the file ``live_counter``.
    What could not be read is missing, and ``unavailable`` says why.
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

    def to_json(self) -> dict[str, Any]:
        """For ``block.json``."""
        return asdict(self)


def read_identity(device: Device, expectation: Expectation) -> KernelIdentity:
    """Ask the device in one round trip; needs no root, though a phone may then hide much."""
    answers = ask_all(device, _questions(expectation))
    unavailable = {
        key: answer.text or f"exit status {answer.exit_status}"
        for key, answer in answers.items()
        if not answer.ok and key != "module_error"
    }
    build_ids: dict[str, str] = {}
    for key, answer in answers.items():
        if key.startswith("build id of "):
            name = key.removeprefix("build id of ")
            found = _build_id(answer)
            if found is not None:
                build_ids[name] = found
            elif answer.ok:
                unavailable[key] = "no build id in its notes"
    count = answers.get("live counter")
    live_count = int(count.text) if count is not None and count.ok and count.text.isdigit() else None
    if count is not None and count.ok and live_count is None:
        unavailable["live counter"] = f"holds {count.text[:60]!r}, not a number"
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
    )


def prove(identity: KernelIdentity, expectation: Expectation, *, device: str | None = None) -> None:
    """Check that ``identity`` is what ``expectation`` asks for; ``device`` is a serial for messages.

    ModuleLoadFailed if the device reported a refused module, WrongKernel with *all*
    differences otherwise. What cannot be read proves nothing, and is a difference.
    """
    if identity.module_error:
        raise ModuleLoadFailed(
            f"the kernel refused a module: {identity.module_error}",
            device=device,
            log=identity.module_error,
            next_step="build the module against exactly this kernel",
        )
    differences = [
        *_release_differences(identity, expectation),
        *_build_id_differences(identity, expectation),
        *_thread_differences(identity, expectation),
        *_parameter_differences(identity, expectation),
        *_counter_differences(identity, expectation),
    ]
    if differences:
        raise WrongKernel(
            "the running kernel is not the variant: " + "; ".join(differences),
            device=device,
            next_step="boot the variant, and check how it is described",
        )


def counter_moved(before: KernelIdentity, after: KernelIdentity) -> bool:
    """Whether the live counter rose between two readings of one boot.

    True is the proof that the variant is in use, not only loaded. False without a
    counter: such a variant is proved by `prove` alone (build id, absence of the thread).
    """
    if before.live_count is None or after.live_count is None or before.boot_id != after.boot_id:
        return False
    return after.live_count > before.live_count


def thread_names(stat_lines: str) -> tuple[str, ...]:
    """Comms of kernel threads with a role, from lines of /proc/PID/stat; sorted."""
    names: list[str] = []
    for line in stat_lines.splitlines():
        # A comm may hold spaces and parentheses: it ends at the last one.
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
        "module_error": f"getprop {MODULE_ERROR_PROPERTY} 2>/dev/null",
        # Processes end while they are listed: then cat fails for those, and that is no failure.
        "threads": "cat /proc/[0-9]*/stat 2>/dev/null; true",
    }
    for name, path in notes.items():
        questions[f"build id of {name}"] = f"od -An -v -tx1 {quote(path)}"
    for path in expectation.parameters:
        questions[path] = f"cat {quote(path)}"
    if expectation.live_counter is not None:
        questions["live counter"] = f"cat {quote(expectation.live_counter)}"
    return questions


def _build_id(answer: Answer) -> str | None:
    if not answer.ok:
        return None
    try:
        return build_id(from_hex_dump(answer.text))
    except ValueError:
        return None


def _release_differences(identity: KernelIdentity, expectation: Expectation) -> list[str]:
    pairs = (
        ("release", identity.release, expectation.release),
        ("version", identity.version, expectation.version),
    )
    return [
        f"{name} is {got or 'unknown'}, expected {wanted}"
        for name, got, wanted in pairs
        if wanted is not None and got != wanted
    ]


def _build_id_differences(identity: KernelIdentity, expectation: Expectation) -> list[str]:
    differences = []
    for name, wanted in expectation.build_ids.items():
        got = identity.build_ids.get(name)
        if got == wanted.lower():
            continue
        if got is None:
            why = identity.unavailable.get(f"build id of {name}", "not there")
            differences.append(f"build id of {name} cannot be read ({why}), expected {wanted}")
        else:
            differences.append(f"build id of {name} is {got}, expected {wanted}")
    return differences


def _thread_differences(identity: KernelIdentity, expectation: Expectation) -> list[str]:
    found = [name for name in identity.thread_names if role_of(name) == "compression"]
    if expectation.compression_thread is True and not found:
        seen = ", ".join(identity.thread_names) or "none at all"
        return [f"no compression thread runs (threads of reclaim seen: {seen})"]
    if expectation.compression_thread is False and found:
        return [f"a compression thread runs ({', '.join(found)}), expected none"]
    return []


def _parameter_differences(identity: KernelIdentity, expectation: Expectation) -> list[str]:
    differences = []
    for path, wanted in expectation.parameters.items():
        got = identity.parameters.get(path)
        if got is None:
            differences.append(f"{path} cannot be read ({identity.unavailable.get(path, 'not there')})")
        elif _plain(got) != _plain(wanted):
            differences.append(f"{path} is {got}, expected {wanted}")
    return differences


def _counter_differences(identity: KernelIdentity, expectation: Expectation) -> list[str]:
    if expectation.live_counter is None or identity.live_count is not None:
        return []
    why = identity.unavailable.get("live counter", "not there")
    return [f"{expectation.live_counter} cannot be read ({why})"]


def _plain(value: str) -> str:
    """A parameter's value as the kernel means it: the chosen one in brackets; Y and N are its 1 and 0."""
    words = " ".join(selected_choice(value).split())
    return _FLAGS.get(words.lower(), words)
