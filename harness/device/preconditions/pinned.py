"""Settings of one device held for a while: set in order, read back, put back in reverse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar, runtime_checkable

from foundation.contract.device import Device
from foundation.errors import DeviceLost, LabError, StateError, SuiteError
from foundation.signals import signals_held
from harness.device.phone_state import boot_id
from harness.device.preconditions.journal import Journal, Note
from harness.device.preconditions.protocol import Check, Pin, Precondition, Record

#: How long a restore waits for a lost device, seconds. A virtual one whose kernel died never returns.
RECONNECT_DEADLINE_S: Final = 60.0
RECONNECT_EMULATED_DEADLINE_S: Final = 10.0
_T = TypeVar("_T")


class _Restarted(Exception):
    """The device booted: its settings are those of its boot."""


@runtime_checkable
class Reconnecting(Protocol):
    """A device that can be waited for after its connection went away."""

    def reconnect(self, *, deadline_s: float) -> bool:
        """Wait until it answers; False if it does not within ``deadline_s``."""
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
        """What was asked for; None of what is only recorded."""
        if isinstance(self.item, Pin):
            return self.item.wanted
        return self.item.required if isinstance(self.item, Check) else None

    @property
    def is_right(self) -> bool:
        """Whether ``after`` is what was asked for, or unchanged."""
        if isinstance(self.item, Pin):
            return self.item.verify(self.item.wanted, self.after)
        return self.item.holds(self.after) if isinstance(self.item, Check) else self.after == self.before


class PinnedState:
    """Context manager around all that a block changes on a device.

    The restore runs on every way out, Ctrl-C and a lost device included; a failure of
    the restore is a StateError that says what was left behind. If something else was
    already raised, that stays the exception and the failure becomes a note on it.
    After a restart of the device only settings that survive it are put back. What is changed on
    a phone is in the journal on the host until it is put back, for `undo_left` after this process died.
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
        """Set, check or record ``items`` in order. May be called again with further ones.

        A pin is written where that is due, and then read back. StateError names the item, what was
        wanted and what was read.
        """
        boot = boot_id(self._device)
        if boot != self._boot_id:
            # What was held in another boot is not there any more.
            self._forget()
            self._held = [held for held in self._held if held.survives_restart]
        self._boot_id = boot
        for item in items:
            before = item.read(self._device)
            # Held before it is written: an interrupt in between must not lose it.
            held = _Held(item, before, before)
            self._held.append(held)
            self._restored = False
            if isinstance(item, Pin) and item.due(before):
                if self._journal is not None:
                    held.note = self._journal.add(item, before, boot)
                item.write(self._device, item.wanted)
                held.after = item.read(self._device)
            if isinstance(item, Pin | Check) and not held.is_right:
                raise StateError(
                    f"{item.name}: wanted {held.set_to}, read back {held.after}",
                    device=self._device.serial,
                    next_step=item.advice,
                )

    def drifted(self) -> list[str]:
        """Settings that are no longer what `apply` left, one line each."""
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
        """Put everything back, last first, and read it back. May be called twice.

        StateError lists all that could not be put back. Ctrl-C is held until it is done.
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
                        left_behind += self._put_back(held)
        except KeyboardInterrupt as interrupt:
            if left_behind:
                interrupt.add_note(str(self._left(left_behind)))
            raise
        if left_behind:
            raise self._left(left_behind)
        self._restored = True

    def resume(self, notes: Sequence[Note]) -> None:
        """Hold what another run changed, so that `restore` undoes it; ``notes`` of one boot."""
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
            error.add_note(f"And the restore failed: {failure}")

    def _forget(self) -> None:
        """The device restarted: of what was noted only settings that survive it are left."""
        for held in self._held:
            if held.note is not None and not held.survives_restart:
                held.note.done()

    def _left(self, lines: Sequence[str]) -> StateError:
        return StateError(
            "settings were left behind: " + "; ".join(lines),
            device=self._device.serial,
            next_step="set them by hand, or restart the device",
        )

    def _put_back(self, held: _Held, *, once_more: bool = True) -> list[str]:
        """Why ``held`` could not be put back; empty if it was."""
        pin = held.item
        if not isinstance(pin, Pin):
            return []
        try:
            now = self._again_if_lost(lambda: pin.read(self._device))
            if not pin.verify(held.before, now):
                self._again_if_lost(lambda: pin.write(self._device, held.before))
                now = self._again_if_lost(lambda: pin.read(self._device))
        except _Restarted:
            self._rebooted = True
            self._forget()
            if not pin.survives_restart:
                return []
            if once_more:
                return self._put_back(held, once_more=False)
            return [f"{pin.name} (was {held.before}): the device keeps rebooting"]
        except SuiteError as error:
            return [f"{pin.name} (was {held.before}): {error.what}"]
        held.restored = now
        if pin.verify(held.before, now):
            if held.note is not None:
                held.note.done()
            return []
        return [f"{pin.name} (was {held.before}): reads {now} after the restore"]

    def _again_if_lost(self, action: Callable[[], _T]) -> _T:
        """Do ``action``, once more if the device comes back; _Restarted if it booted meanwhile."""
        try:
            return action()
        except DeviceLost:
            if not self._reconnected():
                raise
        if self._device_restarted():
            raise _Restarted
        return action()

    def _device_restarted(self) -> bool:
        """Whether it has booted since `apply`; False if it cannot be asked."""
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
        """Wait for the device, once a restore: a device that stayed away is not waited for again."""
        if self._unreachable or not isinstance(self._device, Reconnecting):
            return False
        self._unreachable = not self._device.reconnect(deadline_s=self._reconnect_deadline_s)
        return not self._unreachable


def left_behind(serial: str) -> list[Note]:
    """Settings that a run changed on this device and nobody has put back, oldest first.

    Those of another process that still runs are among them (`Note.is_held`).
    """
    return Journal(serial).notes()


def undo_left(device: Device) -> list[str]:
    """Put back what a killed run, or one that lost the device, left on it; a line for each setting.

    LabError if another process holds the device, StateError for what could not be put back:
    it stays noted. Nothing is written to a device that has restarted since.
    """
    if not device.keeps_settings:
        return []
    notes = left_behind(device.serial)
    for note in notes:
        if note.is_held and not note.is_ours:
            raise LabError(
                f"process {note.owner[0]} of this machine holds it and has changed {note.pin.name}",
                device=device.serial,
                next_step="let it end, or end it; then run: python -m android_tests restore",
            )
    boot = boot_id(device) if notes else ""
    earlier = [note for note in notes if note.boot_id != boot and not note.pin.survives_restart]
    for note in earlier:
        note.done()
    state = PinnedState(device)
    state.resume([replace(note, boot_id=boot) for note in notes if note not in earlier])
    state.restore()
    return [
        *(f"{note.pin.name}: gone with a restart" for note in earlier),
        *(f"{row['name']}: {row['restored']}" for row in reversed(state.record())),
    ]
