"""The preconditions of a block: set, checked and monitored; all that are not met are reported at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from foundation.contract.device import Device
from foundation.errors import CommandFailed, DeviceError, NotReady, SettingRefused, StateError
from foundation.progress import Progress, silent
from harness.device.adb.addresses import over_network
from harness.device.preconditions.checks import Unmet, all_unmet
from harness.device.preconditions.cpufreq import CpufreqPin, time_in_state
from harness.device.preconditions.memory_pins import pins_for
from harness.device.preconditions.phone_condition import Condition, read_condition
from harness.device.preconditions.phone_pins import phone_pins
from harness.device.preconditions.pinned import PinnedState
from harness.device.preconditions.protocol import Precondition
from harness.device.preconditions.records import RecordOnly, manages_zram, suppressed
from harness.device.preconditions.zram import KeptZramPin, ZramPin, zram_pin
from harness.device.preconditions.zram_state import ZramState
from workloads.profile import Profile

_POLL_S: Final = 10.0
#: Share of a repetition that a CPU with a fixed frequency may run at others: none, except for the
#: ticks in which the two readings are taken.
OTHER_FREQUENCY_SHARE_MAX: Final = 0.01
#: A battery that ran low charges by so much more, % of its capacity: a block uses some.
_CHARGE_MARGIN: Final = 5

#: How a CPU's frequency came to be limited, by whether that was for heat; None: the phone does not say.
_BY: Final = {
    True: "throttled",
    None: "throttled",
    False: "set by another writer, and not for heat",
}


def preconditions_of(
    device: Device,
    profile: Profile,
    names: Collection[str] = (),
    *,
    reset_backed_zram: bool = False,
    say: Progress,
    sleep: Callable[[float], None] = time.sleep,
    patient: bool = False,
) -> Preconditions:
    """Those of a block on ``device``; ``names`` as in `Preconditions`. ``say`` takes each wait; ``patient``
    as in `PhonePreconditions`."""
    if device.emulated:
        return Preconditions(device, profile, names, reset_backed_zram=reset_backed_zram)
    return PhonePreconditions(
        device,
        profile,
        names,
        reset_backed_zram=reset_backed_zram,
        say=say,
        sleep=sleep,
        patient=patient,
    )


class Preconditions:
    """Those of one block on any device: the profile's memory settings, with nothing to wait for.

    Call `establish` once, then `before` and `after` around each repetition. The preconditions
    ``names`` are suppressed: only recorded, neither set nor checked. ``reset_backed_zram`` as in
    `zram_pin`.
    """

    #: How often the swap in use is read at the start; on a device where nothing else runs, once.
    swap_readings = 1

    def __init__(
        self,
        device: Device,
        profile: Profile,
        names: Collection[str] = (),
        *,
        reset_backed_zram: bool = False,
    ) -> None:
        self._device = device
        self._profile = profile
        self._names = tuple(names)
        self._reset_backed_zram = reset_backed_zram
        self._refused: dict[str, SettingRefused] = {}

    def establish(self, state: PinnedState) -> None:
        """Set and check everything. StateError that names all that are not met, NotReady if they may pass.

        ``state`` holds what was set, even after an error.
        """
        failed, errors = self._set(state, self._memory())
        if len(errors) == 1:
            raise errors[0]
        self._raise(failed, passes=all(isinstance(error, NotReady) for error in errors))

    def empty_swap(self) -> None:
        """Empty the zram of the block once more. StateError, NotReady."""
        self._zram.write(self._device, self._zram.wanted)

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

    def limit_reasons(self, limits: Mapping[str, str], cooling: float | None) -> tuple[str, ...]:
        """Why changed limits of CPU frequencies make the repetition void that just ended.

        ``limits`` are in words by policy; ``cooling`` is the highest state that a CPU's cooling device had
        in it, None if that was not read. Call it after `after`.
        """
        return tuple(f"{policy} was {_BY[None]}: {words}" for policy, words in limits.items())

    @cached_property
    def _zram(self) -> ZramPin | KeptZramPin:
        wanted = self._profile.device
        return zram_pin(
            self._device, wanted.zram_mb, wanted.zram_algorithm, reset_backed=self._reset_backed_zram
        )

    def _memory(self) -> list[Precondition]:
        pins = pins_for(self._profile.device, self._zram, swap_readings=self.swap_readings)
        return suppressed(pins, self._names)

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

    def _raise(
        self, failed: Sequence[Unmet], next_step: str = "meet them", *, passes: bool = False
    ) -> None:
        if failed:
            kind = NotReady if passes else StateError
            several = f"{len(failed)} preconditions are" if len(failed) > 1 else "a precondition is"
            raise kind(
                f"{several} not met: {'; '.join(map(str, failed))}",
                device=self._device.serial,
                next_step=next_step,
            )


class PhonePreconditions(Preconditions):
    """Those of a phone: CPU frequencies, screen, radio and background work are pinned as well, and each
    repetition waits until the phone is cool and quiet. ``say`` takes each wait.

    ``patient``: in the middle of a campaign, where nobody may be near. A battery that ran low is waited
    for, and what is not met costs the block (NotReady), not the campaign.
    """

    swap_readings = 3

    def __init__(
        self,
        device: Device,
        profile: Profile,
        names: Collection[str] = (),
        *,
        reset_backed_zram: bool = False,
        say: Progress = silent,
        sleep: Callable[[float], None] = time.sleep,
        patient: bool = False,
    ) -> None:
        super().__init__(device, profile, names, reset_backed_zram=reset_backed_zram)
        self._say = say
        self._sleep = sleep
        self._patient = patient
        self._fixed: list[CpufreqPin] = []
        self._ticks: dict[str, Mapping[int, int]] = {}
        self._start: Condition | None = None
        self._end: Condition | None = None

    def establish(self, state: PinnedState) -> None:
        """As `Preconditions.establish`; `before` waits for what passes by itself."""
        if self._patient:
            self._charge()
        failed: list[Unmet] = []
        own: list[Precondition] = []
        try:
            own = phone_pins(self._device, self._profile.phone, self._names)
        except (StateError, CommandFailed) as error:
            failed.append(Unmet("cpufreq", error.what))
        self._fixed = [pin for pin in own if isinstance(pin, CpufreqPin)]
        for line in self._about_zram():
            self._say(line)
        unset, errors = self._set(state, [*own, *self._memory()])
        for refused in self._refused.values():
            self._say(f"NOT SET: {refused.what} -> {refused.next_step}")
        unmet = [unmet for unmet in self._unmet(read_condition(self._device)) if not unmet.passes]
        passes = not failed and not unmet and all(isinstance(error, NotReady) for error in errors)
        self._raise_unmet([*failed, *unset, *unmet], passes=passes)

    def before(self) -> None:
        """Wait until the phone is cool and quiet, and read its condition. StateError if it stays hot.

        Frequencies that another writer has changed are set again.
        """
        self._end = None
        left = math.ceil(self._profile.phone.cool_down_s / _POLL_S)
        self._start = read_condition(self._device)
        while failed := [*self._unmet(self._start), *self._set_again(self._say)]:
            if left == 0 or not all(unmet.passes for unmet in failed):
                self._raise_unmet(failed)
            left -= 1
            self._say(f"waiting: {'; '.join(unmet.what for unmet in failed)}")
            self._sleep(_POLL_S)
            self._start = read_condition(self._device)
        self._ticks = self._read_ticks()

    def after(self) -> tuple[str, ...]:
        """Why the repetition that just ended is void: the phone was throttled, or a frequency not held."""
        self._end = read_condition(self._device)
        ticks = self._read_ticks()
        who = _BY[self._by_heat(None)]
        lost = [f"{pin.policy} lost its frequency: {now} at the end, {who}" for pin, now in self._lost()]
        ran = [
            f"{pin.policy} was {who}: {words}"
            for pin in self._fixed
            if (words := other_frequencies(pin, self._ticks[pin.policy], ticks[pin.policy]))
        ]
        # So that a later repetition, and the end of the block, find what they expect.
        self._set_again(silent)
        return (*(self._hot(self._end) if self._watches_heat else ()), *lost, *ran)

    def limit_reasons(self, limits: Mapping[str, str], cooling: float | None) -> tuple[str, ...]:
        """As `Preconditions.limit_reasons`: a hint of the phone's power service is no throttling.

        Without a fixed frequency it costs nothing: it is part of what the phone does by itself.
        """
        if not self._watches_heat:
            return ()
        by_heat = self._by_heat(cooling)
        if by_heat is False and not self._fixed:
            return ()
        if cooling and not limits:
            return (f"the phone was {_BY[True]}: a cooling device of a CPU was at state {cooling:.0f}",)
        return tuple(f"{policy} was {_BY[by_heat]}: {words}" for policy, words in limits.items())

    @property
    def _watches_heat(self) -> bool:
        return "thermal" not in self._names

    def _by_heat(self, cooling: float | None) -> bool | None:
        """Whether a CPU was limited for heat in the last repetition; None if the phone does not say.

        The cooling devices say it, in the samples (``cooling``) and at the edges, not the thermal status.
        """
        edges = [edge for edge in (self._start, self._end) if edge is not None]
        if cooling or any(edge.cooled for edge in edges):
            return True
        told = cooling is not None or all(edge.cpu_cooling is not None for edge in edges)
        return False if told else None

    def _charge(self) -> None:
        """Wait for a battery that ran low, as long as it charges. NotReady if it does not get there."""
        wanted = self._profile.phone
        goal = min(wanted.battery_percent_min + _CHARGE_MARGIN, wanted.battery_percent_max)
        now = read_condition(self._device)
        if "battery" in self._names or (now.battery_percent or 0) >= wanted.battery_percent_min:
            return
        left = math.ceil(wanted.charge_s / _POLL_S)
        while now.charging and now.battery_percent is not None and now.battery_percent < goal:
            if left == 0:
                what = f"the battery is at {now.battery_percent} % after {wanted.charge_s} s of charging"
                self._raise_unmet([Unmet("battery", what)])
            self._say(f"waiting: the battery is at {now.battery_percent} %, and charges up to {goal} %")
            left -= 1
            self._sleep(_POLL_S)
            now = read_condition(self._device)

    def _lost(self) -> list[tuple[CpufreqPin, str]]:
        """The fixed frequencies that are set to something else, and how they read."""
        lost = []
        for pin in self._fixed:
            try:
                now = pin.read(self._device)
            except StateError as error:
                now = error.what
            else:
                if pin.verify(pin.wanted, now):
                    continue
            lost.append((pin, now))
        return lost

    def _set_again(self, say: Progress) -> list[Unmet]:
        """Set frequencies that another writer has changed; those that do not stay are not met."""
        unmet = []
        for pin, now in self._lost():
            what = f"{pin.name}: set to {now} by another writer"
            try:
                pin.write(self._device, pin.wanted)
                held = pin.verify(pin.wanted, pin.read(self._device))
            except StateError:
                held = False
            if held:
                say(what)
            else:
                unmet.append(Unmet("cpufreq", what, passes=True))
        return unmet

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
        what = list(end.cooled)
        if end.thermal_status is not None and end.thermal_status > limit:
            what.append(f"thermal status {end.thermal_status} (limit {limit})")
        return [f"the phone was throttled: {', '.join(what)} at the end"] if what else []

    def _raise_unmet(self, failed: Sequence[Unmet], *, passes: bool = False) -> None:
        names = ",".join(sorted({unmet.precondition for unmet in failed}))
        advice = f"meet them, or measure without (each result records that): --suppress {names}"
        self._raise(failed, advice, passes=passes or self._patient)

    def _about_zram(self) -> Iterator[str]:
        """What the user should know about the zram of this block: one line for each."""
        if "zram" in self._names:
            return
        pin, wanted = self._zram, self._profile.device
        if isinstance(pin, KeptZramPin):
            found = ZramState.parse(pin.found)
            yield (
                f"{pin.name} is only emptied, and kept as found ({found.words}; the profile asks for"
                f" {wanted.zram_mb} MiB, {wanted.zram_algorithm}): a reset would lose its backing device"
                f" {found.backing} until the phone restarts; --reset-backed-zram allows that"
            )
        elif manages_zram(self._device):
            yield (
                f"mmd manages this phone's zram; its writeback and recompression are made for what it"
                f" set up itself, not for {pin.name} as the profile wants it"
            )


def other_frequencies(pin: CpufreqPin, start: Mapping[int, int], end: Mapping[int, int]) -> str | None:
    """At what other frequencies than its pinned one a policy ran too long, in words; None if it did not.

    ``start`` and ``end`` are ticks by kHz; both are empty on a kernel that does not count them.
    """
    ran = {khz: ticks - start.get(khz, 0) for khz, ticks in end.items()}
    total = sum(ran.values())
    if total <= 0:
        return None
    share = 1 - ran.get(pin.khz, 0) / total
    if share <= OTHER_FREQUENCY_SHARE_MAX:
        return None
    most = max((khz for khz in ran if khz != pin.khz), key=lambda khz: ran[khz])
    return f"{share:.0%} of the time at other frequencies than {pin.khz} kHz, most at {most} kHz"
