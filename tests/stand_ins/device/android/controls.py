"""What the suite sets on a phone by commands: screen, airplane mode, idle, background work, frequencies.

Shapes, all of frameworks/base unless named: ConnectivityService.java (shell command airplane-mode),
DeviceIdleController.java (enable, disable, enabled), JobSchedulerShellCommand.java (get-job-state),
art's ArtShellCommand.java (bg-dexopt-job), ContentService.java (Auto sync), InputShellCommand.java,
WindowManagerShellCommand.java, PowerManagerService.java (mWakefulness), DeviceConfigService.java
(get, put, delete, list). Files: Documentation/admin-guide/pm/cpufreq.rst,
Documentation/cpu-freq/cpufreq-stats.rst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from tests.stand_ins.device.android.framework import taken
from tests.stand_ins.device.tree import Attribute

if TYPE_CHECKING:
    from tests.stand_ins.device.android.phone import AndroidPhone
    from tests.stand_ins.device.tree_shell import Call

_DEXOPT_JOB = "27873780"
_CPUFREQ = "/sys/devices/system/cpu/cpufreq"
#: InputManagerService.java of Android 12 and newer.
_NO_INPUT = (
    "Injecting input events requires the caller (or the source of the instrumentation, if any) to have the"
    " INJECT_EVENTS permission."
)


@dataclass
class Controls:
    """Put on a phone with `install`; tests change its fields, and read what was set.

    ``ticks`` maps a policy to its ticks by kHz, as cpufreq's statistics count them.
    """

    phone: AndroidPhone
    idle_enabled: bool = True
    dexopt_scheduled: bool = True
    compilers: list[int] = field(default_factory=list)
    auto_sync: bool = True
    experiments: dict[str, str] = field(default_factory=dict)
    ticks: dict[str, dict[int, int]] = field(default_factory=dict)
    steps: int = 10

    def install(self) -> Controls:
        phone = self.phone
        phone.programs |= {
            "cmd": self._cmd,
            "device_config": self._device_config,
            "input": self._input,
            "pidof": self._pidof,
            "pm": self._pm,
            "sleep": lambda call: 0,
            "wm": lambda call: 0,
        }
        phone.services |= {
            "content": lambda phone, words: f"Auto sync: u0={_word(self.auto_sync)}\n",
            "deviceidle": self._deviceidle,
        }
        for cluster in phone.vendor.clusters:
            policy = f"policy{cluster.cpus[0]}"
            base = f"{_CPUFREQ}/{policy}"
            step = (cluster.max_khz - cluster.min_khz) // (self.steps - 1)
            steps = [cluster.min_khz + n * step for n in range(self.steps - 1)] + [cluster.max_khz]
            self.ticks[policy] = dict.fromkeys(steps, 1000)
            phone.files.put(f"{base}/scaling_available_frequencies", " ".join(map(str, steps)) + " \n")
            phone.files.put(f"{base}/stats/time_in_state", Attribute(partial(self._ticks, policy)))
        return self

    def run(self, seconds: float) -> None:
        """Let time pass: every policy runs at its highest allowed frequency."""
        for policy, ticks in self.ticks.items():
            khz = int(self.phone.files.read(f"{_CPUFREQ}/{policy}/scaling_max_freq"))
            ticks[khz] = ticks.get(khz, 0) + round(seconds * 100)

    def cap(self, policy: str, khz: int, *, state: int = 6) -> None:
        """The thermal HAL limits a policy, at thermal status 0 as well.

        Pixel 8 begins at 37 °C, where its status is still 0 (thermal_info_config_shiba.json of
        android_device_google_shusky). ``state`` 0 ends it.
        """
        self.phone.files.write(f"{_CPUFREQ}/{policy}/scaling_max_freq", str(khz).encode())
        index = sorted(self.ticks, key=lambda name: int(name[6:])).index(policy)
        name = f"thermal-cpufreq-{index}"
        if name in self.phone.state.cooling:
            self.phone.state.cooling[name] = state

    def power_hint(self, policy: str, min_khz: int, max_khz: int) -> None:
        """The power HAL sets both limits, whoever set them before.

        It writes its nodes when a hint begins or ends (CAMERA_LAUNCH, LOW_POWER ... of powerhint.json;
        hardware/google/pixel, power-libperfmgr FileNode.cc).
        """
        base = f"{_CPUFREQ}/{policy}"
        self.phone.files.write(f"{base}/scaling_max_freq", str(max_khz).encode())
        self.phone.files.write(f"{base}/scaling_min_freq", str(min_khz).encode())

    def _ticks(self, policy: str) -> str:
        return "\n".join(f"{khz} {ticks}" for khz, ticks in self.ticks[policy].items())

    def _cmd(self, call: Call) -> int:
        service, *words = call.argv[1:]
        if service == "connectivity" and words[:1] == ["airplane-mode"]:
            return self._airplane(call, words[1:])
        if service == "jobscheduler" and words == ["get-job-state", "android", _DEXOPT_JOB]:
            known = self.dexopt_scheduled and self.phone.android.api >= 34
            call.io.out(b"waiting\n" if known else f"unknown(1000/jid{_DEXOPT_JOB})\n".encode())
            return 0 if known else 254
        call.io.fail(f"cmd: Can't find service: {service}")
        return 20

    def _airplane(self, call: Call, words: Sequence[str]) -> int:
        settings = self.phone.state.settings["global"]
        if not words:
            state = "enabled" if settings["airplane_mode_on"] == "1" else "disabled"
            call.io.out(f"{state}\n".encode())
            return 0
        settings["airplane_mode_on"] = str(int(words[0] == "enable"))
        return 0

    def _deviceidle(self, phone: AndroidPhone, words: Sequence[str]) -> str:
        if words == ["enabled"]:
            return f"{int(self.idle_enabled)}\n"
        if words and words[0] in ("enable", "disable"):
            self.idle_enabled = words[0] == "enable"
            return f"Deep idle mode {words[0]}d\nLight idle mode {words[0]}d\n"
        return "Settings:\n"

    def _input(self, call: Call) -> int:
        if taken(self.phone, call, _NO_INPUT):
            return 255
        if call.argv[1:] == ["keyevent", "224"]:
            self.phone.state.awake = True
        elif call.argv[1:] == ["keyevent", "223"]:
            self.phone.state.awake = False
        return 0

    def _pm(self, call: Call) -> int:
        if call.argv[1:2] == ["bg-dexopt-job"]:
            self.dexopt_scheduled = call.argv[2] == "--enable"
            call.io.out(f"Background dexopt job {call.argv[2][2:]}d\n".encode())
            return 0
        if call.argv[1:] == ["list", "packages"]:
            call.io.out("".join(f"package:{name}\n" for name in self.phone.state.packages).encode())
            return 0
        call.io.fail(f"Unknown command: {call.argv[1]}")
        return 255

    def _pidof(self, call: Call) -> int:
        pids = [self.phone.state.running[n] for n in call.argv[1:] if n in self.phone.state.running]
        if any("dex2oat" in word for word in call.argv):
            pids += self.compilers
        if pids:
            call.io.out((" ".join(map(str, pids)) + "\n").encode())
        return int(not pids)

    def _device_config(self, call: Call) -> int:
        """get, put and delete as settings has them; list prints the experiments."""
        verb, namespace, *words = call.argv[1:]
        flags = self.phone.state.flags.setdefault(namespace, {})
        if verb == "get":
            call.io.out(f"{flags.get(words[0], 'null')}\n".encode())
            return 0
        if verb == "put":
            flags[words[0]] = words[1]
            return 0
        if verb == "delete":
            there = flags.pop(words[0], None) is not None
            outcome = "Successfully deleted" if there else "Failed to delete"
            call.io.out(f"{outcome} {words[0]} from {namespace}\n".encode())
            return 0
        call.io.out("".join(f"{key}={value}\n" for key, value in self.experiments.items()).encode())
        return 0


def _word(value: bool) -> str:
    return str(value).lower()
