"""The three kinds of precondition: a `Pin` is set, a `Check` must hold, a `Record` is only stored."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from foundation.contract.device import Device


class Reading(Protocol):
    """One value of a device, as text."""

    @property
    def name(self) -> str:
        """Its name in results."""

    @property
    def precondition(self) -> str | None:
        """Its name for ``--suppress``; None for a variant's own switch, which has none."""

    def read(self, device: Device) -> str:
        """The value now. StateError with the reason."""


@runtime_checkable
class Record(Reading, Protocol):
    """A value that is stored with the results and not changed."""

    @property
    def steady(self) -> bool:
        """Whether it must stay the same while a workload runs."""


@runtime_checkable
class Check(Reading, Protocol):
    """A value that must be right when a block starts, and that the suite does not set.

    One that is not costs the block, not the campaign.
    """

    @property
    def required(self) -> str:
        """The right values, in words."""

    @property
    def advice(self) -> str:
        """The next step for the user if it is not right."""

    def holds(self, value: str) -> bool:
        """Whether ``value``, as read, is right."""


@runtime_checkable
class Pin(Reading, Protocol):
    """A setting that is kept at ``wanted`` during a block, and restored afterwards.

    Values are text that `read` returns and `write` takes, so an earlier value can be written back.
    """

    @property
    def wanted(self) -> str:
        """The value to keep."""

    @property
    def survives_restart(self) -> bool:
        """Whether it must be restored even after a reboot, as Android's own settings."""

    @property
    def advice(self) -> str:
        """The next step for the user if another value is read back."""

    def due(self, before: str) -> bool:
        """Whether it must be written to get from ``before`` to ``wanted``."""

    def write(self, device: Device, value: str) -> None:
        """Set it. StateError with the kernel's reason."""

    def verify(self, wanted: str, got: str) -> bool:
        """Whether ``got`` satisfies ``wanted``."""


@runtime_checkable
class Restoring(Protocol):
    """A pin whose restore is more than a write, because an earlier value may be gone for good."""

    def restore(self, device: Device, before: str) -> str | None:
        """Set ``before``, or what comes nearest; what is missing and is there instead, or None.

        StateError if nothing can be had.
        """


Precondition = Pin | Check | Record
