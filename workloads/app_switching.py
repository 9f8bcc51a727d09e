"""The app-switching workload: launch apps in turn until memory is short, then keep switching."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

from foundation.contract.device import Device
from foundation.errors import CommandFailed, DeviceError
from foundation.quoting import quote
from workloads.app_actions import checked, refused
from workloads.app_log import IDLE_DEADLINE_S, Tally
from workloads.launches import (
    LAUNCH_DEADLINE_S,
    NOT_STARTED,
    Launch,
    launch_script,
    parse_launch,
    split_launch,
    stop_argv,
)
from workloads.order import Order, pause, run
from workloads.phone_apps import PhoneApps
from workloads.profile import App, Profile
from workloads.swap_counter import pswpout
from workloads.switches import CycleResult, Switch
from workloads.synthetic_apps import SyntheticApps

#: An order that takes this many times as long as its profile says hangs.
DEADLINE_FACTOR: Final = 2.0
#: A launch's output begins with this line.
_MARK: Final = "=== switch"


class Apps(Protocol):
    """The apps of a profile on one device: installed ones on a phone, else synthetic ones."""

    def install(self) -> None:
        """Make every app startable. UsageError naming those that are not."""

    def activity(self, app: App) -> str:
        """The activity to pass to `am start`."""

    def process(self, app: App) -> str:
        """The name of the process that the activity runs in."""

    def act(self, app: App) -> str:
        """Shell text of the profile's action in the app, which is in front; empty for none."""

    def settle(self) -> str:
        """Shell text that returns when all apps are idle; empty if that is not known."""

    def read(self) -> Tally:
        """What the apps touched since the last call. DeviceError if one is not idle."""

    def versions(self) -> Mapping[str, str]:
        """The version codes of a phone's packages."""

    def remove(self) -> None:
        """Undo `install`."""


class AppSwitching:
    """Switches between the apps of a profile; `workloads.protocol.Workload`.

    An emulated device runs synthetic apps; on a phone the packages must be installed. `remove` stops
    all of them.
    """

    def __init__(self, device: Device, profile: Profile) -> None:
        self._device = device
        self._profile = profile
        #: Number of switches so far, and the last process of each app.
        self._switches = 0
        self._pids: dict[str, int | None] = {}
        self._draw = random.Random(profile.seed)
        self._apps: Apps = (SyntheticApps if device.emulated else PhoneApps)(device, profile)
        #: Round and app of each launch that was ordered.
        self._ordered: list[tuple[int, App]] = []
        self._last: CycleResult | None = None

    def install(self) -> None:
        """Make every app of the profile startable. UsageError naming those that are not."""
        self._apps.install()

    def prepare(self) -> CycleResult:
        """Cold-start every app in order.

        DeviceError if one cannot be started, or if the device swapped nothing out: the apps fit into
        memory, so there is no reclaim to measure. Not checked if the counter is not readable.
        """
        before = self._swapped()
        for app in self._profile.apps:
            self._device.shell(stop_argv(app.package))
        result = self._taken(run(self._device, self._order_of([(0, app) for app in self._profile.apps])))
        for switch in result.switches:
            if switch.doubt is not None and switch.doubt.startswith(NOT_STARTED):
                raise DeviceError(
                    f"{switch.package} {switch.doubt}",
                    device=self._device.serial,
                    next_step="check that it is installed and its activity may be started from a shell",
                )
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

    def reset(self) -> None:
        """Do nothing: a cycle continues where the previous one ended."""

    def order(self) -> Order:
        """All rounds, until the last app is idle."""
        rounds = range(self._profile.rounds)
        return self._order_of([(number, app) for number in rounds for app in self._in_turn()])

    def take(self, output: str) -> None:
        """Parse the launches. DeviceError if Android refused an action."""
        self._last = self._taken(output)

    def result(self) -> CycleResult:
        """The last cycle."""
        assert self._last is not None
        return self._last

    def _in_turn(self) -> list[App]:
        apps = list(self._profile.apps)
        if self._profile.order == "shuffled":
            self._draw.shuffle(apps)
        return apps

    def _order_of(self, launches: Sequence[tuple[int, App]]) -> Order:
        self._ordered = list(launches)
        lines = [line for _, app in launches for line in self._switch(app)]
        seconds = sum(self._profile.switch_s for _ in launches)
        # Each launch may be as late as am waits: it costs its switch.
        deadline_s = DEADLINE_FACTOR * seconds + LAUNCH_DEADLINE_S * len(launches) + IDLE_DEADLINE_S
        return Order("\n".join(filter(None, [*lines, self._apps.settle()])), deadline_s)

    def _switch(self, app: App) -> Iterator[str]:
        """The lines of one switch: launch, what is done in the app while it is in front, HOME."""
        yield f"echo {quote(f'{_MARK} {app.package}')}"
        yield launch_script(app.package, self._apps.activity(app), self._apps.process(app))
        action = self._apps.act(app)
        if action:
            # Beside the dwell: how long an input takes does not lengthen it.
            yield f"{{ {action}; }} & {pause(self._profile.dwell_s)}; wait $!"
        elif self._profile.dwell_s > 0:
            yield pause(self._profile.dwell_s)
        if self._profile.gap_s > 0:
            # HOME leaves the app in front.
            yield checked(["input", "keyevent", "HOME"])
            yield pause(self._profile.gap_s)

    def _taken(self, output: str) -> CycleResult:
        parts = re.split(rf"^{_MARK} \S+\n", output, flags=re.MULTILINE)[1:]
        if len(parts) != len(self._ordered):
            raise DeviceError(
                f"the order launched {len(parts)} of {len(self._ordered)} apps",
                device=self._device.serial,
                next_step="look for killed processes in the kernel log",
            )
        switches = []
        for (number, app), part in zip(self._ordered, parts, strict=True):
            launched, rest = split_launch(part)
            launch = parse_launch(launched, app.package, device=self._device.serial)
            refused(rest, device=self._device.serial)
            switches.append(self._note(app.package, number, launch))
        return self._summed(switches)

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

    def _summed(self, switches: list[Switch]) -> CycleResult:
        tally = self._apps.read()
        return CycleResult(
            switches=tuple(switches),
            kills=sum(switch.killed_since_last for switch in switches),
            relaunches=sum(
                switch.launch_state == "COLD" and switch.killed_since_last for switch in switches
            ),
            pages_verified=tally.touched,
            pages_rewritten=tally.rewritten,
            versions=self._apps.versions(),
        )

    def remove(self) -> None:
        """Stop the apps and undo `install`."""
        try:
            for app in self._profile.apps:
                self._device.shell(stop_argv(app.package), check=False)
        finally:
            self._apps.remove()
