"""Input to the app in front on a phone: swipe, tap, open an address, press a key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from foundation.contract.device import Device
from foundation.contract.refusals import advice_on
from foundation.errors import CommandFailed, DeviceError
from foundation.quoting import quote, quote_argv
from foundation.toml_table import Table
from workloads.order import pause

Kind = Literal["swipe", "tap", "url", "key"]
_KINDS: Final[dict[str, Kind]] = {"swipe": "swipe", "tap": "tap", "url": "url", "key": "key"}

Point = tuple[float, float]
_BELOW: Final[Point] = (0.5, 0.75)
_ABOVE: Final[Point] = (0.5, 0.25)
_MIDDLE: Final[Point] = (0.5, 0.5)
_SWIPE_MS: Final = 300
_REFUSED: Final = "=== refused"
_SIZE: Final = re.compile(r"^(Physical|Override) size: (\d+)x(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Action:
    """One kind of input, ``times`` times, with ``every_s`` seconds before each.

    Points are shares of the screen's width and height from the upper left corner; ``text`` is the
    address for ``url``, and Android's KEYCODE_* without the prefix for ``key``.
    """

    kind: Kind
    times: int
    every_s: float
    begin: Point = _MIDDLE
    end: Point = _MIDDLE
    text: str = ""

    @property
    def dur_s(self) -> float:
        """Seconds until the last input."""
        return self.times * self.every_s


def take_action(table: Table) -> Action | None:
    """The action in an app's table, or None. UsageError."""
    word = table.take_if("action", str, lambda v: v in _KINDS, "'swipe', 'tap', 'url' or 'key'")
    if word is None:
        return None
    kind = _KINDS[word]
    times = table.take_or("times", int, 1, lambda v: 1 <= v <= 1000, "1 to 1000")
    every_s = table.take_or("every_s", float, 1.0, lambda v: 0 < v <= 60, "above 0 to 60 seconds")
    if kind == "swipe":
        return Action(kind, times, every_s, _point(table, "from", _BELOW), _point(table, "to", _ABOVE))
    if kind == "tap":
        return Action(kind, times, every_s, _point(table, "at", _MIDDLE))
    if kind == "url":
        rule = "an address such as https://example.org"
        return Action(kind, times, every_s, text=table.take("url", str, lambda v: ":" in v, rule))
    rule = "a key such as MEDIA_PLAY_PAUSE"
    key = table.take("key", str, lambda v: re.fullmatch(r"[A-Z0-9_]+", v) is not None, rule)
    return Action(kind, times, every_s, text=key)


def _point(table: Table, key: str, default: Point) -> Point:
    def inside(value: list[Any]) -> bool:
        return len(value) == 2 and all(isinstance(part, int | float) and 0 <= part <= 1 for part in value)

    x, y = table.take_or(key, list, list(default), inside, "two shares of the screen, such as [0.5, 0.9]")
    return float(x), float(y)


def screen_size(device: Device) -> tuple[int, int]:
    """Width and height in pixels. DeviceError if the device does not report them.

    Source: WindowManagerShellCommand.java of frameworks/base.
    """
    sizes = {word: (int(x), int(y)) for word, x, y in _SIZE.findall(device.shell(["wm", "size"]).stdout)}
    if not sizes:
        raise DeviceError("'wm size' reports no size", device=device.serial)
    return sizes.get("Override", sizes.get("Physical", (0, 0)))


def argv_of(action: Action, package: str, size: tuple[int, int]) -> list[str]:
    """The command for one input; needs no root. ``size`` is that of the screen, in pixels."""

    def place(point: Point) -> list[str]:
        return [str(round(share * side)) for share, side in zip(point, size, strict=True)]

    if action.kind == "url":
        return ["am", "start", "-a", "android.intent.action.VIEW", "-d", action.text, "-p", package]
    if action.kind == "key":
        return ["input", "keyevent", f"KEYCODE_{action.text}"]
    if action.kind == "tap":
        return ["input", "tap", *place(action.begin)]
    return ["input", "swipe", *place(action.begin), *place(action.end), str(_SWIPE_MS)]


def act_text(action: Action, package: str, size: tuple[int, int]) -> str:
    """Shell text that performs ``action``; `refused` finds an input that the device refused."""
    argv = argv_of(action, package, size)
    return "; ".join([f"{pause(action.every_s)}; {checked(argv)}"] * action.times)


def checked(argv: Sequence[str]) -> str:
    """Shell text that runs a command, and says so in its output if it fails."""
    command = quote_argv(argv)
    return f"{command} 2>&1 || echo '{_REFUSED}' $? {quote(command)}"


def refused(output: str, *, device: str | None = None) -> None:
    """CommandFailed if a command of `checked` failed; ``output`` is what they printed."""
    said, mark, rest = output.partition(f"{_REFUSED} ")
    if not mark:
        return
    status, _, command = rest.partition("\n")[0].partition(" ")
    raise CommandFailed(
        f"'{command}' ended with exit status {status}: {said.strip()[-300:] or 'it printed nothing'}",
        exit_status=int(status),
        stdout=said,
        device=device,
        next_step=advice_on(said),
    )
