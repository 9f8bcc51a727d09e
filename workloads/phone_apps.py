"""The installed apps of a phone: which there are, how each is started, and who killed them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import UsageError
from foundation.quoting import quote_argv
from workloads.app_actions import act, screen_size
from workloads.app_log import Tally
from workloads.kills import Kill, KillWatch, exit_reasons, unexplained
from workloads.profile import App, Profile
from workloads.switches import CycleResult

_LISTED: Final = re.compile(r"^package:(\S+?)(?: versionCode:(\d+))?\s*$", re.MULTILINE)
_COMPONENT: Final = re.compile(r"^(?P<package>[\w.]+)/(?P<activity>[\w.$]+)\s*$", re.MULTILINE)


def resolve_argv(package: str) -> list[str]:
    """Asks which activity a launcher starts. Source: PackageManagerShellCommand.java, resolve-activity."""
    intent = ["-a", "android.intent.action.MAIN", "-c", "android.intent.category.LAUNCHER"]
    return ["cmd", "package", "resolve-activity", "--brief", *intent, package]


class PhoneApps:
    """Apps of a profile on one phone; `workloads.app_switching.Apps`.

    Needs no root. Side effect: one logcat, from `begin` to `explain` or `remove`.
    """

    def __init__(self, device: Device, profile: Profile, sleep: Callable[[float], None]) -> None:
        self._device = device
        self._profile = profile
        self._apps = profile.apps
        self._sleep = sleep
        self._activities: dict[str, str] = {}
        self._versions: Mapping[str, str] = {}
        self._size_px = (0, 0)
        self._watch = KillWatch(device)

    def install(self) -> None:
        """Find every app. UsageError naming all that are missing, and all that nothing can start."""
        listed = self._device.shell(["pm", "list", "packages", "--show-versioncode"], deadline_s=60).stdout
        present = {package: version or "unknown" for package, version in _LISTED.findall(listed)}
        missing = [app.package for app in self._apps if app.package not in present]
        unstartable = self._resolve([app.package for app in self._apps if app.package in present])
        problems = []
        if missing:
            problems.append(f"{len(missing)} packages are not installed: {', '.join(missing)}")
        if unstartable:
            problems.append(
                f"{len(unstartable)} have nothing that a launcher could start: {', '.join(unstartable)}"
            )
        if problems:
            raise UsageError(
                f"profile {self._profile.name}: {'; '.join(problems)}",
                device=self._device.serial,
                next_step="install them and open each once by hand, or take them out of the profile",
            )
        self._versions = {app.package: present[app.package] for app in self._apps}
        if any(app.action is not None for app in self._apps):
            self._size_px = screen_size(self._device)

    def _resolve(self, packages: Sequence[str]) -> list[str]:
        """Ask for launcher activities; the packages that have none."""
        named = {app.package: app.activity for app in self._apps if app.activity is not None}
        self._activities = {package: named[package] for package in packages if package in named}
        asked = [package for package in packages if package not in named]
        questions = {package: quote_argv(resolve_argv(package)) for package in asked}
        answers = ask_all(self._device, questions, deadline_s=120.0)
        for package in asked:
            found = _COMPONENT.search(answers[package].text)
            if found is not None and found["package"] == package:
                self._activities[package] = found["activity"]
        return [package for package in asked if package not in self._activities]

    def activity(self, app: App) -> str:
        """What `am start` is given."""
        return self._activities[app.package]

    def begin(self) -> None:
        """Watch the phone's log for kills from now on."""
        self._watch.start()

    def act(self, app: App) -> None:
        """Do the action of the profile, if the app has one."""
        if app.action is not None:
            act(self._device, [app.action], app.package, self._size_px, self._sleep)

    def settle(self) -> Tally:
        """Nothing to wait for, and no pages whose content is known."""
        return Tally()

    def explain(self, cycle: CycleResult) -> CycleResult:
        """``cycle`` with all kills since `begin`, and the packages' version codes (API 26).

        For lost processes that the log does not name, Android is asked why they ended.
        """
        kills, trouble = self._watch.stop()
        lost = [(s.package, s.pid_lost) for s in cycle.switches if s.pid_lost is not None]
        for package, pid in unexplained(kills, lost):
            reason = exit_reasons(self._device, package).get(pid, "not told by anybody")
            kills.append(Kill(None, pid, package, None, reason, None))
        return replace(cycle, killed=tuple(kills), versions=self._versions, log_trouble=trouble)

    def remove(self) -> None:
        """End the logcat, if it still runs."""
        self._watch.cancel()
