"""Settings of one device pinned for a while: set in order, read back, restored in reverse order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar, runtime_checkable

from foundation.contract.device import Device
from foundation.errors import DeviceLost, LabError, NotReady, SettingRefused, StateError, SuiteError
from foundation.signals import signals_held
from harness.device.phone_state import boot_id
from harness.device.preconditions.journal import Journal, Note
from harness.device.preconditions.protocol import Check, Pin, Precondition, Record, Restoring

#: How long a restore waits for a lost device, seconds. A virtual device with a dead kernel never returns.
RECONNECT_DEADLINE_S: Final = 60.0
RECONNECT_EMULATED_DEADLINE_S: Final = 10.0
_T = TypeVar("_T")


class _Restarted(Exception):
    """The device has booted since, which reset its settings."""


@runtime_checkable
class Reconnecting(Protocol):
    """A device whose connection can be re-established."""

    def reconnect(self, *, deadline_s: float) -> bool:
        """Wait until it answers; whether it did within ``deadline_s``."""
        ...


@dataclass
class _Held:
    item: Precondition
    before: str
    after: str
    restored: str | None = None
    note: Note | None = None

    @property
    def survives_restart(self) -> bool:
        return isinstance(self.item, Pin) and self.item.survives_restart

    @property
    def set_to(self) -> str | None:
        """The required value; None for a record."""
        if isinstance(self.item, Pin):
            return self.item.wanted
        return self.item.required if isinstance(self.item, Check) else None

    @property
    def is_right(self) -> bool:
        """Whether ``after`` is the required value, or unchanged for a record."""
        if isinstance(self.item, Pin):
            return self.item.verify(self.item.wanted, self.after)
        return self.item.holds(self.after) if isinstance(self.item, Check) else self.after == self.before


class PinnedState:
    """Context manager around everything that a block changes on a device.

    The restore runs on every exit, including Ctrl-C and a lost device. If it fails, it raises a
    StateError that names what was left behind; if another exception is already raised, the failure
    becomes a note on it. After a reboot only settings that survive it are restored. A change on a
    phone stays in the journal on the host until it is undone, for `undo_left` after this process died.
    """

    def __init__(self, device: Device, *, reconnect_deadline_s: float | None = None) -> None:
        self._device = device
        self._journal = Journal(device.serial) if device.keeps_settings else None
        if reconnect_deadline_s is None:
            virtual = device.emulated
            reconnect_deadline_s = RECONNECT_EMULATED_DEADLINE_S if virtual else RECONNECT_DEADLINE_S
        self._reconnect_deadline_s = reconnect_deadline_s
        self._held: list[_Held] = []
        self._boot_id: str | None = None
        self._restored = False
        self._unreachable = False
        self._rebooted = False

    def apply(self, items: Sequence[Precondition]) -> None:
        """Set, check or record ``items`` in order. May be called again with more.

        A pin is written if that is due, and read back. StateError names the item, the wanted and
        the read value; NotReady for a `Check`; SettingRefused leaves nothing to restore.
        """
        boot = boot_id(self._device)
        if boot != self._boot_id:
            # The reboot reset what was pinned before it.
            self._forget()
            self._held = [held for held in self._held if held.survives_restart]
        self._boot_id = boot
        for item in items:
            before = item.read(self._device)
            # Kept before it is written: an interrupt in between must not lose it.
            held = _Held(item, before, before)
            self._held.append(held)
            self._restored = False
            if isinstance(item, Pin) and item.due(before):
                if self._journal is not None:
                    held.note = self._journal.add(item, before, boot)
                try:
                    item.write(self._device, item.wanted)
                except SettingRefused:
                    self._drop_unchanged(held)
                    raise
                held.after = item.read(self._device)
            if isinstance(item, Pin | Check) and not held.is_right:
                kind = NotReady if isinstance(item, Check) else StateError
                raise kind(
                    f"{item.name}: wanted {held.set_to}, read back {held.after}",
                    device=self._device.serial,
                    next_step=item.advice,
                )

    def _drop_unchanged(self, held: _Held) -> None:
        """Forget a setting that could not be written; it stays if it is not as before, to be restored."""
        if held.item.read(self._device) == held.before:
            self._held.remove(held)
            if held.note is not None:
                held.note.done()

    def drifted(self) -> list[str]:
        """Settings that changed since `apply`, one line each."""
        lines = []
        for held in self._held:
            if isinstance(held.item, Check) or (isinstance(held.item, Record) and not held.item.steady):
                continue
            held.after = held.item.read(self._device)
            if not held.is_right:
                lines.append(f"{held.item.name}: set {held.set_to or held.before}, now {held.after}")
        return lines

    def record(self) -> list[dict[str, str | None]]:
        """A row for each setting: ``name``, ``before``, ``set`` (None: recorded only), ``after``
        (last value read), ``restored`` (value after the restore, None until then)."""
        return [
            {
                "name": held.item.name,
                "before": held.before,
                "set": held.set_to,
                "after": held.after,
                "restored": held.restored,
            }
            for held in self._held
        ]

    def restore(self) -> None:
        """Restore everything, last first, and read it back. May be called twice.

        StateError lists all that could not be restored. Ctrl-C is delayed until it is done.
        """
        if self._restored or not self._held:
            return
        left_behind: list[str] = []
        self._unreachable = False
        try:
            with signals_held():
                self._rebooted = self._device_restarted()
                if self._rebooted:
                    self._forget()
                for held in reversed(self._held):
                    if not self._rebooted or held.survives_restart:
                        left_behind += self._restore(held)
        except KeyboardInterrupt as interrupt:
            if left_behind:
                interrupt.add_note(str(self._left(left_behind)))
            raise
        if left_behind:
            raise self._left(left_behind)
        self._restored = True

    def resume(self, notes: Sequence[Note]) -> None:
        """Take over what another run changed, so that `restore` undoes it; ``notes`` of one boot."""
        for note in notes:
            self._boot_id = note.boot_id
            self._held.append(_Held(note.pin, note.before, note.before, note=note))
            self._restored = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.restore()
        except SuiteError as failure:
            if error is None:
                raise
            error.add_note(f"The restore failed, too: {failure}")

    def _forget(self) -> None:
        """After a reboot, drop the notes of settings that it has reset."""
        for held in self._held:
            if held.note is not None and not held.survives_restart:
                held.note.done()

    def _left(self, lines: Sequence[str]) -> StateError:
        return StateError(
            "settings were left behind: " + "; ".join(lines),
            device=self._device.serial,
            next_step="set them by hand, or restart the device",
        )

    def _restore(self, held: _Held, *, retry: bool = True) -> list[str]:
        """Why ``held`` could not be restored; empty if it was."""
        pin = held.item
        if not isinstance(pin, Pin):
            return []
        missing: str | None = None
        try:
            now = self._retry_if_lost(lambda: pin.read(self._device))
            if not pin.verify(held.before, now):
                missing = self._retry_if_lost(lambda: self._put_back(pin, held.before))
                now = self._retry_if_lost(lambda: pin.read(self._device))
        except _Restarted:
            self._rebooted = True
            self._forget()
            if not pin.survives_restart:
                return []
            if retry:
                return self._restore(held, retry=False)
            return [f"{pin.name} (was {held.before}): the device keeps rebooting"]
        except SuiteError as error:
            return [f"{pin.name} (was {held.before}): {error.what}"]
        held.restored = now
        if missing is not None or pin.verify(held.before, now):
            # What is missing cannot be had by trying again.
            if held.note is not None:
                held.note.done()
            return [] if missing is None else [f"{pin.name} (was {held.before}): {missing}"]
        return [f"{pin.name} (was {held.before}): reads {now} after the restore"]

    def _put_back(self, pin: Pin, before: str) -> str | None:
        if isinstance(pin, Restoring):
            return pin.restore(self._device, before)
        pin.write(self._device, before)
        return None

    def _retry_if_lost(self, action: Callable[[], _T]) -> _T:
        """Run ``action``, again if the device was lost and came back; _Restarted if it rebooted."""
        try:
            return action()
        except DeviceLost:
            if not self._reconnected():
                raise
        if self._device_restarted():
            raise _Restarted
        return action()

    def _device_restarted(self) -> bool:
        """Whether it has booted since `apply`; False if that cannot be read."""
        try:
            return boot_id(self._device) != self._boot_id
        except DeviceLost:
            if not self._reconnected():
                return False
        except SuiteError:
            return False
        try:
            return boot_id(self._device) != self._boot_id
        except SuiteError:
            return False

    def _reconnected(self) -> bool:
        """Wait for the device; if it stays away, the rest of the restore does not wait again."""
        if self._unreachable or not isinstance(self._device, Reconnecting):
            return False
        self._unreachable = not self._device.reconnect(deadline_s=self._reconnect_deadline_s)
        return not self._unreachable


def left_behind(serial: str) -> list[Note]:
    """Settings that runs changed on this device and have not restored, oldest first.

    They include those of other processes that still run (`Note.is_held`).
    """
    return Journal(serial).notes()


def undo_left(device: Device) -> list[str]:
    """Restore what a killed run, or one that lost the device, left on it; a line for each setting.

    LabError if another process uses the device, StateError for what could not be restored: its
    note stays. Settings that a reboot since has reset are not written.
    """
    if not device.keeps_settings:
        return []
    notes = left_behind(device.serial)
    for note in notes:
        if note.is_held and not note.is_ours:
            raise LabError(
                f"process {note.owner[0]} of this machine uses it and has changed {note.pin.name}",
                device=device.serial,
                next_step="wait for it to end, or end it; then run: python -m android_tests restore",
            )
    boot = boot_id(device) if notes else ""
    earlier = [note for note in notes if note.boot_id != boot and not note.pin.survives_restart]
    for note in earlier:
        note.done()
    state = PinnedState(device)
    state.resume([replace(note, boot_id=boot) for note in notes if note not in earlier])
    state.restore()
    return [
        *(f"{note.pin.name}: reset by a reboot" for note in earlier),
        *(f"{row['name']}: {row['restored']}" for row in reversed(state.record())),
    ]
