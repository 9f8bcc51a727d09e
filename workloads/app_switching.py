"""The app-switching workload: start apps in turn until memory is short, then keep switching."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from foundation.contract.device import Device
from foundation.errors import CommandFailed, DeviceError
from workloads.app_log import Tally
from workloads.launches import Launch, start, stop_argv
from workloads.phone_apps import PhoneApps
from workloads.profile import App, Profile
from workloads.swap_counter import pswpout
from workloads.switches import CycleResult, Switch
from workloads.synthetic_apps import SyntheticApps


class Apps(Protocol):
    """The apps of a profile on one device: the installed ones of a phone, or synthetic ones."""

    def install(self) -> None:
        """Make every app startable. UsageError naming all that are not."""

    def activity(self, app: App) -> str:
        """What `am start` is given."""

    def begin(self) -> None:
        """A cycle is about to start: from now on its kills count."""

    def act(self, app: App) -> None:
        """Do in the app, which is in front, what the profile says."""

    def settle(self) -> Tally:
        """Wait until no app works any more; what they touched since the last call."""

    def explain(self, cycle: CycleResult) -> CycleResult:
        """``cycle`` with the kills since `begin`, and why, where the device tells."""

    def remove(self) -> None:
        """Undo what `install` and `begin` did."""


@dataclass
class _State:
    pid: dict[str, int] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    index: int = 0


class AppSwitching:
    """Switches between the apps of a profile.

    On an emulated device the apps are synthetic, on a phone the packages must be installed already;
    `remove` stops them.
    """

    def __init__(
        self, device: Device, profile: Profile, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._device = device
        self._profile = profile
        self._sleep = sleep
        self._state = _State()
        self._draw = random.Random(profile.seed)
        self._apps: Apps = (SyntheticApps if device.emulated else PhoneApps)(device, profile, sleep)
        self._last: CycleResult | None = None

    def install(self) -> None:
        """Make every app of the profile startable. UsageError naming all that are missing."""
        self._apps.install()

    def prepare(self) -> CycleResult:
        """Cold-start every app in order; afterwards the device must have swapped.

        DeviceError if nothing was swapped out: then the working set fits into memory and
        there is no reclaim to measure. Not known, and no error, where the counter may not be read.
        """
        before = self._swapped()
        for app in self._profile.apps:
            self._device.shell(stop_argv(app.package))
        switches = [self._switch(app, 0) for app in self._profile.apps]
        result = self._finish(switches)
        if before is not None and self._swapped() == before:
            raise DeviceError(
                f"profile {self._profile.name} swapped nothing out: its apps fit into memory",
                device=self._device.serial,
                next_step="give the apps more memory (anon_mb), or the device less",
            )
        return result

    def _swapped(self) -> int | None:
        """`pswpout`, or None where a shell without root may not read it (Android 10: shell.te)."""
        try:
            return pswpout(self._device)
        except CommandFailed:
            if self._device.is_root:
                raise
            return None

    def cycle(self) -> CycleResult:
        """The measured part: all rounds, until the last app is at rest."""
        switches = []
        for number in range(self._profile.rounds):
            for app in self._order():
                switches.append(self._switch(app, number))
        self._last = self._finish(switches)
        return self._last

    def reset(self) -> None:
        """A cycle goes on from where the one before it ended; kills are counted from here."""
        self._apps.begin()

    def result(self) -> CycleResult:
        """What the last `cycle` returned, with the kills of a phone."""
        assert self._last is not None
        return self._apps.explain(self._last)

    def _order(self) -> list[App]:
        apps = list(self._profile.apps)
        if self._profile.order == "shuffled":
            self._draw.shuffle(apps)
        return apps

    def _switch(self, app: App, number: int) -> Switch:
        launch = start(self._device, app.package, self._apps.activity(app))
        switch = self._note(app.package, number, launch)
        begun_s = time.monotonic()
        self._apps.act(app)
        self._sleep(max(0.0, self._profile.dwell_s - (time.monotonic() - begun_s)))
        if self._profile.gap_s > 0:
            # Leaves the app in front.
            self._device.shell(["input", "keyevent", "HOME"])
            self._sleep(self._profile.gap_s)
        return switch

    def _note(self, package: str, number: int, launch: Launch) -> Switch:
        state = self._state
        known = state.pid.get(package)
        switch = Switch(
            index=state.index,
            round=number,
            package=package,
            launch_state=launch.launch_state,
            expected_state="HOT" if package in state.started else "COLD",
            doubt=launch.doubt,
            t_begin_boot_ns=launch.t_begin_boot_ns,
            t_end_boot_ns=launch.t_end_boot_ns,
            total_time_ms=launch.total_time_ms,
            wait_time_ms=launch.wait_time_ms,
            pid_before=launch.pid_before,
            pid_after=launch.pid_after,
            killed_since_last=known is not None and launch.pid_before != known,
            pid_lost=known if known is not None and launch.pid_before != known else None,
        )
        state.index += 1
        state.started.add(package)
        if launch.pid_after is not None:
            state.pid[package] = launch.pid_after
        return switch

    def _finish(self, switches: list[Switch]) -> CycleResult:
        tally = self._apps.settle()
        return CycleResult(
            switches=tuple(switches),
            kills=sum(switch.killed_since_last for switch in switches),
            relaunches=sum(
                switch.launch_state == "COLD" and switch.killed_since_last for switch in switches
            ),
            pages_verified=tally.touched,
            pages_rewritten=tally.rewritten,
        )

    def remove(self) -> None:
        """Stop the apps, and undo what `install` did."""
        try:
            for app in self._profile.apps:
                self._device.shell(stop_argv(app.package), check=False)
        finally:
            self._apps.remove()
