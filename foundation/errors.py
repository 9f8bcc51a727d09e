"""The suite's error tree: what is to blame, and whether a retry can help.

Every message has three parts: what happened, on which device, and what to do
next. Only errors with ``transient = True`` may be retried. A failure of the
kernel under test (`KernelError`) is a result and is never retried.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Blame = Literal["usage", "host", "lab", "device", "kernel"]


class SuiteError(Exception):
    """Root of the tree; raise one of the subclasses.

    ``what`` happened, ``device`` is the serial (if a device is involved),
    ``next_step`` is what the reader can do.
    """

    blame: ClassVar[Blame]
    transient: ClassVar[bool] = False

    def __init__(self, what: str, *, device: str | None = None, next_step: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.device = device
        self.next_step = next_step

    def __str__(self) -> str:
        where = f"[{self.device}] " if self.device else ""
        advice = f" -> {self.next_step}" if self.next_step else ""
        return f"{where}{self.what}{advice}"


class UsageError(SuiteError):
    """The user gave something invalid: an option, a config, a path."""

    blame = "usage"


class TraceError(UsageError):
    """A trace that cannot be judged: empty, truncated, corrupt, lossy, or without the needed threads."""


class ResultsError(UsageError):
    """Not a results folder, or one that is damaged or has another schema version."""


class HostError(SuiteError):
    """This machine lacks something: a program, a package, disk space."""

    blame = "host"


class LabError(SuiteError):
    """Between host and device: no device, several devices, unauthorized, offline, held by another."""

    blame = "lab"


class DeviceLost(LabError):
    """The connection to a device broke (cable, adb server, reboot)."""

    transient = True


class DeviceError(SuiteError):
    """The device answered, but not as required."""

    blame = "device"


class CommandFailed(DeviceError):
    """A command on the device ended with a non-zero exit status."""

    def __init__(
        self,
        what: str,
        *,
        exit_status: int,
        stdout: str = "",
        stderr: str = "",
        device: str | None = None,
        next_step: str | None = None,
    ) -> None:
        super().__init__(what, device=device, next_step=next_step)
        self.exit_status = exit_status
        self.stdout = stdout
        self.stderr = stderr


class CommandTimeout(DeviceError):
    """A command on the device did not end before its deadline."""

    transient = True


class StateError(DeviceError):
    """A setting could not be set, read back, or restored."""


class NotReady(StateError):
    """The device was not fit for a block, for a reason that may pass: only the block is lost."""

    transient = True


class SettingRefused(StateError):
    """Android does not let the shell set it, and nothing was changed."""


class KernelError(SuiteError):
    """The kernel under test failed. A result, never a retry.

    ``log`` keeps the console or pstore text that shows it.
    """

    blame = "kernel"

    def __init__(
        self, what: str, *, log: str = "", device: str | None = None, next_step: str | None = None
    ) -> None:
        super().__init__(what, device=device, next_step=next_step)
        self.log = log


class KernelCrash(KernelError):
    """Panic, oops, hang or lockup of the kernel under test."""


class BootFailed(KernelError):
    """The variant did not come up before its deadline."""


class ModuleLoadFailed(KernelError):
    """The kernel refused a module of the variant."""


class WrongKernel(KernelError):
    """The running kernel is not that of the variant."""


class DataCorruption(KernelError):
    """A page's content differs from what was written to it."""
