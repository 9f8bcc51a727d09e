"""What a device must be like for a block: set, checked, watched; all that is unmet is told at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from foundation.contract.device import Device
from foundation.errors import CommandFailed, DeviceError, StateError
from foundation.progress import Progress, silent
from harness.capture.capture import LONGEST_S
from harness.device.preconditions import PinnedState, pins_for
from harness.device.preconditions.condition import Condition, read_condition
from harness.device.preconditions.cpufreq import CpufreqPin, time_in_state
from harness.device.preconditions.gates import Unmet, unmet
from harness.device.preconditions.phone_pins import (
    over_network,
    phone_pins,
    precondition_of,
    suppressed,
)
from harness.device.preconditions.pins import Pin
from workloads.profile import Profile

_POLL_S: Final = 10.0
LONGEST_FACTOR: Final = 2.0
#: Share of a repetition that a CPU whose frequency is fixed may run at other ones: none, but for
#: the ticks in which the two readings are taken.
OTHER_FREQUENCY_SHARE_MAX: Final = 0.01


class Preconditions:
    """Those of one block on one device.

    `establish` once, then `before` and `after` around each repetition. A virtual device has only
    the profile's memory settings. ``names`` are the preconditions that are suppressed: they are
    recorded, and neither set nor checked.
    """

    def __init__(
        self,
        device: Device,
        profile: Profile,
        names: Collection[str] = (),
        *,
        say: Progress = silent,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._device = device
        self._profile = profile
        self._names = tuple(names)
        self._say = say
        self._sleep = sleep
        self._fixed: list[CpufreqPin] = []
        self._ticks: dict[str, Mapping[int, int]] = {}
        self._begin: Condition | None = None
        self._end: Condition | None = None

    def establish(self, state: PinnedState) -> None:
        """Set and check everything. StateError that names all that could not be had.

        ``state`` holds what was set, also after an error.
        """
        found: list[Unmet] = []
        errors: list[DeviceError] = []

        def attempt(name: str | None, action: Callable[[], None]) -> None:
            try:
                action()
            except (StateError, CommandFailed) as error:
                errors.append(error)
                found.append(Unmet(name or "device", error.what))

        pins: list[Pin] = []
        if not self._device.emulated:
            attempt("cpufreq", lambda: pins.extend(self._phone_pins()))
        pins += suppressed(pins_for(self._profile.device), self._names)
        for pin in pins:
            attempt(precondition_of(pin), lambda pin=pin: state.apply([pin]))  # type: ignore[misc]
        if not self._device.emulated:
            # What passes by itself is waited for before each repetition.
            found += [one for one in self._unmet(self._read()) if not one.passes]
        self._raise(found, errors)

    def before(self) -> None:
        """Wait until the phone is cool and quiet, and note what it is like. StateError if it stays hot."""
        if self._device.emulated:
            return
        self._end = None
        deadline = time.monotonic() + self._profile.phone.cool_down_s
        self._begin = self._read()
        while found := self._unmet(self._begin):
            if time.monotonic() > deadline or not all(one.passes for one in found):
                self._raise(found, [])
            self._say(f"waiting: {'; '.join(one.what for one in found)}")
            self._sleep(_POLL_S)
            self._begin = self._read()
        self._ticks = {pin.policy: time_in_state(self._device, pin.policy) for pin in self._fixed}

    def after(self) -> tuple[str, ...]:
        """Why the repetition that just ended is void: the phone was throttled in it."""
        if self._device.emulated:
            return ()
        self._end = self._read()
        reasons = [] if "thermal" in self._names else list(self._hot(self._end))
        for pin in self._fixed:
            reasons += other_frequencies(
                pin, self._ticks[pin.policy], time_in_state(self._device, pin.policy)
            )
        return tuple(reasons)

    def record(self) -> dict[str, Any]:
        """``suppressed`` and ``condition`` of ``rep.json``: before and after, None on a virtual device."""
        return {
            "suppressed": list(self._names),
            "condition": None
            if self._begin is None
            else {
                "begin": self._begin.to_json(),
                "end": None if self._end is None else self._end.to_json(),
            },
        }

    @property
    def longest_s(self) -> float:
        """When a recording ends that nobody stops: well after the workload does."""
        return max(LONGEST_S, LONGEST_FACTOR * self._profile.switching_s)

    @property
    def watches_throttling(self) -> bool:
        """Whether a fall of a CPU's highest allowed frequency voids a repetition."""
        return "thermal" not in self._names

    def _phone_pins(self) -> list[Pin]:
        pins = phone_pins(self._device, self._profile.phone, self._names)
        self._fixed = [pin for pin in pins if isinstance(pin, CpufreqPin) and pin.khz is not None]
        return pins

    def _read(self) -> Condition:
        return read_condition(self._device)

    def _unmet(self, condition: Condition) -> list[Unmet]:
        found = unmet(condition, self._profile.phone, over_network=over_network(self._device))
        return [one for one in found if one.precondition not in self._names]

    def _hot(self, end: Condition) -> list[str]:
        limit = self._profile.phone.thermal_status_max
        if end.thermal_status is None or end.thermal_status <= limit:
            return []
        return [f"the phone was throttled: thermal status {end.thermal_status} at the end, limit {limit}"]

    def _raise(self, found: list[Unmet], errors: Sequence[DeviceError]) -> None:
        if not found:
            return
        if self._device.emulated and len(errors) == 1:
            raise errors[0]
        names = sorted({one.precondition for one in found})
        several = f"{len(found)} preconditions are" if len(found) > 1 else "a precondition is"
        raise StateError(
            f"{several} not met: {'; '.join(map(str, found))}",
            device=self._device.serial,
            next_step="meet them" + ("" if self._device.emulated else self._suppress(names)),
        )

    def _suppress(self, names: list[str]) -> str:
        return f", or measure without (each result will say so): --suppress {','.join(names)}"


def other_frequencies(pin: CpufreqPin, begin: Mapping[int, int], end: Mapping[int, int]) -> list[str]:
    """A void reason if a policy ran at other frequencies than the one that it is held at.

    ``begin`` and ``end`` are ticks by kHz; both are empty where the kernel counts none.
    """
    ran = {khz: ticks - begin.get(khz, 0) for khz, ticks in end.items()}
    total = sum(ran.values())
    if total <= 0 or pin.khz is None:
        return []
    share = 1 - ran.get(pin.khz, 0) / total
    if share <= OTHER_FREQUENCY_SHARE_MAX:
        return []
    most = max((khz for khz in ran if khz != pin.khz), key=lambda khz: ran[khz])
    return [
        f"{pin.policy} was throttled: {share:.0%} of the time at other frequencies than {pin.khz} kHz,"
        f" most at {most} kHz"
    ]
