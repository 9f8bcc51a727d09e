"""The page around the UI: the traces it shows, and the moments it can go to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from analysis.perfetto_ui.derived import DIRECT, PHASES, SWITCHES, WAITING, Derived, Kind, Moment
from analysis.perfetto_ui.server import TRACE_PREFIX, UI_PREFIX, Page

_HERE: Final = Path(__file__).parent
_LABELS: Final[dict[Kind, str]] = {
    "repetition": "whole repetition",
    "switch": "slowest switch",
    "stall": "longest direct reclaim",
}
#: The derived tracks that are pinned; each takes height from the rest.
_PINNED: Final = (SWITCHES, PHASES, DIRECT, WAITING)
#: Margin on either side of a moment: a share of its length, and at least so many ns.
_AROUND: Final = 0.3
_AROUND_NS: Final = 20_000_000


@dataclass(frozen=True)
class Shown:
    """One trace on the page. ``label`` is the variant, ``name`` the repetition."""

    label: str
    name: str
    file_name: str
    derived: Derived


def pages(title: str, shown: Sequence[Shown], moment: Kind, origin: str) -> dict[str, Page]:
    """The page and its files, by path.

    ``moment`` is where it opens (the whole repetition if there is no such moment); ``origin`` is the
    server's scheme, host and port.
    """
    moments = moments_of([one.derived for one in shown])
    if not any(moment in own for own in moments):
        moment = "repetition"
    view = {
        "title": title,
        "moment": moment,
        "moments": {kind: label for kind, label in _LABELS.items() if any(kind in own for own in moments)},
        "sides": [
            {
                "label": one.label,
                "name": one.name,
                "url": deep_link(one, own.get(moment, own["repetition"]), origin),
                "moments": {kind: _span(place) for kind, place in own.items()},
            }
            for one, own in zip(shown, moments, strict=True)
        ],
    }
    return {
        "/": Page((_HERE / "page.html").read_bytes(), "text/html; charset=utf-8"),
        "/page.js": Page((_HERE / "page.js").read_bytes(), "text/javascript; charset=utf-8"),
        "/view.json": Page(json.dumps(view).encode(), "application/json"),
    }


def moments_of(sides: Sequence[Derived]) -> list[dict[Kind, Moment]]:
    """The moments of each side. The switch is the same one on all sides: the slowest of any.

    Spans of one kind have the same length on all sides, so that all show the same scale.
    """
    every: list[dict[Kind, Moment]] = [{"repetition": side.window} for side in sides]
    slowest = max(
        (switch for side in sides if (switch := side.slowest_switch) is not None),
        key=lambda switch: switch.ms or 0.0,
        default=None,
    )
    for side, moments in zip(sides, every, strict=True):
        switch = side.switch(slowest.index) if slowest is not None else None
        if switch is not None:
            moments["switch"] = Moment("switch", switch.ts, switch.dur, switch.label)
        if side.stall is not None:
            moments["stall"] = side.stall
    return [_widened(moments, every) for moments in every]


def _widened(moments: Mapping[Kind, Moment], every: Sequence[Mapping[Kind, Moment]]) -> dict[Kind, Moment]:
    wide: dict[Kind, Moment] = {}
    for kind, moment in moments.items():
        longest = max(one[kind].dur for one in every if kind in one)
        around = max(int(longest * _AROUND), _AROUND_NS) if kind != "repetition" else 0
        wide[kind] = Moment(kind, moment.ts - around, longest + 2 * around, moment.label)
    return wide


def _span(moment: Moment) -> dict[str, Any]:
    return {"start_s": moment.ts / 1e9, "end_s": (moment.ts + moment.dur) / 1e9, "label": moment.label}


def deep_link(shown: Shown, moment: Moment, origin: str) -> str:
    """The UI's address that loads the trace, pins the tracks of reclaim, and shows the moment.

    The UI ignores a span that exceeds the trace, so it is cut at the edges of the repetition.
    """
    window = shown.derived.window
    start = max(moment.ts, window.ts)
    end = min(moment.ts + moment.dur, window.ts + window.dur)
    threads = "|".join(re.escape(name) for name in shown.derived.threads)
    own = "|".join(re.escape(name) for name in _PINNED)
    patterns = [f"^({pattern})$" for pattern in (threads, own) if pattern]
    commands = [{"id": "dev.perfetto.PinTracksByRegex", "args": [pattern]} for pattern in patterns]
    query = {
        "mode": "embedded",
        "hideSidebar": "true",
        "visStart": str(start),
        "visEnd": str(end),
        "startupCommands": json.dumps(commands),
    }
    trace = f"{origin}{TRACE_PREFIX}{quote(shown.file_name)}"
    return f"{origin}{UI_PREFIX}index.html#!/viewer?{urlencode({'url': trace, **query}, quote_via=quote)}"
