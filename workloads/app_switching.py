"""The app-switching workload: launch apps in turn until memory is short, then keep switching."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
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
    """The apps of a profile on one device: installed ones on a phone, else synthetic ones."""

    def install(self) -> None:
        """Make every app startable. UsageError naming those that are not."""

    def activity(self, app: App) -> str:
        """The activity to pass to `am start`."""

    def begin(self) -> None:
        """Count kills from now on, as a cycle is about to start."""

    def act(self, app: App) -> None:
        """Perform the profile's action in the app, which is in front."""

    def settle(self) -> Tally:
        """Wait until all apps are idle; return what they touched since the last call."""

    def explain(self, cycle: CycleResult) -> CycleResult:
        """``cycle`` with the kills since `begin`, and their reasons as far as the device reports them."""

    def remove(self) -> None:
        """Undo `install` and `begin`."""


class AppSwitching:
    """Switches between the apps of a profile; `workloads.protocol.Workload`.

    An emulated device runs synthetic apps; on a phone the packages must be installed. `remove` stops
    all of them.
    """

    def __init__(
        self, device: Device, profile: Profile, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._device = device
        self._profile = profile
        self._sleep = sleep
        #: Number of switches so far, and the last process of each app.
        self._switches = 0
        self._pids: dict[str, int | None] = {}
        self._draw = random.Random(profile.seed)
        self._apps: Apps = (SyntheticApps if device.emulated else PhoneApps)(device, profile, sleep)
        self._last: CycleResult | None = None

    def install(self) -> None:
        """Make every app of the profile startable. UsageError naming those that are not."""
        self._apps.install()

    def prepare(self) -> CycleResult:
        """Cold-start every app in order.

        DeviceError if the device swapped nothing out: the apps fit into memory, so there is no reclaim
        to measure. Not checked if the counter is not readable.
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
        """`pswpout`, or None if a shell without root may not read it (Android 10: shell.te)."""
        try:
            return pswpout(self._device)
        except CommandFailed:
            if self._device.is_root:
                raise
            return None

    def cycle(self) -> CycleResult:
        """Run all rounds, until the last app is idle: the measured part."""
        rounds = range(self._profile.rounds)
        self._last = self._finish([self._switch(app, number) for number in rounds for app in self._order()])
        return self._last

    def reset(self) -> None:
        """Count kills from here; otherwise a cycle continues where the previous one ended."""
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
            # HOME leaves the app in front.
            self._device.shell(["input", "keyevent", "HOME"])
            self._sleep(self._profile.gap_s)
        return switch

    def _note(self, package: str, number: int, launch: Launch) -> Switch:
        last_pid = self._pids.get(package)
        lost = last_pid is not None and launch.pid_before != last_pid
        switch = Switch(
            index=self._switches,
            round=number,
            package=package,
            expected_state="HOT" if package in self._pids else "COLD",
            killed_since_last=lost,
            pid_lost=last_pid if lost else None,
            **vars(launch),
        )
        self._switches += 1
        self._pids[package] = last_pid if launch.pid_after is None else launch.pid_after
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
        """Stop the apps and undo `install`."""
        try:
            for app in self._profile.apps:
                self._device.shell(stop_argv(app.package), check=False)
        finally:
            self._apps.remove()
