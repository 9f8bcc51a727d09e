"""The three kinds of precondition: a `Pin` is set, a `Check` must hold, a `Record` is only stored."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from foundation.contract.device import Device


class Reading(Protocol):
    """One value of a device, as text."""

    @property
    def name(self) -> str:
        """What results call it."""

    @property
    def precondition(self) -> str | None:
        """Its name for ``--suppress``; None if it has none, as a variant's own switch."""

    def read(self, device: Device) -> str:
        """The value now. StateError with the reason."""


@runtime_checkable
class Record(Reading, Protocol):
    """A value that is stored with the results and left as it is."""

    @property
    def steady(self) -> bool:
        """Whether it must not change while a workload runs."""


@runtime_checkable
class Check(Reading, Protocol):
    """A value that must be right when a block starts, and that the suite does not set."""

    @property
    def required(self) -> str:
        """In words, which values are right."""

    @property
    def advice(self) -> str:
        """The next step for the reader when it is not right."""

    def holds(self, value: str) -> bool:
        """Whether ``value``, as read, is right."""


@runtime_checkable
class Pin(Reading, Protocol):
    """A setting that is held at ``wanted`` for a block, and put back afterwards.

    Values are text that `read` returns and `write` takes, so a value read before can be written back.
    """

    @property
    def wanted(self) -> str:
        """The value to hold."""

    @property
    def survives_restart(self) -> bool:
        """Whether it outlives a restart, and must be put back after one: Android's own settings do."""

    @property
    def advice(self) -> str:
        """The next step for the reader when the value read back is another."""

    def due(self, before: str) -> bool:
        """Whether it must be written to get from ``before`` to ``wanted``."""

    def write(self, device: Device, value: str) -> None:
        """Set it. StateError with the kernel's reason."""

    def verify(self, wanted: str, got: str) -> bool:
        """Whether ``got`` is what ``wanted`` asks for."""


Precondition = Pin | Check | Record
