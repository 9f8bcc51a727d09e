"""The installed apps of a phone: how each is launched, and in which process it runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import UsageError
from foundation.quoting import quote_argv
from workloads.app_actions import act_text, screen_size
from workloads.app_log import Tally
from workloads.profile import App, Profile

_LISTED: Final = re.compile(r"^package:(\S+?)(?: versionCode:(\d+))?\s*$", re.MULTILINE)
_KEY: Final = re.compile(r"^\s*(name|packageName|processName)=(\S+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Launcher:
    """A launcher activity, short (``.Main``) where its package begins its name, and its process."""

    activity: str
    process: str


def query_argv(package: str) -> list[str]:
    """The command that prints the launcher activities, best first.

    Not resolve-activity, which names a chooser where there are several. Source:
    PackageManagerShellCommand.java.
    """
    intent = ["-a", "android.intent.action.MAIN", "-c", "android.intent.category.LAUNCHER"]
    return ["cmd", "package", "query-activities", *intent, package]


def parse_launchers(text: str, package: str) -> list[Launcher]:
    """The launcher activities of ``package`` in what `query_argv` printed.

    Source: ResolveInfo.java, ActivityInfo.java, ComponentInfo.java (dump): an activity's process stands
    there if it is not named like the package; what describes its application follows it.
    """
    found = []
    for part in text.split("ActivityInfo:")[1:]:
        keys = dict(_KEY.findall(part.partition("ApplicationInfo:")[0]))
        if keys.get("packageName") == package and "name" in keys:
            found.append(Launcher(_short(keys["name"], package), keys.get("processName", package)))
    return found


def _short(activity: str, package: str) -> str:
    return activity.removeprefix(package) if activity.startswith(f"{package}.") else activity


class PhoneApps:
    """Apps of a profile on one phone; `workloads.app_switching.Apps`.

    Needs no root.
    """

    def __init__(self, device: Device, profile: Profile) -> None:
        self._device = device
        self._profile = profile
        self._apps = profile.apps
        self._launchers: dict[str, Launcher] = {}
        self._versions: Mapping[str, str] = {}
        self._size_px = (0, 0)

    def install(self) -> None:
        """Find every app. UsageError naming those that are missing or have no launcher activity."""
        listed = self._device.shell(["pm", "list", "packages", "--show-versioncode"], deadline_s=60).stdout
        present = {package: version or "unknown" for package, version in _LISTED.findall(listed)}
        missing = [app.package for app in self._apps if app.package not in present]
        unstartable = self._resolve([app.package for app in self._apps if app.package in present])
        problems = []
        if missing:
            problems.append(f"{len(missing)} packages are not installed: {', '.join(missing)}")
        if unstartable:
            problems.append(f"{len(unstartable)} have no launcher activity: {', '.join(unstartable)}")
        if problems:
            raise UsageError(
                f"profile {self._profile.name}: {'; '.join(problems)}",
                device=self._device.serial,
                next_step="install them and open each once by hand, or remove them from the profile",
            )
        self._versions = {app.package: present[app.package] for app in self._apps}
        if any(app.action is not None for app in self._apps):
            self._size_px = screen_size(self._device)

    def _resolve(self, packages: Sequence[str]) -> list[str]:
        """Look up what to start; return the packages that have nothing a launcher could start."""
        named = {app.package: app.activity for app in self._apps if app.activity is not None}
        questions = {package: quote_argv(query_argv(package)) for package in packages}
        for package, answer in ask_all(self._device, questions, deadline_s=120.0).items():
            found = parse_launchers(answer.text, package)
            wanted = named.get(package)
            if wanted is not None:
                same = [one for one in found if one.activity == _short(wanted, package)]
                found = same or [Launcher(wanted, package)]
            if found:
                self._launchers[package] = found[0]
        return [package for package in packages if package not in self._launchers]

    def activity(self, app: App) -> str:
        """The activity to pass to `am start`."""
        return self._launchers[app.package].activity

    def process(self, app: App) -> str:
        """The name of the process that the activity runs in."""
        return self._launchers[app.package].process

    def act(self, app: App) -> str:
        """Shell text of the profile's action, empty if the app has none."""
        return act_text(app.action, app.package, self._size_px) if app.action is not None else ""

    def settle(self) -> str:
        """Nothing: when a phone's apps are idle is not known."""
        return ""

    def read(self) -> Tally:
        """Return an empty tally: the content of a phone's apps is not known."""
        return Tally()

    def versions(self) -> Mapping[str, str]:
        """The packages' version codes (API 26)."""
        return self._versions

    def remove(self) -> None:
        """Do nothing: nothing was installed."""
