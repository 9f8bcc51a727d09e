"""Where a phone is while it changes between Android and its bootloader."""

from __future__ import annotations

from typing import Final, Literal

from foundation.errors import LabError, SuiteError
from harness.device import phone_state
from harness.device.adb.adb_device import AdbDevice
from harness.device.deadline import Deadline, wait_until
from harness.device.fastboot.client import Fastboot, Place

#: How long a phone that did not come up may take to show itself anywhere.
SHOW_UP_S: Final = 120.0
#: A bootloader that is seen so long after it was left has taken the phone back.
TAKEN_BACK_S: Final = 5.0
_ANSWER_S: Final = 0.7


class BootLocator:
    """Looks on adb and on fastboot; changes nothing."""

    def __init__(self, device: AdbDevice, fastboot: Fastboot) -> None:
        self._device = device
        self._fastboot = fastboot

    def locate(self, likely: Place) -> Place:
        """Where the phone is. LabError if it shows up nowhere within `SHOW_UP_S`.

        It is looked for first where it is ``likely`` to be.
        """
        found: list[Place] = []

        def shows_up() -> bool:
            looks = [self._on_android, self._on_fastboot]
            for look in looks if likely == "android" else reversed(looks):
                place = look()
                if place is not None:
                    found.append(place)
                    break
            return bool(found)

        if not wait_until(shows_up, Deadline(SHOW_UP_S), every_s=0.3):
            raise LabError(
                f"the phone is neither on adb nor in its bootloader ({self._fastboot.serial})",
                device=self._device.serial,
                next_step="hold its power key for ten seconds; then start it, or run: fastboot reboot",
            )
        return found[0]

    def await_boot(self, before: str, deadline: Deadline) -> Literal["up", "bootloader", "nowhere"]:
        """Wait for a boot other than ``before`` to answer adb, or for the bootloader to take it back."""
        left = Deadline(TAKEN_BACK_S)
        seen: list[Literal["up", "bootloader"]] = []

        def decided() -> bool:
            if self._answers():
                if self.boot_id() not in (before, None):
                    seen.append("up")
            elif left.passed and self._fastboot.present():
                seen.append("bootloader")
            return bool(seen)

        return seen[0] if wait_until(decided, deadline, every_s=0.1) else "nowhere"

    def await_started(self, deadline: Deadline) -> bool:
        """Wait until Android says that it has started."""
        return wait_until(lambda: self.property("sys.boot_completed") == "1", deadline, every_s=0.5)

    def property(self, name: str) -> str:
        """Empty also while the phone goes away again."""
        try:
            return self._device.shell(["getprop", name], deadline_s=5.0).stdout.strip()
        except SuiteError:
            return ""

    def boot_id(self) -> str | None:
        """Another one after each boot; None while the phone does not answer."""
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
