"""What a campaign runs on a phone: the workload, the load beside it, the recorder; as shell text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from android_tests.campaign.plan import Plan
from android_tests.capture.perfetto_session import perfetto_argv, remote_trace
from android_tests.capture.remote import FOLDER
from android_tests.device.quoting import quote
from workloads import burner, memory_eater
from workloads.app_actions import argv_of
from workloads.app_switching import HOME
from workloads.kills import LOGCAT
from workloads.launches import start_text
from workloads.phone_apps import LIST_PACKAGES, resolve_text
from workloads.profile import App, Profile

_INDENT: Final = "    "
#: Points of a screen are shares of its sides: shown as on one of a thousand by a thousand.
_SCREEN: Final = (1000, 1000)


def driving_text(plan: Plan) -> list[str]:
    """Lines of a dry run, below those of what is set. What only the phone knows stands in capitals."""
    cycles = (
        f"a warm-up and {plan.reps} measured cycles a block"
        if plan.reps != 1
        else ("a warm-up and a measured cycle a block")
    )
    lines = [f"run on it by the workload ({cycles}):"]
    lines += _indented(_eater(plan.profile) if plan.profile.eater else _apps(plan.profile))
    for scenario in plan.scenarios:
        if scenario != "idle":
            lines.append(f"run beside it in {scenario}:")
            lines += _indented(_burner(scenario))
    lines.append("recorded with each measured cycle:")
    lines += _indented(_recorder())
    lines.append("asked besides, which changes nothing: cat, getprop, dumpsys, pidof and the like")
    return lines


def _indented(lines: Sequence[str]) -> list[str]:
    return [_INDENT + line for line in lines]


def _text(argv: Sequence[str]) -> str:
    return " ".join(quote(word) for word in argv)


def _apps(profile: Profile) -> list[str]:
    asked = sum(app.activity is None for app in profile.apps)
    lines = [_text(LIST_PACKAGES)]
    if asked:
        lines.append(f"{resolve_text('PACKAGE')}    # of the {asked} whose ACTIVITY no profile names")
    if any(app.action is not None for app in profile.apps):
        lines.append("wm size")
    lines.append(f"{_text(LOGCAT)}    # until the end of each cycle")
    lines.append("am force-stop PACKAGE    # each of them, before the first cycle and after the last")
    for app in profile.apps:
        lines += _app(app)
    if profile.gap_s > 0:
        lines.append(f"{_text(HOME)}    # after each")
    lines.append("dumpsys activity exit-info PACKAGE    # of those that lost their process")
    return lines


def _app(app: App) -> list[str]:
    lines = [start_text(app.package, app.activity or "ACTIVITY")]
    if app.action is not None:
        many = f"{app.action.times} times" if app.action.times > 1 else "once"
        sized = ", shares of the screen in thousandths" if app.action.kind in ("tap", "swipe") else ""
        lines.append(f"{_text(argv_of(app.action, app.package, _SCREEN))}    # {many}{sized}")
    return lines


def _eater(profile: Profile) -> list[str]:
    assert profile.eater is not None
    return [
        *_pushed("eater", memory_eater.REMOTE),
        "swapoff, reset, mkswap and swapon of zram as above, before each cycle",
        _text(memory_eater.eater_argv(profile.eater)),
        f"rm -f {memory_eater.REMOTE}",
    ]


def _burner(scenario: str) -> list[str]:
    realtime = burner.RealTime() if scenario == "rt-busy" else None
    return [
        *_pushed("burner", burner.REMOTE),
        _text(burner.burner_argv(realtime)),
        f"rm -f {burner.REMOTE}",
    ]


def _pushed(name: str, remote: str) -> list[str]:
    return [f"adb push {name} {remote}    # the suite's own, built for the phone's CPU; mode 755"]


def _recorder() -> list[str]:
    trace = remote_trace("XXXXXXXX")
    return [
        f"rm -rf {FOLDER}; mkdir -p {FOLDER}; chmod 777 {FOLDER}",
        *_pushed("poller, recorder", FOLDER),
        f"{FOLDER}/recorder facts",
        f"{FOLDER}/poller --period-ms MS --out {FOLDER}/samples.jsonl",
        f"{_text(perfetto_argv(trace, waits=True))}    # --background where Perfetto cannot be waited for;"
        " ftrace where there is none",
        f"kill -TERM PID; adb pull {trace}; rm -f {trace}; rm -rf {FOLDER}",
    ]
