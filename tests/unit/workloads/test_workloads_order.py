"""The text of an order in real shells: what a phone's mksh runs, and what comes back."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import pytest

from foundation.contract.device import CommandResult
from foundation.errors import CommandFailed, DeviceError
from workloads.app_actions import Action, act_text
from workloads.app_log import Tally
from workloads.app_switching import AppSwitching
from workloads.order import Order, pause, printed, run
from workloads.profile import App, Profile, load_profile
from workloads.protocol import run_cycle

SHELLS: Final = [["sh"], ["bash", "--posix"], ["mksh"]]
#: Android's commands: an app's process is its name's length, and is there after its first launch.
TOOLS: Final = {
    "am": 'p=${4%%/*}\ntouch "run-$p"\necho "Status: ok"\necho "LaunchState: $(cat state)"',
    "pidof": 'test -e "run-$1" && echo ${#1}',
    "input": 'echo "$@" >> inputs\ntest "$1" != "$(cat refused 2>/dev/null)"',
}


class Shell:
    """A device whose shell is one of this machine, with `TOOLS`; its files are in ``folder``."""

    serial = "shell"
    emulated = False
    is_root = False

    def __init__(self, argv: list[str], folder: Path) -> None:
        self.argv = argv
        self.folder = folder
        for name, text in TOOLS.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)
        (folder / "state").write_text("HOT")

    def script(self, text: str, *, deadline_s: float = 30.0, check: bool = True) -> CommandResult:
        done = subprocess.run(
            [*self.argv, "-c", text.replace("/data/local/tmp", str(self.folder))],
            cwd=self.folder,
            env={**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=deadline_s,
            check=check,
        )
        return CommandResult(done.returncode, done.stdout, done.stderr, 0.0)

    def shell(self, argv: list[str], **more: Any) -> CommandResult:
        return self.script(" ".join(argv))

    def read_text(self, remote: str, *, deadline_s: float = 10.0) -> str:
        return Path(remote.replace("/data/local/tmp", str(self.folder))).read_text()


class Apps:
    """Apps whose action is the profile's, and which are idle at once."""

    def activity(self, app: App) -> str:
        return ".Main"

    def process(self, app: App) -> str:
        return app.package

    def act(self, app: App) -> str:
        return act_text(app.action, app.package, (1000, 2000)) if app.action is not None else ""

    def settle(self) -> str:
        return "true"

    def read(self) -> Tally:
        return Tally()

    def versions(self) -> dict[str, str]:
        return {}


@pytest.fixture(params=SHELLS, ids=lambda argv: argv[0])
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    if shutil.which(request.param[0]) is None:
        pytest.skip(f"{request.param[0]} is not installed")
    return Shell(request.param, tmp_path)


def profile(*actions: Action | None) -> Profile:
    apps = tuple(App(f"com.app{'x' * n}", None, None, action) for n, action in enumerate(actions))
    return replace(load_profile("phone-apps"), apps=apps, rounds=2, dwell_s=0.3, gap_s=0.05)


def switching(device: Shell, wanted: Profile) -> AppSwitching:
    made = AppSwitching(cast(Any, device), wanted)
    made._apps = cast(Any, Apps())
    for app in wanted.apps:
        (device.folder / f"run-{app.package}").touch()
    return made


def test_a_cycle_is_one_text_in_every_shell(device: Shell) -> None:
    swipe = Action("swipe", 2, 0.05, (0.5, 0.75), (0.5, 0.25))
    made = switching(device, profile(swipe, None))
    begun_s = time.monotonic()
    run_cycle(cast(Any, device), made)
    took_s = time.monotonic() - begun_s
    cycle = made.result()
    assert [switch.launch_state for switch in cycle.switches] == ["HOT"] * 4
    assert [switch.round for switch in cycle.switches] == [0, 0, 1, 1]
    assert [switch.pid_after for switch in cycle.switches] == [7, 8, 7, 8]
    inputs = (device.folder / "inputs").read_text().splitlines()
    assert inputs == [*["swipe 500 1500 500 500 300"] * 2, *["keyevent HOME"] * 2] * 2 or (
        inputs.count("swipe 500 1500 500 500 300"),
        inputs.count("keyevent HOME"),
    ) == (4, 4)
    assert took_s >= 4 * 0.35, "the inputs run beside the dwell, and do not shorten it"


def test_what_the_phone_refuses_is_an_error_with_its_command(device: Shell) -> None:
    (device.folder / "refused").write_text("tap")
    made = switching(device, profile(Action("tap", 1, 0.01, (0.1, 0.9)), None))
    with pytest.raises(CommandFailed, match=r"'input tap 100 1800' ended with exit status 1"):
        run_cycle(cast(Any, device), made)


def test_an_order_that_ends_early_is_no_result(device: Shell) -> None:
    with pytest.raises(DeviceError, match="broke off, its last output is 'half"):
        run(cast(Any, device), Order("echo half; exit 0", 5.0))


def test_nothing_is_left_of_an_order(device: Shell) -> None:
    assert run(cast(Any, device), Order("echo one\necho two >&2", 5.0)) == "one\ntwo\n"
    with pytest.raises(FileNotFoundError):
        printed(cast(Any, device))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "sleep 0.5"), (1.0, "sleep 1"), (0.0, "sleep 0"), (1.0000004, "sleep 1")]
)
def test_a_pause_is_written_without_an_exponent(seconds: float, text: str) -> None:
    assert pause(seconds) == text
    assert pause(0.000012) == "sleep 0.000012"
