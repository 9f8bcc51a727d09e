"""The app-switching workload: start apps in turn until memory is short, then keep switching."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from foundation.contract.device import Device
from foundation.errors import CommandFailed, DeviceError, UsageError
from foundation.quoting import quote
from workloads.app_actions import act
from workloads.app_log import APP_DIR, AppLogs
from workloads.kills import Kill, KillMark, by_reason, with_marks
from workloads.launches import Launch, LaunchState, start, stop_argv
from workloads.phone_apps import PhoneApps
from workloads.profile import App, Profile
from workloads.swap_counter import pswpout


@dataclass(frozen=True)
class Switch:
    """One switch to an app: who, when (CLOCK_BOOTTIME ns), how it was launched.

    ``killed_since_last``: the app had a process when it was left, and lost it since.
    ``pid_lost`` is that process. ``expected_state`` is what a device that kills nothing would show.
    """

    index: int
    round: int
    package: str
    launch_state: LaunchState
    expected_state: LaunchState
    doubt: str | None
    t_begin_boot_ns: int
    t_end_boot_ns: int
    total_time_ms: float | None
    wait_time_ms: float | None
    pid_before: int | None
    pid_after: int | None
    killed_since_last: bool
    pid_lost: int | None = None


@dataclass(frozen=True)
class CycleResult:
    """One cycle: its switches, and what the apps saw.

    ``kills`` counts apps found without the process they had; ``relaunches`` the cold
    starts that followed. Pages are of 4 KiB; ``mismatches`` is 0 for every result that
    exists, since a wrong page is raised as DataCorruption. ``killed`` are all processes that the
    phone killed meanwhile, with reasons; ``versions`` the version codes of the phone's packages.
    ``kills_marked`` is how many of them lmkd marked in the trace, None without one.
    """

    switches: tuple[Switch, ...]
    kills: int
    relaunches: int
    pages_verified: int
    pages_rewritten: int
    mismatches: int = 0
    killed: tuple[Kill, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    log_trouble: str | None = None
    kills_marked: int | None = None

    def with_marks(self, marks: Sequence[KillMark]) -> CycleResult:
        """Joined with the kills that a trace tells."""
        return replace(
            self, killed=tuple(with_marks(self.killed, marks)), kills_marked=len({m.pid for m in marks})
        )

    def to_json_lines(self) -> str:
        """``workload.jsonl``: one line a switch, then one with the sums."""
        sums = {key: value for key, value in asdict(self).items() if key != "switches"}
        lines = [*(asdict(switch) for switch in self.switches), sums]
        return "".join(json.dumps(line) + "\n" for line in lines)

    def facts(self) -> dict[str, Any]:
        """``relaunches``: cold starts of apps that had been killed; of a phone also the kills by reason,
        the share of switches that found their app alive, and the packages' versions."""
        facts: dict[str, Any] = {"relaunches": self.relaunches}
        if self.versions:
            swap = [kill.swap_free_kb for kill in self.killed if kill.swap_free_kb is not None]
            facts |= {
                "kills_by_reason": by_reason(self.killed),
                "swap_free_kb_at_kills": swap,
                "kept_alive_share": 1 - self.kills / len(self.switches) if self.switches else None,
                "package_versions": dict(self.versions),
                "log_trouble": self.log_trouble,
                "kills_marked": self.kills_marked,
            }
        return facts

    def void_reasons(self) -> list[str]:
        """Why these switches make a repetition void."""
        unknown = [switch.package for switch in self.switches if switch.launch_state == "UNKNOWN"]
        if unknown:
            return [f"{len(unknown)} switches could not be classified, first: {unknown[0]}"]
        if not self.switches:
            return ["the workload made no switch"]
        if self.kills == len(self.switches):
            return [
                f"all {self.kills} switches found their app killed: this measured app starts "
                "(give the apps less memory, or the device more)"
            ]
        return []


@dataclass
class _State:
    pid: dict[str, int] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    index: int = 0


class AppSwitching:
    """Switches between the apps of a profile.

    On an emulated device the apps are synthetic: `install` writes their descriptors below
    /data/app (root), `remove` stops them and deletes the descriptors. On a phone the
    packages must be installed already.
    """

    def __init__(
        self, device: Device, profile: Profile, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._device = device
        self._profile = profile
        self._sleep = sleep
        self._state = _State()
        self._draw = random.Random(profile.seed)
        self._phone = None if device.emulated else PhoneApps(device, profile.apps)
        synthetic = [app.package for app in profile.apps if app.synthetic] if device.emulated else []
        self._logs = AppLogs(device, synthetic, sleep)
        self._has_logs = bool(synthetic)
        self._last: CycleResult | None = None

    def install(self) -> None:
        """Make every app of the profile startable. UsageError naming all that are missing."""
        if self._phone is not None:
            self._phone.prepare(self._profile.name)
            return
        self._install_synthetic()
        answer = self._device.shell(["pm", "list", "packages"], deadline_s=60).stdout
        present = {line.removeprefix("package:").strip() for line in answer.splitlines()}
        missing = [app.package for app in self._profile.apps if app.package not in present]
        if missing:
            raise UsageError(
                f"{len(missing)} packages of profile {self._profile.name} are not installed: "
                + ", ".join(missing),
                device=self._device.serial,
                next_step="install them, or take them out of the profile",
            )

    def _install_synthetic(self) -> None:
        without = [app.package for app in self._profile.apps if app.synthetic is None]
        if without:
            raise UsageError(
                f"profile {self._profile.name} gives no memory for {', '.join(without)}",
                device=self._device.serial,
                next_step="add anon_mb and the other keys of a synthetic app, or measure on a phone",
            )
        for app in self._profile.apps:
            assert app.synthetic is not None
            folder = f"{APP_DIR}/{app.package}"
            self._device.shell(["mkdir", "-p", folder])
            self._device.push_bytes(app.synthetic.to_ini().encode(), f"{folder}/app.ini")

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
        """A cycle goes on from where the one before it ended; on a phone its kills are counted anew."""
        if self._phone is not None:
            self._phone.watch.start()

    def result(self) -> CycleResult:
        """What the last `cycle` returned, with the kills of a phone."""
        assert self._last is not None
        if self._phone is None:
            return self._last
        lost = [(s.package, s.pid_lost) for s in self._last.switches if s.pid_lost is not None]
        killed, trouble = self._phone.killed(lost)
        return replace(self._last, killed=tuple(killed), versions=self._phone.versions, log_trouble=trouble)

    def _order(self) -> list[App]:
        apps = list(self._profile.apps)
        if self._profile.order == "shuffled":
            self._draw.shuffle(apps)
        return apps

    def _switch(self, app: App, number: int) -> Switch:
        activity = app.activity or ".Main"
        if self._phone is not None:
            activity = self._phone.activity(app)
        launch = start(self._device, app.package, activity)
        switch = self._note(app.package, number, launch)
        begun_s = time.monotonic()
        if self._phone is not None and app.action is not None:
            act(self._device, [app.action], app.package, self._phone.size, self._sleep)
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
        tally = None
        if self._has_logs:
            self._logs.wait_idle()
            tally = self._logs.take()
        return CycleResult(
            switches=tuple(switches),
            kills=sum(switch.killed_since_last for switch in switches),
            relaunches=sum(
                switch.launch_state == "COLD" and switch.killed_since_last for switch in switches
            ),
            pages_verified=tally.touched if tally else 0,
            pages_rewritten=tally.rewritten if tally else 0,
        )

    def remove(self) -> None:
        """Stop the apps; on an emulated device delete their descriptors too."""
        if self._phone is not None:
            self._phone.watch.cancel()
        for app in self._profile.apps:
            self._device.shell(stop_argv(app.package), check=False)
        if self._device.emulated:
            folders = " ".join(quote(f"{APP_DIR}/{app.package}") for app in self._profile.apps)
            self._device.script(f"rm -rf {folders}")
