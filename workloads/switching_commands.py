"""What app switching sends to a phone, as shell text: told from the profile alone, for a dry run.

Words in capitals stand for what only the phone knows, and PACKAGE and ACTIVITY for those of each app.
"""

from __future__ import annotations

from typing import Final

from foundation.quoting import quote_argv
from workloads.app_actions import SIZE_ARGV, argv_of, shares
from workloads.app_switching import HOME_ARGV
from workloads.kills import LOG_ARGV, dump_argv, exit_info_argv
from workloads.launches import launch_script, stop_argv
from workloads.phone_apps import LIST_ARGV, resolve_argv
from workloads.profile import App, Profile

_PACKAGE: Final = "PACKAGE"
_ACTIVITY: Final = "ACTIVITY"


def switching_commands(profile: Profile) -> list[str]:
    """Lines: what each app gets, as a pattern, then one line an app with what is done in it."""
    stop = quote_argv(stop_argv(_PACKAGE))
    switches = profile.rounds * len(profile.apps)
    order = "in this order" if profile.order == "fixed" else "shuffled"
    lines = [
        quote_argv(LIST_ARGV),
        f"{quote_argv(resolve_argv(_PACKAGE))}    # {_ACTIVITY}, where the profile names none",
    ]
    if any(app.action is not None for app in profile.apps):
        lines.append(f"{quote_argv(SIZE_ARGV)}    # WIDTH and HEIGHT")
    lines += [
        f"{stop}    # of each app, before the warm-up starts it, and at the end",
        f"{quote_argv(LOG_ARGV)} &    # in each repetition, and after it:",
        f"{quote_argv(dump_argv('SECOND'))}    # of what they do not explain:",
        quote_argv(exit_info_argv(_PACKAGE)),
        f"{switches} switches a repetition, {profile.rounds} rounds of {len(profile.apps)} apps"
        f" {order}, in front for {profile.dwell_s:g} s:",
        f"    {launch_script(_PACKAGE, _ACTIVITY)}",
        "    the app's action",
    ]
    if profile.gap_s > 0:
        lines.append(f"    {quote_argv(HOME_ARGV)}    # {profile.gap_s:g} s before the next")
    return [*lines, f"{_PACKAGE} and its action:", *(f"    {_line(app)}" for app in profile.apps)]


def _line(app: App) -> str:
    name = app.package if app.activity is None else f"{app.package}/{app.activity}"
    if app.action is None:
        return name
    often = "once" if app.action.times == 1 else f"{app.action.times} times"
    return (
        f"{name}: {quote_argv(argv_of(app.action, app.package, shares))}"
        f"    # {often}, after {app.action.every_s:g} s{'' if app.action.times == 1 else ' each'}"
    )
