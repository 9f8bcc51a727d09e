"""Apps for a device without Android: programs of the suite with memory of known compressibility."""

from __future__ import annotations

from collections.abc import Mapping

from foundation.contract.device import Device
from foundation.errors import UsageError
from foundation.quoting import quote
from workloads.app_log import APP_DIR, AppLogs, Tally
from workloads.profile import App, Profile


class SyntheticApps:
    """Apps of a profile on an emulated device; `workloads.app_switching.Apps`. Needs root.

    Side effect: a descriptor of each app in /data/app, until `remove`.
    """

    def __init__(self, device: Device, profile: Profile) -> None:
        self._device = device
        self._profile = profile
        self._logs = AppLogs(device, [app.package for app in profile.apps])

    def install(self) -> None:
        """Write the descriptors. UsageError for an app without memory, or that the device does not list."""
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
        answer = self._device.shell(["pm", "list", "packages"], deadline_s=60).stdout
        present = {line.removeprefix("package:").strip() for line in answer.splitlines()}
        missing = [app.package for app in self._profile.apps if app.package not in present]
        if missing:
            raise UsageError(
                f"{len(missing)} packages of profile {self._profile.name} are not installed: "
                + ", ".join(missing),
                device=self._device.serial,
                next_step="install them, or remove them from the profile",
            )

    def activity(self, app: App) -> str:
        """The profile's activity, or the only one of a synthetic app."""
        return app.activity or ".Main"

    def process(self, app: App) -> str:
        """The name of its process, the package."""
        return app.package

    def act(self, app: App) -> str:
        """Nothing: a synthetic app acts by itself when it comes to the front."""
        return ""

    def settle(self) -> str:
        """Shell text that returns when all apps are idle; `read` finds those that are not."""
        return "am wait-idle"

    def read(self) -> Tally:
        """What the apps touched. DeviceError if one is still busy, DataCorruption if a page was wrong."""
        self._logs.check_idle()
        return self._logs.take()

    def versions(self) -> Mapping[str, str]:
        """None: they are the suite's."""
        return {}

    def remove(self) -> None:
        """Delete the descriptors."""
        folders = " ".join(quote(f"{APP_DIR}/{app.package}") for app in self._profile.apps)
        self._device.script(f"rm -rf {folders}")
