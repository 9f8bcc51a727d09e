"""The preconditions of a block: set, checked and monitored; all that are not met are reported at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from foundation.contract.device import Device
from foundation.errors import CommandFailed, DeviceError, SettingRefused, StateError
from foundation.progress import Progress, silent
from harness.device.adb.addresses import over_network
from harness.device.preconditions.checks import Unmet, all_unmet
from harness.device.preconditions.cpufreq import CpufreqPin, time_in_state
from harness.device.preconditions.memory_pins import pins_for
from harness.device.preconditions.phone_condition import Condition, read_condition
from harness.device.preconditions.phone_pins import phone_pins
from harness.device.preconditions.pinned import PinnedState
from harness.device.preconditions.protocol import Precondition
from harness.device.preconditions.records import RecordOnly, suppressed
from workloads.profile import Profile

_POLL_S: Final = 10.0
#: Share of a repetition that a CPU with a fixed frequency may run at others: none, except for the
#: ticks in which the two readings are taken.
OTHER_FREQUENCY_SHARE_MAX: Final = 0.01


def preconditions_of(
    device: Device,
    profile: Profile,
    names: Collection[str] = (),
    *,
    say: Progress,
    sleep: Callable[[float], None] = time.sleep,
) -> Preconditions:
    """Those of a block on ``device``; ``names`` as in `Preconditions`. ``say`` takes each wait."""
    if device.emulated:
        return Preconditions(device, profile, names)
    return PhonePreconditions(device, profile, names, say=say, sleep=sleep)


class Preconditions:
    """Those of one block on any device: the profile's memory settings, with nothing to wait for.

    Call `establish` once, then `before` and `after` around each repetition. The preconditions
    ``names`` are suppressed: only recorded, neither set nor checked.
    """

    def __init__(self, device: Device, profile: Profile, names: Collection[str] = ()) -> None:
        self._device = device
        self._profile = profile
        self._names = tuple(names)
        self._refused: dict[str, SettingRefused] = {}

    def establish(self, state: PinnedState) -> None:
        """Set and check everything. StateError that names all that are not met.

        ``state`` holds what was set, even after an error.
        """
        failed, errors = self._set(state, self._memory())
        if len(errors) == 1:
            raise errors[0]
        self._raise(failed)

    def before(self) -> None:
        """Wait until a repetition may start, and read the device's condition. StateError if it may not."""

    def after(self) -> tuple[str, ...]:
        """Why the repetition that just ended is void; empty if it is not."""
        return ()

    def record(self) -> dict[str, Any]:
        """``suppressed``, ``refused`` and ``condition`` of ``rep.json``; the last None: not monitored.

        ``refused`` names the settings that Android did not let the shell set.
        """
        return {"suppressed": list(self._names), "refused": list(self._refused), "condition": None}

    @property
    def watches_throttling(self) -> bool:
        """Whether a drop of a CPU's maximum frequency invalidates a repetition."""
        return "thermal" not in self._names

    def _memory(self) -> list[Precondition]:
        return suppressed(pins_for(self._profile.device), self._names)

    def _set(
        self, state: PinnedState, items: Sequence[Precondition]
    ) -> tuple[list[Unmet], list[DeviceError]]:
        """Apply each, even after one that failed; what is not met, and the errors behind it.

        A setting that Android refuses to the shell is only recorded, unless nothing works without it.
        """
        failed: list[Unmet] = []
        errors: list[DeviceError] = []
        for item in items:
            try:
                state.apply([item])
            except SettingRefused as error:
                if getattr(item, "essential", False):
                    errors.append(error)
                    failed.append(Unmet(item.precondition or "device", f"{error.what}; {error.next_step}"))
                else:
                    self._refused[item.name] = error
                    state.apply([RecordOnly(item)])
            except (StateError, CommandFailed) as error:
                errors.append(error)
                failed.append(Unmet(item.precondition or "device", error.what))
        return failed, errors

    def _raise(self, failed: Sequence[Unmet], next_step: str = "meet them") -> None:
        if failed:
            several = f"{len(failed)} preconditions are" if len(failed) > 1 else "a precondition is"
            raise StateError(
                f"{several} not met: {'; '.join(map(str, failed))}",
                device=self._device.serial,
                next_step=next_step,
            )


class PhonePreconditions(Preconditions):
    """Those of a phone: CPU frequencies, screen, radio and background work are pinned as well, and each
    repetition waits until the phone is cool and quiet. ``say`` takes each wait."""

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
        self._start: Condition | None = None
        self._end: Condition | None = None

    def establish(self, state: PinnedState) -> None:
        """As `Preconditions.establish`; `before` waits for what passes by itself."""
        failed: list[Unmet] = []
        own: list[Precondition] = []
        try:
            own = phone_pins(self._device, self._profile.phone, self._names)
        except (StateError, CommandFailed) as error:
            failed.append(Unmet("cpufreq", error.what))
        self._fixed = [pin for pin in own if isinstance(pin, CpufreqPin)]
        failed += self._set(state, [*own, *self._memory()])[0]
        for refused in self._refused.values():
            self._say(f"NOT SET: {refused.what} -> {refused.next_step}")
        failed += [unmet for unmet in self._unmet(read_condition(self._device)) if not unmet.passes]
        self._raise_unmet(failed)

    def before(self) -> None:
        """Wait until the phone is cool and quiet, and read its condition. StateError if it stays hot."""
        self._end = None
        left = math.ceil(self._profile.phone.cool_down_s / _POLL_S)
        self._start = read_condition(self._device)
        while failed := self._unmet(self._start):
            if left == 0 or not all(unmet.passes for unmet in failed):
                self._raise_unmet(failed)
            left -= 1
            self._say(f"waiting: {'; '.join(unmet.what for unmet in failed)}")
            self._sleep(_POLL_S)
            self._start = read_condition(self._device)
        self._ticks = self._read_ticks()

    def after(self) -> tuple[str, ...]:
        """Why the repetition that just ended is void: the phone was throttled."""
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
        if self._start is None:
            return super().record()
        end = None if self._end is None else self._end.to_json()
        return {**super().record(), "condition": {"begin": self._start.to_json(), "end": end}}

    def _read_ticks(self) -> dict[str, Mapping[int, int]]:
        return {pin.policy: time_in_state(self._device, pin.policy) for pin in self._fixed}

    def _unmet(self, condition: Condition) -> list[Unmet]:
        failed = all_unmet(condition, self._profile.phone, over_network=over_network(self._device.serial))
        return [unmet for unmet in failed if unmet.precondition not in self._names]

    def _hot(self, end: Condition) -> list[str]:
        limit = self._profile.phone.thermal_status_max
        if end.thermal_status is None or end.thermal_status <= limit:
            return []
        return [f"the phone was throttled: thermal status {end.thermal_status} at the end, limit {limit}"]

    def _raise_unmet(self, failed: Sequence[Unmet]) -> None:
        names = ",".join(sorted({unmet.precondition for unmet in failed}))
        self._raise(failed, f"meet them, or measure without (each result records that): --suppress {names}")


def other_frequencies(pin: CpufreqPin, start: Mapping[int, int], end: Mapping[int, int]) -> list[str]:
    """A void reason if a policy ran at other frequencies than its pinned one.

    ``start`` and ``end`` are ticks by kHz; both are empty on a kernel that does not count them.
    """
    ran = {khz: ticks - start.get(khz, 0) for khz, ticks in end.items()}
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
