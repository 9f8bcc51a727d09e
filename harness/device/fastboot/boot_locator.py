"""Finds a phone that reboots between Android and its bootloader."""

from __future__ import annotations

from typing import Final, Literal

from foundation.errors import LabError, SuiteError
from harness.device import phone_state
from harness.device.adb.adb_device import AdbDevice
from harness.device.deadline import Deadline, wait_until
from harness.device.fastboot.client import Fastboot, Place

#: How long to look for a phone that did not come up.
SHOW_UP_S: Final = 120.0
#: A bootloader that answers so long after it was left means that the boot failed.
TAKEN_BACK_S: Final = 5.0
_ANSWER_S: Final = 0.7


class BootLocator:
    """Looks for the phone on adb and on fastboot; changes nothing."""

    def __init__(self, device: AdbDevice, fastboot: Fastboot) -> None:
        self._device = device
        self._fastboot = fastboot

    def locate(self, likely: Place) -> Place:
        """Where the phone is, looking first where it is ``likely`` to be.

        LabError if it is nowhere within `SHOW_UP_S`.
        """
        place: Place | None = None

        def shows_up() -> bool:
            nonlocal place
            if likely == "android":
                place = self._on_android() or self._on_fastboot()
            else:
                place = self._on_fastboot() or self._on_android()
            return place is not None

        wait_until(shows_up, Deadline(SHOW_UP_S), every_s=0.3)
        if place is None:
            raise LabError(
                f"the phone is neither on adb nor in its bootloader ({self._fastboot.serial})",
                device=self._device.serial,
                next_step="hold its power key for ten seconds; then start it, or run: fastboot reboot",
            )
        return place

    def await_boot(self, before: str, deadline: Deadline) -> Literal["up", "bootloader", "nowhere"]:
        """Wait until another boot than ``before`` answers adb, or the phone is back in its bootloader."""
        leaves_bootloader = Deadline(TAKEN_BACK_S)
        result: Literal["up", "bootloader", "nowhere"] = "nowhere"

        def decided() -> bool:
            nonlocal result
            if self._answers():
                if self.boot_id() not in (before, None):
                    result = "up"
            elif leaves_bootloader.passed and self._fastboot.present():
                result = "bootloader"
            return result != "nowhere"

        wait_until(decided, deadline, every_s=0.1)
        return result

    def await_started(self, deadline: Deadline) -> bool:
        """Wait until Android reports that it has started; whether it did."""
        return wait_until(lambda: self.property("sys.boot_completed") == "1", deadline, every_s=0.5)

    def property(self, name: str) -> str:
        """An Android property; empty also while the phone does not answer."""
        try:
            return self._device.shell(["getprop", name], deadline_s=5.0).stdout.strip()
        except SuiteError:
            return ""

    def boot_id(self) -> str | None:
        """The id of this boot; None while the phone does not answer."""
        try:
            return phone_state.boot_id(self._device)
        except SuiteError:
            return None

    def _on_android(self) -> Place | None:
        return "android" if self._answers() else None

    def _on_fastboot(self) -> Place | None:
        if not self._fastboot.present():
            return None
        return "fastbootd" if self._fastboot.getvar("is-userspace") == "yes" else "bootloader"

    def _answers(self) -> bool:
        return self._device.reconnect(deadline_s=_ANSWER_S)
