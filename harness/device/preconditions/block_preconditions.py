"""What a device must be like for a block: set, checked, watched; all that is unmet is told at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from foundation.contract.device import Device
from foundation.errors import CommandFailed, DeviceError, StateError
from foundation.progress import Progress, silent
from harness.device.preconditions.checks import Unmet, unmet
from harness.device.preconditions.cpufreq import CpufreqPin, time_in_state
from harness.device.preconditions.memory_pins import pins_for
from harness.device.preconditions.phone_condition import Condition, read_condition
from harness.device.preconditions.phone_pins import over_network, phone_pins
from harness.device.preconditions.pinned import PinnedState
from harness.device.preconditions.protocol import Precondition
from harness.device.preconditions.records import suppressed
from workloads.profile import Profile

_POLL_S: Final = 10.0
#: Share of a repetition that a CPU whose frequency is fixed may run at other ones: none, but for
#: the ticks in which the two readings are taken.
OTHER_FREQUENCY_SHARE_MAX: Final = 0.01


def preconditions_of(
    device: Device, profile: Profile, names: Collection[str] = (), *, say: Progress
) -> Preconditions:
    """Those of a block on ``device``; see `Preconditions` for ``names``. ``say`` hears of each wait."""
    if device.emulated:
        return Preconditions(device, profile, names)
    return PhonePreconditions(device, profile, names, say=say)


class Preconditions:
    """Those of one block on any device: the profile's memory settings, and nothing to wait for.

    `establish` once, then `before` and `after` around each repetition. ``names`` are the
    preconditions that are suppressed: they are recorded, and neither set nor checked.
    """

    def __init__(self, device: Device, profile: Profile, names: Collection[str] = ()) -> None:
        self._device = device
        self._profile = profile
        self._names = tuple(names)

    def establish(self, state: PinnedState) -> None:
        """Set and check everything. StateError that names all that could not be had.

        ``state`` holds what was set, also after an error.
        """
        found, errors = self._set(state, self._memory())
        if len(errors) == 1:
            raise errors[0]
        self._raise(found)

    def before(self) -> None:
        """Wait until a repetition may begin, and note what the device is like. StateError if it may not."""

    def after(self) -> tuple[str, ...]:
        """Why the repetition that just ended is void."""
        return ()

    def record(self) -> dict[str, Any]:
        """``suppressed`` and ``condition`` of ``rep.json``; the latter None where it is not watched."""
        return {"suppressed": list(self._names), "condition": None}

    @property
    def watches_throttling(self) -> bool:
        """Whether a fall of a CPU's highest allowed frequency voids a repetition."""
        return "thermal" not in self._names

    def _memory(self) -> list[Precondition]:
        return suppressed(pins_for(self._profile.device), self._names)

    def _set(
        self, state: PinnedState, items: Sequence[Precondition]
    ) -> tuple[list[Unmet], list[DeviceError]]:
        """Apply each, also after one that failed; what is unmet, and the errors that said so."""
        found: list[Unmet] = []
        errors: list[DeviceError] = []
        for item in items:
            try:
                state.apply([item])
            except (StateError, CommandFailed) as error:
                errors.append(error)
                found.append(Unmet(item.precondition or "device", error.what))
        return found, errors

    def _raise(self, found: Sequence[Unmet], next_step: str = "meet them") -> None:
        if found:
            several = f"{len(found)} preconditions are" if len(found) > 1 else "a precondition is"
            raise StateError(
                f"{several} not met: {'; '.join(map(str, found))}",
                device=self._device.serial,
                next_step=next_step,
            )


class PhonePreconditions(Preconditions):
    """Those of a phone: also CPU frequencies, screen, radio and what runs in the background are held,
    and each repetition waits until the phone is cool and quiet. ``say`` hears of each wait."""

    def __init__(
        self,
        device: Device,
        profile: Profile,
        names: Collection[str] = (),
        *,
        say: Progress = silent,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(device, profile, names)
        self._say = say
        self._sleep = sleep
        self._fixed: list[CpufreqPin] = []
        self._ticks: dict[str, Mapping[int, int]] = {}
        self._begin: Condition | None = None
        self._end: Condition | None = None

    def establish(self, state: PinnedState) -> None:
        """As `Preconditions.establish`; what passes by itself is left to `before`."""
        found: list[Unmet] = []
        own: list[Precondition] = []
        try:
            own = phone_pins(self._device, self._profile.phone, self._names)
        except (StateError, CommandFailed) as error:
            found.append(Unmet("cpufreq", error.what))
        self._fixed = [pin for pin in own if isinstance(pin, CpufreqPin)]
        found += self._set(state, [*own, *self._memory()])[0]
        found += [one for one in self._unmet(read_condition(self._device)) if not one.passes]
        self._raise_or_suppress(found)

    def before(self) -> None:
        """Wait until the phone is cool and quiet, and note what it is like. StateError if it stays hot."""
        self._end = None
        deadline = time.monotonic() + self._profile.phone.cool_down_s
        self._begin = read_condition(self._device)
        while found := self._unmet(self._begin):
            if time.monotonic() > deadline or not all(one.passes for one in found):
                self._raise_or_suppress(found)
            self._say(f"waiting: {'; '.join(one.what for one in found)}")
            self._sleep(_POLL_S)
            self._begin = read_condition(self._device)
        self._ticks = self._read_ticks()

    def after(self) -> tuple[str, ...]:
        """Why the repetition that just ended is void: the phone was throttled in it."""
        self._end = read_condition(self._device)
        ticks = self._read_ticks()
        reasons = [
            reason
            for pin in self._fixed
            for reason in other_frequencies(pin, self._ticks[pin.policy], ticks[pin.policy])
        ]
        return (*(self._hot(self._end) if self.watches_throttling else ()), *reasons)

    def record(self) -> dict[str, Any]:
        """As `Preconditions.record`."""
        if self._begin is None:
            return super().record()
        end = None if self._end is None else self._end.to_json()
        return {**super().record(), "condition": {"begin": self._begin.to_json(), "end": end}}

    def _read_ticks(self) -> dict[str, Mapping[int, int]]:
        return {pin.policy: time_in_state(self._device, pin.policy) for pin in self._fixed}

    def _unmet(self, condition: Condition) -> list[Unmet]:
        found = unmet(condition, self._profile.phone, over_network=over_network(self._device))
        return [one for one in found if one.precondition not in self._names]

    def _hot(self, end: Condition) -> list[str]:
        limit = self._profile.phone.thermal_status_max
        if end.thermal_status is None or end.thermal_status <= limit:
            return []
        return [f"the phone was throttled: thermal status {end.thermal_status} at the end, limit {limit}"]

    def _raise_or_suppress(self, found: Sequence[Unmet]) -> None:
        names = ",".join(sorted({one.precondition for one in found}))
        self._raise(found, f"meet them, or measure without (each result will say so): --suppress {names}")


def other_frequencies(pin: CpufreqPin, begin: Mapping[int, int], end: Mapping[int, int]) -> list[str]:
    """A void reason if a policy ran at other frequencies than the one that it is held at.

    ``begin`` and ``end`` are ticks by kHz; both are empty where the kernel counts none.
    """
    ran = {khz: ticks - begin.get(khz, 0) for khz, ticks in end.items()}
    total = sum(ran.values())
    if total <= 0:
        return []
    share = 1 - ran.get(pin.khz, 0) / total
    if share <= OTHER_FREQUENCY_SHARE_MAX:
        return []
    most = max((khz for khz in ran if khz != pin.khz), key=lambda khz: ran[khz])
    return [
        f"{pin.policy} was throttled: {share:.0%} of the time at other frequencies than {pin.khz} kHz,"
        f" most at {most} kHz"
    ]
