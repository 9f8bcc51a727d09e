"""The items of a survey that change the phone for a while; each puts back what it took.

A phone without swap loses its background apps. So the text that switches swap off also switches it on
again, without the host, and that is checked afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from foundation.errors import StateError, SuiteError
from foundation.quoting import quote, quote_argv
from harness.device.deadline import Deadline, wait_until
from harness.device.preconditions.pins import selected_choice
from harness.device.preconditions.zram_state import Swap, parse_swaps
from harness.survey.asking import BACK_WITHIN_S, Asker, Entry
from workloads.profile import load_profile

_PROBE_KEY: Final = "reclaim_suite_probe"
_SWAPOFF_S: Final = 900.0
#: For a text whose connection broke to switch the swap on.
_TEXT_ENDS_S: Final = 60.0
_APPS: Final = 5
_LAUNCHERS: Final = "-a android.intent.action.MAIN -c android.intent.category.LAUNCHER"
_STARTS: Final = 10
#: Longer than ActivityManager lets a start take before it gives up.
_START_S: Final = 150.0
_AFTER_START_S: Final = 2.0
_WATCH_SWAP_S: Final = 60
_BOOT_S: Final = 300.0
_AFTER_BOOT_S: Final = 120
_KILLS: Final = "logcat -d -b events -v epoch -t 100 am_kill:I killinfo:I '*:S'"
_POLICIES: Final = "/sys/devices/system/cpu/cpufreq/policy*"
#: One sample of what limits the CPUs.
LIMITS: Final = (
    f"cat {_POLICIES}/scaling_max_freq {_POLICIES}/scaling_cur_freq;"
    " dumpsys thermalservice | grep -E 'Thermal Status|mValue='"
)

_NO_SWAP: Final = Entry("swapoff", None, why="no zram is a swap")


def permissions(asker: Asker) -> list[Entry]:
    """Whether the shell may send input and change a setting.

    Side effect: a setting of its own, deleted again.
    """
    try:
        entries = [
            asker.ask("input keyevent 0"),
            asker.ask(f"settings put global {_PROBE_KEY} 1"),
            asker.ask(f"settings get global {_PROBE_KEY}"),
        ]
    finally:
        deleted = asker.ask(f"settings delete global {_PROBE_KEY}")
    return [*entries, deleted]


def apps(asker: Asker, say: Callable[[str], None]) -> list[Entry]:
    """Start a few installed apps of the profile ``phone-apps`` in turn, as a user switches between them.

    Before and after each round: all processes; after each start: what limits the CPUs. Side effects: apps
    are started, and the phone shows its home screen at the end.
    """
    listed = asker.ask("pm list packages", deadline_s=60.0)
    installed = set(re.findall(r"^package:(\S+)$", listed.stdout, re.MULTILINE))
    profile = load_profile("phone-apps")
    packages = [app.package for app in profile.apps if app.package in installed][:_APPS]
    entries = []
    components: dict[str, str] = {}
    for package in packages:
        words = f"{_LAUNCHERS} {quote(package)}"
        resolved = asker.ask(f"cmd package resolve-activity --brief {words}")
        listed = asker.ask(f"cmd package query-activities {words}")
        entries += [resolved, listed]
        component = _component(package, resolved.stdout, listed.stdout)
        if component is not None:
            components[package] = component
    if not components:
        return [
            *entries,
            Entry("am start", None, why="no app of the profile phone-apps is installed and can be started"),
        ]
    entries.append(asker.ask("ps -A"))
    try:
        for round_number in range(_STARTS):
            say(f"round {round_number + 1} of {_STARTS}")
            for package, component in components.items():
                entries.append(asker.ask(f"am start -W -n {quote(component)}", deadline_s=_START_S))
                entries.append(asker.ask(f"pidof {quote(package)}"))
                asker.device.sleep(_AFTER_START_S)
                entries.append(asker.ask(LIMITS))
        entries.append(asker.ask("ps -A"))
    finally:
        home = asker.ask("input keyevent 3")
    return [*entries, home, asker.ask(_KILLS)]


def _component(package: str, resolved: str, listed: str) -> str | None:
    """The launcher activity; where an app has several, ``resolved`` names a chooser of the system's."""
    own = re.findall(rf"^{re.escape(package)}/[\w.$]+$", resolved, re.MULTILINE)
    names = re.findall(rf"ActivityInfo:\s+name=(\S+)\s+packageName={re.escape(package)}\s", listed)
    return own[-1] if own else f"{package}/{names[0]}" if names else None


def swapoff(asker: Asker) -> list[Entry]:
    """Time ``swapoff`` of the used zram, put it back at once, and watch it fill again for a minute.

    Needs root. Side effects: all that is swapped out comes into memory, and apps may be killed for it.
    StateError if the swap is not on afterwards.
    """
    swap = zram_swap(asker)
    if swap is None:
        return [asker.ask("cat /proc/swaps"), _NO_SWAP]
    return _without_swap(asker, swap, [], lambda: None)


def backing_device(asker: Asker) -> list[Entry]:
    """What becomes of zram's backing device by a reset, and whether the old one can be given back.

    Needs root. Side effects: as `swapoff`; where the kernel refuses the old device, zram has none until a
    restart, and attributes of the vendor's have their defaults. StateError as there.
    """
    swap = zram_swap(asker)
    if swap is None:
        return [asker.ask("cat /proc/swaps"), _NO_SWAP]
    base = f"/sys/block/{_name(swap)}"
    before = {
        name: asker.ask(f"cat {base}/{name}") for name in ("backing_dev", "comp_algorithm", "disksize")
    }
    backing = before["backing_dev"].stdout.strip()
    entries = [*before.values(), asker.ask("losetup -a")]
    if not before["backing_dev"].ok or backing in ("", "none") or not before["disksize"].ok:
        return [*entries, Entry("echo 1 > reset", None, why="zram has no backing device")]
    algorithm = selected_choice(before["comp_algorithm"].stdout.strip())
    steps = [
        f"echo 1 > {base}/reset",
        "losetup -a",
        f"echo {quote(algorithm)} > {base}/comp_algorithm",
        f"echo {quote(backing)} > {base}/backing_dev",
        f"echo {quote(before['disksize'].stdout.strip())} > {base}/disksize",
        f"mkswap {_node(swap)}",
    ]

    def set_up_again() -> None:
        if asker.ask(f"cat {base}/disksize").stdout.strip() == "0":
            asker.ask("; ".join((steps[2], steps[4])))
        asker.ask(steps[5])

    return [
        *entries,
        *_without_swap(asker, swap, steps, set_up_again),
        asker.ask(f"cat {base}/backing_dev"),
    ]


def restart(asker: Asker, watched: Asker) -> list[Entry]:
    """Restart the phone; from its return on, each second: boot_completed, who adbd is, swap.

    ``watched`` is the same phone through a connection that never asks for root, so that what a restart
    leaves of it shows. Side effect: a restart. DeviceLost if the phone does not come back.
    """
    boot_id = asker.ask("cat /proc/sys/kernel/random/boot_id").stdout
    asker.device.reboot()
    deadline = Deadline(_BOOT_S)

    def is_back() -> bool:
        left_s = max(1.0, deadline.left_s)
        if not watched.device.reconnect(deadline_s=left_s):
            return False
        answer = watched.device.script("cat /proc/sys/kernel/random/boot_id", check=False)
        return answer.exit_status == 0 and answer.stdout != boot_id

    wait_until(lambda: _is_true(is_back), deadline, every_s=0.5)
    entries: list[Entry] = []
    completed = 0
    sample = (
        "getprop sys.boot_completed; getprop service.adb.root; id -u; getprop init.svc.mmd;"
        " cat /proc/meminfo; cat /proc/swaps; cat /sys/kernel/mm/lru_gen/enabled; true"
    )
    for _ in range(round(_BOOT_S)):
        entry = watched.ask(sample)
        entries.append(entry)
        completed += entry.stdout.startswith("1")
        if completed >= _AFTER_BOOT_S:
            break
        watched.device.sleep(1.0)
    # As root again, if the phone has a way back to it.
    asker.device.reconnect(deadline_s=BACK_WITHIN_S)
    return [*entries, asker.ask(sample)]


def zram_swap(asker: Asker) -> Swap | None:
    """The first zram that is a swap, None if there is none or /proc/swaps cannot be read."""
    swaps = parse_swaps(asker.ask("cat /proc/swaps").stdout)
    return next((swap for swap in swaps if _name(swap).startswith("zram")), None)


def _without_swap(
    asker: Asker, swap: Swap, steps: list[str], set_up_again: Callable[[], None]
) -> list[Entry]:
    """Run `without_swap_text`, watch the swap for a minute, and make sure that it is on."""
    text = without_swap_text(swap, steps)
    try:
        before = asker.ask("cat /proc/swaps; cat /proc/meminfo")
        timed = asker.ask(text, deadline_s=_SWAPOFF_S)
        if timed.exit_status is None:
            # After a lost cable the text still runs: to help now would be to race with it.
            wait_until(lambda: zram_swap(asker) is not None, Deadline(_TEXT_ENDS_S), every_s=1.0)
        entries = [before, timed]
        for _ in range(_WATCH_SWAP_S):
            entries.append(asker.ask("cat /proc/swaps; cat /proc/meminfo"))
            asker.device.sleep(1.0)
    finally:
        _swap_on(asker, swap, set_up_again)
    return [*entries, asker.ask(_KILLS)]


def without_swap_text(swap: Swap, steps: list[str]) -> str:
    """Shell text: switch the swap off, do ``steps``, switch it on; a lost cable does not end it.

    Each step prints the uptime before it, and ``status N STEP`` after it.
    """
    marked = [f"swapoff {_node(swap)}", *steps, _swapon(swap)]
    # SIGHUP is what adbd sends when its stream breaks; SIGPIPE is what a shell gets that prints after it.
    text = "; ".join(f"cat /proc/uptime; {step}; echo status $? {quote(step)}" for step in marked)
    return f"trap '' HUP PIPE TERM; {text}; cat /proc/uptime"


def _swap_on(asker: Asker, swap: Swap, set_up_again: Callable[[], None]) -> None:
    """Make sure that the swap is on. StateError if it cannot be."""
    if zram_swap(asker) is not None:
        return
    set_up_again()
    asker.ask(_swapon(swap))
    if zram_swap(asker) is None:
        raise StateError(
            f"{_name(swap)} is no longer a swap, and cannot be made one: apps have less memory",
            device=asker.device.serial,
            next_step="restart the phone, its init sets up its swap",
        )


def _swapon(swap: Swap) -> str:
    # A negative priority is the kernel's own choice and cannot be given.
    priority = [] if swap.priority < 0 else ["-p", str(swap.priority)]
    return quote_argv(["swapon", *priority, _node(swap)])


def _name(swap: Swap) -> str:
    return swap.path.rpartition("/")[2]


def _node(swap: Swap) -> str:
    # In a mount namespace of its own a kernel may list it without /dev.
    return quote(swap.path if swap.path.startswith("/dev/") else f"/dev/block/{_name(swap)}")


def _is_true(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except SuiteError:
        return False
