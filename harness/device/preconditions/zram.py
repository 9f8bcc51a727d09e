"""zram as a controlled factor: one device used as swap, empty at the start, and put back as it was found.

Attributes: Documentation/admin-guide/blockdev/zram.rst of the kernel.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import CommandTimeout, NotReady, StateError
from foundation.quoting import quote, quote_argv
from harness.device.preconditions.pins import run_command, selected_choice, write_file
from harness.device.preconditions.zram_state import AUTO, NO_BACKING, OFF, ZramState, read_zram

#: To swap everything in takes long on a full device, seconds.
SWAPOFF_DEADLINE_S: Final = 180.0

_MIB: Final = 1024 * 1024
#: EBUSY, as every shell prints it.
_BUSY: Final = "resource busy"


def zram_pin(device: Device, size_mb: int, algorithm: str, *, reset_backed: bool) -> ZramPin | KeptZramPin:
    """The pin for the zram that ``device`` has: of this size and algorithm, or kept as it was found.

    A zram with a backing device is kept unless ``reset_backed``: the loop devices that Android puts behind
    it let go of their file with the reset (fs_mgr's PrepareZramBackingDevice sets LO_FLAGS_AUTOCLEAR, mmd
    as well), and only a restart of the phone makes new ones.
    """
    asked = ZramPin(size_mb, algorithm, reset_backed=reset_backed)
    try:
        found = read_zram(device, asked.device_name)
    except StateError:
        # The pin's own reading says why.
        return asked
    return KeptZramPin(str(found)) if found.has_backing and not reset_backed else asked


@dataclass(frozen=True)
class ZramPin:
    """A `Pin` that makes ``zramN`` an empty swap of ``size_mb`` MiB with ``algorithm``; needs root.

    A write swaps everything in, resets the device and sets it up again. The restore sets up what
    it was before (size, algorithm, priority, limit, recompression, backing device), without its content,
    or what comes nearest. The kernel refuses the reset while something else has it open. A zram with a
    backing device is reset only with ``reset_backed``.
    """

    size_mb: int
    algorithm: str
    device_name: str = "zram0"
    reset_backed: bool = False

    precondition = "zram"
    survives_restart = False
    advice = "find what else sets up zram (init, a vendor daemon), and check dmesg"

    @property
    def name(self) -> str:
        """The device, ``zramN``."""
        return self.device_name

    @property
    def wanted(self) -> str:
        """A `ZramState` as text."""
        return str(ZramState(self.size_mb * _MIB, self.algorithm, AUTO))

    def due(self, before: str) -> bool:
        """Always: a swap of the right shape may still hold pages of the previous block."""
        return True

    def read(self, device: Device) -> str:
        """The `ZramState` as text. StateError with the reason."""
        return str(read_zram(device, self.device_name))

    def verify(self, wanted: str, got: str) -> bool:
        """Whether both are set up alike; a backing device that was given up on request is not missed."""
        asked, now = ZramState.parse(wanted), ZramState.parse(got)
        if self.reset_backed and not now.has_backing:
            asked = replace(asked, backing=NO_BACKING)
        return asked.same_as(now)

    def write(self, device: Device, value: str) -> None:
        """Set it up, empty, as the `ZramState` ``value``.

        StateError with the step that failed, NotReady if swap or zram is in use at the moment.
        """
        disk = _Disk(device, self.device_name)
        now = read_zram(device, self.device_name)
        if now.has_backing and not self.reset_backed:
            raise StateError(
                f"{self.name} has a backing device, {now.backing}, which a reset would lose",
                device=device.serial,
                next_step="measure with the zram as it is, or allow it: --reset-backed-zram",
            )
        disk.swapoff(now)
        disk.build(now, ZramState.parse(value))

    def restore(self, device: Device, before: str) -> str | None:
        """Set it up as `Restoring.restore` says; a device that had swap is not left without.

        StateError if it has none now, NotReady if the swap of the block cannot be switched off.
        """
        disk, target = _Disk(device, self.device_name), ZramState.parse(before)
        disk.swapoff(read_zram(device, self.device_name))
        refused = ""
        for attempt in _nearest(target):
            try:
                disk.build(read_zram(device, self.device_name), attempt)
            except StateError as error:
                refused = refused or error.what
                continue
            aim = replace(target, backing=attempt.backing) if self.reset_backed else target
            return None if attempt == aim else self._instead(device, refused)
        now = read_zram(device, self.device_name)
        if now.disksize and target.swap != OFF:
            # Not even reset: something holds it as it is.
            with contextlib.suppress(StateError):
                disk.swapon(target.swap)
                return self._instead(device, refused)
        lacks = "; the device has no swap now" if target.swap != OFF else ""
        raise StateError(f"{refused}{lacks}", device=device.serial, next_step="restart the device")

    def _instead(self, device: Device, refused: str) -> str:
        now = read_zram(device, self.device_name)
        return f"{refused}; it is swap again with {now.words}, and a restart brings back the rest"


@dataclass(frozen=True)
class KeptZramPin:
    """A `Pin` that empties ``zramN`` and leaves it as it was ``found``, a `ZramState` as text; needs root.

    A write swaps everything in and switches the swap on again; size, algorithm, limits and backing device
    stay, and with them what a vendor's zram has besides.
    """

    found: str
    device_name: str = "zram0"

    precondition = "zram"
    survives_restart = False
    advice = "find what else switches swap on or off (init, a vendor daemon), and check dmesg"

    @property
    def name(self) -> str:
        """The device, ``zramN``."""
        return self.device_name

    @property
    def wanted(self) -> str:
        """As found, and in use."""
        found = ZramState.parse(self.found)
        return str(replace(found, swap=AUTO) if found.swap == OFF else found)

    def due(self, before: str) -> bool:
        """Always: it may hold pages of the previous block."""
        return True

    def read(self, device: Device) -> str:
        """The `ZramState` as text. StateError with the reason."""
        return str(read_zram(device, self.device_name))

    def verify(self, wanted: str, got: str) -> bool:
        """Whether both are set up alike."""
        return ZramState.parse(wanted).same_as(ZramState.parse(got))

    def write(self, device: Device, value: str) -> None:
        """Empty it, and use it as swap as in ``value``. StateError, NotReady as `ZramPin.write`."""
        disk, target = _Disk(device, self.device_name), ZramState.parse(value)
        disk.swapoff(read_zram(device, self.device_name))
        if target.swap != OFF:
            disk.swapon(target.swap)


def _nearest(target: ZramState) -> list[ZramState]:
    """What to try in order, each with less of ``target``: all of it, and at last size and swap alone."""
    plain = replace(target, backing=NO_BACKING)
    bare = replace(plain, mem_limit=0, recompression="")
    return list(dict.fromkeys([target, plain, bare, replace(bare, algorithm="")]))


@dataclass(frozen=True)
class _Disk:
    """The steps on one zram device; each raises StateError, or NotReady for what may pass."""

    device: Device
    name: str

    def swapoff(self, now: ZramState) -> None:
        """Swap everything in."""
        if now.swap == OFF:
            return
        argv = ["swapoff", self._node()]
        try:
            self._run(argv, "the swapped-out pages do not fit into memory: close apps")
        except CommandTimeout as late:
            raise NotReady(late.what, device=self.device.serial, next_step="close apps") from late
        except StateError as error:
            raise NotReady(error.what, device=self.device.serial, next_step=error.next_step) from error

    def swapon(self, swap: str) -> None:
        """Use it as swap, with its header if it still has one."""
        node = self._node()
        argv = ["swapon", *([] if swap == AUTO else ["-p", swap]), node]
        try:
            self._run(argv, "check dmesg")
        except StateError:
            self._run(["mkswap", node], "check that the device has mkswap")
            self._run(argv, "check dmesg")

    def build(self, now: ZramState, target: ZramState) -> None:
        """Reset it and set it up as ``target``; an empty ``algorithm`` is the kernel's own."""
        if now.disksize:
            mode = self._mode()
            self._set("reset", "1")
            if mode:
                self._set("comp_mode", mode)
        if target.algorithm:
            self._set("comp_algorithm", target.algorithm)
        if target.disksize == 0:
            return
        for word in target.recompression.split(",") if target.recompression else []:
            priority, _, algorithm = word.partition(":")
            self._set("recomp_algorithm", f"algo={algorithm} priority={priority}")
        if target.has_backing:
            self._set_backing(target.backing)
        self._set("disksize", str(target.disksize))
        if target.mem_limit:
            self._set("mem_limit", str(target.mem_limit))
        self._run(["mkswap", self._node()], "check that the device has mkswap")
        if target.swap != OFF:
            argv = ["swapon", *([] if target.swap == AUTO else ["-p", target.swap]), self._node()]
            self._run(argv, "check dmesg")

    def _mode(self) -> str | None:
        """The mode of MediaTek's zram, which a reset forgets (zram_reset_device); None elsewhere."""
        path = quote(f"/sys/block/{self.name}/comp_mode")
        mode = ask_all(self.device, {"mode": f"cat {path}"})["mode"].value
        return selected_choice(mode) if mode else None

    def _set_backing(self, backing: str) -> None:
        """Kernels without the check for it in backing_dev_store accept a device of size 0."""
        size = f"/sys/class/block/{backing.rpartition('/')[2]}/size"
        if ask_all(self.device, {"size": f"cat {quote(size)}"})["size"].value == "0":
            raise StateError(
                f"{self.name}: its backing device {backing} is empty since the reset",
                device=self.device.serial,
                next_step="restart the device",
            )
        self._set("backing_dev", backing)

    def _node(self) -> str:
        """Path of the block device, which Android has below /dev/block."""
        for node in (f"/dev/block/{self.name}", f"/dev/{self.name}"):
            if self.device.shell(["test", "-e", node], check=False).exit_status == 0:
                return node
        raise StateError(
            f"{self.name}: it has no block device in /dev/block or /dev",
            device=self.device.serial,
            next_step="check dmesg",
        )

    def _set(self, attribute: str, value: str) -> None:
        path = f"/sys/block/{self.name}/{attribute}"
        try:
            write_file(self.device, f"{self.name}: {attribute}", path, value)
        except StateError as error:
            if _BUSY not in error.what:
                raise
            advice = "find what else sets up zram (init, mmd, a vendor daemon)"
            raise NotReady(error.what, device=self.device.serial, next_step=advice) from error

    def _run(self, argv: list[str], advice: str) -> None:
        command = quote_argv(argv)
        run_command(self.device, self.name, command, deadline_s=SWAPOFF_DEADLINE_S, advice=advice)
