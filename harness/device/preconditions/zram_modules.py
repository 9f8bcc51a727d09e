"""The zsmalloc and zram modules of a running kernel, exchanged for a block and put back afterwards.

The files lie in /data/local/tmp until they are loaded; nothing else is written to storage.
Of the kernel: kernel/module/main.c (delete_module, finit_module), drivers/block/zram/zram_drv.c (hot_add).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import CommandFailed, ModuleLoadFailed, NotReady, StateError, UsageError
from foundation.quoting import quote, quote_argv
from harness.device import phone_facts
from harness.device.modules.fit import OwnModules, PairFiles, misfits, missing_modules
from harness.device.modules.loaded import (
    ModuleId,
    OwnPair,
    find_own,
    loaded_pair,
    read_modules,
    refuse_holders,
)
from harness.device.preconditions.zram import KeptZramPin, ZramPin
from harness.device.preconditions.zram_state import OFF, ZramState, read_zram

_REMOTE: Final = "/data/local/tmp/reclaim-suite-{}.ko"
_LOAD_DEADLINE_S: Final = 60.0
_NONE: Final = "none"
_STATE: Final = re.compile(r"(?P<zsmalloc>\S+) (?P<zram>\S+)(?: disks: (?P<disks>.*))?")
_HOT_ADD: Final = "/sys/class/zram-control/hot_add"

#: What the kernel's log says of a refused module, and what to do. Sources: kernel/module/main.c and
#: version.c; the first two with CONFIG_MODULE_SIG_PROTECT, an option of Android's kernels (gki_module.c).
_ADVICE: Final = (
    (
        "exports protected symbol",
        "only modules signed with this kernel's key may export it",
    ),
    ("(err -13)", "unsigned modules may not use that symbol: keep to the symbol list of the KMI"),
    ("(err -22)", "build the pair against this kernel's branch and KMI generation"),
    ("disagrees about version", "build the pair against this kernel's branch and KMI generation"),
    ("Unknown symbol", "build the pair against this kernel: it lacks the symbol, or does not export it"),
    ("version magic", "build the pair against this kernel's configuration"),
    ("unsigned module", "this kernel loads signed modules only (module.sig_enforce)"),
)


@dataclass(frozen=True)
class ZramModulesPin:
    """A `Pin` of the loaded pair, with the zram devices and the swap on them; needs root.

    ``own`` and ``new`` are two `ModuleId` as text, zsmalloc first; ``own_files`` and ``new_files`` the
    paths on the device. ``reset_backed``: a zram may lose its backing device (see `ZramPin`).

    Writing ``new`` unloads both modules even if they are the new ones already, so that every variant pays
    the same; swap is on again afterwards as it was. Writing an earlier value exchanges only what differs.
    """

    own: str
    own_files: tuple[str, str]
    new: str
    new_files: tuple[str, str]
    own_parameters: str = ""
    new_parameters: str = ""
    reset_backed: bool = False

    name = "zram modules"
    precondition = None
    survives_restart = False
    advice = "see what else loads modules, and check dmesg"

    @property
    def wanted(self) -> str:
        """The new pair, whatever the disks."""
        return self.new

    def due(self, before: str) -> bool:
        """Always: both sides of a comparison reload their pair."""
        return True

    def read(self, device: Device) -> str:
        """``ID ID disks: zram0 STATE | ...``, with ``none`` for what is not there. StateError."""
        pair = " ".join(str(one) if one is not None else _NONE for one in loaded_pair(device))
        disks = [f"{name} {read_zram(device, name)}" for name in _disks(device)]
        return f"{pair} disks: {' | '.join(disks) or _NONE}"

    def verify(self, wanted: str, got: str) -> bool:
        """Whether the modules are the same, and the disks of ``wanted`` set up alike."""
        (pair, disks), (now, got_disks) = _parse(wanted), _parse(got)
        return pair == now and all(
            got_disks is not None and name in got_disks and self._disk(name).verify(state, got_disks[name])
            for name, state in (disks or {}).items()
        )

    def write(self, device: Device, value: str) -> None:
        """Exchange the modules and set up the disks as they are now.

        StateError if something holds the old pair, ModuleLoadFailed with the kernel's words if it refuses
        the new one: swap is off then until the restore.
        """
        try:
            self._put(device, value)
        finally:
            if value == self.new != self.own:
                device.shell(["rm", "-f", *self.new_files], check=False)

    def restore(self, device: Device, before: str) -> str | None:
        """Put back modules and disks as `Restoring.restore` says. StateError, ModuleLoadFailed."""
        return "; ".join(self._put(device, before)) or None

    def _put(self, device: Device, value: str) -> list[str]:
        """Exchange what ``value`` asks for; what the disks lack afterwards."""
        pair, asked = _parse(value)
        now, found = _parse(self.read(device))
        disks = (found if asked is None else asked) or {}
        if asked is None or pair != now:
            for name, state in (found or {}).items():
                self._switch_off(device, name, state)
            self._exchange(device, pair, keep=asked is not None)
        return [lack for name, state in disks.items() if (lack := self._set_up(device, name, state))]

    def expected(self) -> tuple[dict[str, str], dict[str, str]]:
        """What proves the new pair: build ids by module, and contents of files, as in `Expectation`."""
        ids = [ModuleId.parse(text) for text in self.new.split()]
        build_ids = {one.name: one.build_id for one in ids if one.build_id is not None}
        sources = {one.name: one.srcversion for one in ids if one.srcversion is not None}
        return build_ids, {f"/sys/module/{name}/srcversion": text for name, text in sources.items()}

    def _exchange(self, device: Device, pair: str, *, keep: bool) -> None:
        """Unload what is loaded and load ``pair``; with ``keep`` leave a module that is right already."""
        is_new = pair == self.new
        files = self.new_files if is_new else self.own_files
        parameters = self.new_parameters if is_new else self.own_parameters
        loaded = [None if one is None else str(one) for one in loaded_pair(device)]
        ids = pair.split()
        stays = keep and loaded[0] == ids[0]
        for text in (loaded[1], None if stays else loaded[0]):
            if text is not None:
                _unload(device, ModuleId.parse(text).name)
        if not stays:
            _load(device, files[0], "")
        _load(device, files[1], parameters)

    def _disk(self, name: str) -> ZramPin:
        """A pin that reads and writes whole states of one disk."""
        return ZramPin(0, "", name, reset_backed=self.reset_backed)

    def _switch_off(self, device: Device, name: str, state: str) -> None:
        now = ZramState.parse(state)
        if not now.disksize and now.swap == OFF:
            return
        try:
            self._disk(name).write(device, str(ZramState(0, now.algorithm, OFF)))
        except StateError as error:
            if not (holders := _open_disks(device)):
                raise
            step = "end what holds it"
            raise NotReady(f"{error.what}; {holders}", device=device.serial, next_step=step) from error

    def _set_up(self, device: Device, name: str, state: str) -> str | None:
        """What the disk lacks afterwards, None for nothing. StateError."""
        if name not in _disks(device):
            _add_disk(device, name)
        now, asked = read_zram(device, name), ZramState.parse(state)
        if asked.same_as(now):
            return None
        if now.disksize and replace(asked, swap=OFF).same_as(now):
            # What holds the device open forbids a reset, but no swapon.
            KeptZramPin(state, name).write(device, state)
            return None
        return self._disk(name).restore(device, state)


def modules_pin(
    device: Device, files: PairFiles | OwnModules, *, reset_backed: bool = False
) -> ZramModulesPin:
    """The pin that loads ``files``, or the device's own pair again; pushes the files.

    Nothing else changes yet. StateError, in one line, for a device that cannot exchange its modules, and
    UsageError for files that do not fit it.
    """
    _refuse_unable(device, files)
    own = find_own(device)
    refuse_holders(device, read_modules(device))
    for name in () if reset_backed else _disks(device):
        if (disk := read_zram(device, name)).has_backing:
            raise _refused(
                device,
                f"{name} has a backing device, {disk.backing}, which it would lose",
                "allow it: --reset-backed-zram",
            )
    ids = " ".join(str(ModuleId.of(info)) for info in own.infos)
    pin = ZramModulesPin(ids, own.paths, ids, own.paths, own.parameters, own.parameters, reset_backed)
    if isinstance(files, OwnModules):
        return pin
    _refuse_misfit(device, files, own)
    return replace(
        pin,
        new=" ".join(str(ModuleId.of(info)) for info in files.infos),
        new_files=push_pair(device, files),
        new_parameters=files.parameters,
    )


def push_pair(device: Device, files: PairFiles) -> tuple[str, str]:
    """Copy ``files`` to the device, which keeps them until they are loaded; their paths there."""
    zsmalloc, zram = _REMOTE.format("zsmalloc"), _REMOTE.format("zram")
    for content, remote in zip(files.contents, (zsmalloc, zram), strict=True):
        device.push_bytes(content, remote)
    return zsmalloc, zram


def _refuse_unable(device: Device, files: PairFiles | OwnModules) -> None:
    what, step = "", ""
    answers = ask_all(
        device,
        {
            "disabled": "cat /proc/sys/kernel/modules_disabled",
            "enforced": "cat /sys/module/module/parameters/sig_enforce",
            "mounts": "cat /proc/mounts",
        },
    )
    mounted = re.search(r"^\S*/(zram\d+) (\S+)", answers["mounts"].text, re.MULTILINE)
    opened = _open_disks(device)
    if not device.is_root:
        what, step = "the shell is not root", "adb root, or give --su"
    elif answers["disabled"].value == "1":
        what, step = "kernel.modules_disabled is 1", "a restart resets it, if nothing sets it again"
    elif mounted is not None:
        what, step = f"{mounted[1]} is mounted at {mounted[2]}", "unmount it"
    elif opened:
        what, step = opened, "end it"
    elif answers["enforced"].value == "Y" and not (
        isinstance(files, OwnModules) or all(info.signed for info in files.infos)
    ):
        what, step = (
            "this kernel loads signed modules only (module.sig_enforce)",
            "sign the pair with its key",
        )
    if what:
        raise _refused(device, what, step)


def _refused(device: Device, what: str, next_step: str) -> StateError:
    said = f"the zram module cannot be exchanged: {what}"
    return StateError(said, device=device.serial, next_step=next_step)


def _refuse_misfit(device: Device, files: PairFiles, own: OwnPair) -> None:
    for path, new, of_phone in zip((files.zsmalloc, files.zram), files.infos, own.infos, strict=True):
        if reason := next(misfits(new, of_phone), None):
            raise UsageError(
                f"{path} does not fit this device: {reason}",
                device=device.serial,
                next_step="build the pair against the branch and KMI generation of this kernel",
            )
    if missing := missing_modules(files.infos, frozenset(read_modules(device))):
        raise UsageError(
            f"{files.zram} needs {', '.join(missing)}, which this device has not loaded",
            device=device.serial,
            next_step="build it without them, or load them first",
        )


def _parse(text: str) -> tuple[str, dict[str, str] | None]:
    """The pair, and the states of the disks by name; None if ``text`` leaves them open. ValueError."""
    match = _STATE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a state of the zram modules: {text!r}")
    pair = f"{match['zsmalloc']} {match['zram']}"
    if match["disks"] is None:
        return pair, None
    disks = match["disks"].split(" | ") if match["disks"] != _NONE else []
    named = (disk.partition(" ") for disk in disks)
    return pair, {name: state for name, _, state in named}


def _disks(device: Device) -> list[str]:
    answer = ask_all(device, {"disks": "ls /sys/block"})["disks"]
    names = (name for name in answer.text.split() if re.fullmatch(r"zram\d+", name))
    return sorted(names, key=lambda name: int(name[4:]))


def _add_disk(device: Device, name: str) -> None:
    """Reading hot_add makes the next device (Documentation/admin-guide/blockdev/zram.rst)."""
    for _ in range(int(name[4:]) + 1):
        ask_all(device, {"added": f"cat {_HOT_ADD}"})
        if name in _disks(device):
            return
    raise StateError(
        f"{name} does not exist with this module", device=device.serial, next_step="check dmesg"
    )


def _unload(device: Device, name: str) -> None:
    loaded = read_modules(device).get(name)
    reason = ""
    if loaded is not None and loaded.other_references > 0:
        reason = _open_disks(device) or "something holds it (an open device, or a part of the kernel)"
    else:
        try:
            device.shell(["rmmod", name], deadline_s=_LOAD_DEADLINE_S)
            return
        except CommandFailed as error:
            reason = (error.stderr or error.stdout).strip() or f"rmmod ended with {error.exit_status}"
    raise StateError(
        f"the module {name} cannot be unloaded: {reason}",
        device=device.serial,
        next_step="end what holds it, or restart the device",
    )


def _open_disks(device: Device) -> str:
    """The processes that have a zram device open; empty if there are none. Changes nothing."""
    # toybox's ls prints a line "/proc/PID/fd:" and then the files.
    text = "ls -l /proc/[0-9]*/fd 2>/dev/null | grep -E '^/proc|zram'; true"
    lines = ask_all(device, {"open": text}, deadline_s=60.0)["open"].text
    opened = re.findall(r"^/proc/(\d+)/fd:\n.* -> (\S*zram\d+)", lines, re.MULTILINE)
    return "; ".join(f"process {pid} holds {node} open" for pid, node in opened)


def _load(device: Device, path: str, parameters: str) -> None:
    since_s = phone_facts.uptime_s(device)
    command = f"{quote_argv(['insmod', path])} {' '.join(map(quote, parameters.split()))}".rstrip()
    try:
        device.script(command, deadline_s=_LOAD_DEADLINE_S)
    except CommandFailed as error:
        said = (error.stderr or error.stdout).strip()
        try:
            log = phone_facts.kernel_log(device, since_s=since_s)
        except CommandFailed:
            log = ""
        stem = path.rpartition("/")[2].removesuffix(".ko").removeprefix("reclaim-suite-")
        words = [line.partition("] ")[2] for line in log.splitlines() if re.search(rf"\b{stem}\b", line)]
        kernel = f"; the kernel says: {words[-1]}" if words else ""
        advice = next(
            (step for word, step in _ADVICE if word in log), "build it against exactly this kernel"
        )
        raise ModuleLoadFailed(
            f"{stem}.ko was refused: {said}{kernel}", device=device.serial, log=log, next_step=advice
        ) from error
