"""The installed apps of a phone: which there are, how each is started, and who killed them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import UsageError
from foundation.quoting import quote_argv
from workloads.app_actions import screen_size
from workloads.kills import Kill, KillWatch, exit_reasons, unexplained
from workloads.profile import App

_LISTED: Final = re.compile(r"^package:(\S+?)(?: versionCode:(\d+))?\s*$", re.MULTILINE)
_COMPONENT: Final = re.compile(r"^(?P<package>[\w.]+)/(?P<activity>[\w.$]+)\s*$", re.MULTILINE)


def resolve_argv(package: str) -> list[str]:
    """Asks which activity a launcher starts. Source: PackageManagerShellCommand.java, resolve-activity."""
    intent = ["-a", "android.intent.action.MAIN", "-c", "android.intent.category.LAUNCHER"]
    return ["cmd", "package", "resolve-activity", "--brief", *intent, package]


class PhoneApps:
    """Apps of a profile on one phone; needs no root and changes nothing but a logcat.

    After `prepare`: ``versions`` are version codes by package (API 26), ``size`` the screen's pixels.
    """

    def __init__(self, device: Device, apps: Sequence[App]) -> None:
        self._device = device
        self._apps = tuple(apps)
        self._activities: dict[str, str] = {}
        self.versions: Mapping[str, str] = {}
        self.size = (0, 0)
        self.watch = KillWatch(device)

    def prepare(self, profile: str) -> None:
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
                f"profile {profile}: {'; '.join(problems)}",
                device=self._device.serial,
                next_step="install them and open each once by hand, or take them out of the profile",
            )
        self.versions = {app.package: present[app.package] for app in self._apps}
        if any(app.action is not None for app in self._apps):
            self.size = screen_size(self._device)

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

    def killed(self, lost: Sequence[tuple[str, int]]) -> tuple[list[Kill], str | None]:
        """Kills since the watch began; for processes of ``lost`` that the log does not name, Android
        is asked why they ended. And why some may be missing, or None."""
        kills, trouble = self.watch.stop()
        for package, pid in unexplained(kills, lost):
            reason = exit_reasons(self._device, package).get(pid, "not told by anybody")
            kills.append(Kill(None, pid, package, None, reason, None))
        return kills, trouble
