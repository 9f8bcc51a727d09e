"""A phone as it is, with runtime switches: nothing is flashed, all that is set is put back."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Final

from android_tests.device import phone_facts
from android_tests.device.adb_device import AdbDevice
from android_tests.device.adb_server import AdbServer
from android_tests.device.attach import attach_phone
from android_tests.device.crash import find_crash
from android_tests.device.deadline import Deadline, wait_until
from android_tests.device.lab import NO_LAB, Act, Lab, permit
from android_tests.device.protocol import Expectation
from android_tests.device.state import FilePin, PinnedState, sysctl, sysfs, undo_left
from android_tests.device.variant import Variant
from foundation.errors import BootFailed, SuiteError, UsageError

KINDS: Final = ("as-is", "sysctl", "param")
BOOT_DEADLINE_S: Final = 300.0

#: Kinds that would write to the phone's partitions or load code into its kernel.
_DESTRUCTIVE: Final = re.compile(
    r"flash|fastboot|boot|image|kernel|kcompressd|stock|module|insmod|erase|wipe"
)
_SYSCTL_KEY: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+", re.IGNORECASE)


def open_phone(
    name: str,
    *,
    serial: str | None = None,
    adb_port: int | None = None,
    su: bool = False,
    reboot_between: bool = False,
    role: str | None = None,
    lab: Lab = NO_LAB,
) -> PhoneLane:
    """Find the phone (see `attach_phone`) and open a lane on it. LabError, UsageError."""
    server, device = attach_phone(serial=serial, adb_port=adb_port, su=su, role=role, lab=lab)
    try:
        if reboot_between:
            facts = phone_facts.describe(device)
            permit(
                Act.REBOOT,
                serial=device.serial,
                model=facts.get("model", ""),
                build=facts.get("build", ""),
                opted_in=True,
                lab=lab,
            )
        return PhoneLane(name, device, server, reboot_between=reboot_between)
    except BaseException:
        server.stop()
        raise


class PhoneLane:
    """The suite's Lane on one phone.

    ``boot`` restarts nothing unless ``reboot_between``: it undoes the switches of the
    variant before and sets those of the next, which needs root. ``close`` undoes them too.
    """

    emulated = False

    def __init__(
        self, name: str, device: AdbDevice, server: AdbServer, *, reboot_between: bool = False
    ) -> None:
        self.name = name
        self._device = device
        self._server = server
        self._reboot_between = reboot_between
        self._switches: PinnedState | None = None
        self._boot_id = ""
        self._log_from_s = 0.0
        self._booted = False

    def boot(self, variant: Variant) -> AdbDevice:
        """Put the switches of ``variant`` in place of those before. UsageError, StateError, BootFailed."""
        pins = switches_of(variant)
        self._undo()
        # Of a run that was killed, or of a block that lost the phone and could not undo it then.
        undo_left(self._device)
        if self._reboot_between and self._booted:
            self._reboot()
        self._booted = True
        self._wait_until_booted()
        self._boot_id = phone_facts.boot_id(self._device)
        self._log_from_s = phone_facts.uptime_s(self._device)
        switches = PinnedState(self._device)
        self._switches = switches
        switches.apply(pins)
        return self._device

    def expectation(self, variant: Variant) -> Expectation:
        """The switches must read as set; which kernel it is cannot be known beforehand."""
        return Expectation(parameters={pin.path: pin.wanted or "" for pin in switches_of(variant)})

    def crash_log(self) -> str | None:
        """Signs of a crash since `boot`: in the kernel log, or a restart that nobody asked for.

        Needs a readable kernel log (root, or a debug build); waits for a phone that restarts.
        """
        if not self._booted:
            return None
        try:
            if not self._device.reconnect(deadline_s=BOOT_DEADLINE_S):
                return None
            if phone_facts.boot_id(self._device) != self._boot_id:
                return phone_facts.restart_log(self._device)
            crash = find_crash(self.console())
        except SuiteError:
            return None
        return crash.log if crash is not None else None

    def console(self) -> str:
        """The kernel log since `boot`; empty where it may not be read."""
        try:
            return phone_facts.kernel_log(self._device, since_s=self._log_from_s)
        except SuiteError:
            return ""

    def device_cpu_s(self) -> float | None:
        """None: a phone uses none of the host's CPUs."""
        return None

    def describe(self) -> dict[str, str]:
        """Model, build, kernel, CPUs, memory and state of the phone."""
        return {
            "serial": self._device.serial,
            "adb_port": str(self._server.port),
            "rebooted_between_blocks": "yes" if self._reboot_between else "no",
            **phone_facts.describe(self._device),
        }

    def close(self) -> None:
        """Undo the switches and end an own adb server; may be called twice."""
        try:
            self._undo()
        finally:
            self._server.stop()

    def _undo(self) -> None:
        switches, self._switches = self._switches, None
        if switches is not None:
            switches.restore()

    def _reboot(self) -> None:
        before = phone_facts.boot_id(self._device)
        self._device.reboot()
        deadline = Deadline(BOOT_DEADLINE_S)

        def rebooted() -> bool:
            try:
                left_s = max(1.0, deadline.left_s)
                return self._device.reconnect(deadline_s=left_s) and (
                    phone_facts.boot_id(self._device) != before
                )
            except SuiteError:
                return False

        if not wait_until(rebooted, deadline, every_s=1.0):
            raise BootFailed(
                f"the phone did not come back within {BOOT_DEADLINE_S:g} s after a restart",
                device=self._device.serial,
                next_step="look at its screen",
            )

    def _wait_until_booted(self) -> None:
        deadline = Deadline(BOOT_DEADLINE_S)

        def booted() -> bool:
            return self._device.shell(["getprop", "sys.boot_completed"]).stdout.strip() == "1"

        if not wait_until(booted, deadline, every_s=1.0):
            raise BootFailed(
                f"Android did not start within {BOOT_DEADLINE_S:g} s (sys.boot_completed is not 1)",
                device=self._device.serial,
                next_step="look at its screen, and at 'adb logcat'",
            )


def switches_of(variant: Variant) -> list[FilePin]:
    """The switches that make up ``variant``; UsageError for kinds a phone lane refuses."""
    if variant.kind == "as-is":
        _refuse_options(variant)
        return []
    if variant.kind == "sysctl":
        return [_sysctl(variant, key, value) for key, value in _options(variant).items()]
    if variant.kind == "param":
        return [_param(variant, path, value) for path, value in _options(variant).items()]
    if _DESTRUCTIVE.search(variant.kind.lower()):
        raise UsageError(
            f"variant '{variant.name}': kind '{variant.kind}' would write to the phone or its kernel; "
            "a phone lane never does",
            next_step="flash it yourself and use as-is, or use a virtual device",
        )
    near = difflib.get_close_matches(variant.kind, KINDS, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(KINDS)}"
    raise UsageError(f"variant '{variant.name}': a phone has no kind '{variant.kind}'", next_step=hint)


def _options(variant: Variant) -> Mapping[str, str]:
    if not variant.options:
        example = "vm.kcompressd=0" if variant.kind == "sysctl" else "/sys/module/NAME/parameters/KEY=0"
        raise UsageError(
            f"variant '{variant.name}': kind '{variant.kind}' switches nothing",
            next_step=f"write {variant.name}={variant.kind}:{example}",
        )
    return variant.options


def _refuse_options(variant: Variant) -> None:
    if variant.options:
        raise UsageError(
            f"variant '{variant.name}': kind 'as-is' takes no options, got {', '.join(variant.options)}",
            next_step="use sysctl:KEY=VALUE or param:PATH=VALUE for switches",
        )


def _sysctl(variant: Variant, key: str, value: str) -> FilePin:
    if not _SYSCTL_KEY.fullmatch(key):
        raise UsageError(
            f"variant '{variant.name}': '{key}' is not a sysctl", next_step="write it as in vm.kcompressd=0"
        )
    return sysctl(key, value)


def _param(variant: Variant, path: str, value: str) -> FilePin:
    if not path.startswith(("/sys/", "/proc/sys/")) or "/../" in path or path.endswith("/.."):
        raise UsageError(
            f"variant '{variant.name}': '{path}' is not a file of /sys or /proc/sys",
            next_step="write the whole path, such as /sys/module/NAME/parameters/KEY=0",
        )
    return sysfs(path, value)
