"""The page around the UI: which traces it shows, and the moments that it can go to."""

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
_WORDS: Final[dict[Kind, str]] = {
    "repetition": "whole repetition",
    "switch": "slowest switch",
    "stall": "longest direct reclaim",
}
#: Of the derived tracks; pinned ones take height from the rest.
_PINNED: Final = (SWITCHES, PHASES, DIRECT, WAITING)
#: Share of a moment's length that is shown on either side of it, and the least of that in ns.
_AROUND: Final = 0.3
_AROUND_NS: Final = 20_000_000


@dataclass(frozen=True)
class Shown:
    """One trace on the page. ``label`` is the variant, ``name`` says which repetition it is."""

    label: str
    name: str
    file_name: str
    derived: Derived


def pages(title: str, shown: Sequence[Shown], moment: Kind, origin: str) -> dict[str, Page]:
    """The page and what it needs, by path. ``moment`` is where it opens, ``origin`` the server's."""
    moments = moments_of([one.derived for one in shown])
    if not any(moment in found for found in moments):
        moment = "repetition"
    view = {
        "title": title,
        "moment": moment,
        "moments": {
            kind: words for kind, words in _WORDS.items() if any(kind in found for found in moments)
        },
        "sides": [
            {
                "label": one.label,
                "name": one.name,
                "url": deep_link(one, found.get(moment, found["repetition"]), origin),
                "moments": {kind: _span(place) for kind, place in found.items()},
            }
            for one, found in zip(shown, moments, strict=True)
        ],
    }
    return {
        "/": Page((_HERE / "page.html").read_bytes(), "text/html; charset=utf-8"),
        "/page.js": Page((_HERE / "page.js").read_bytes(), "text/javascript; charset=utf-8"),
        "/view.json": Page(json.dumps(view).encode(), "application/json"),
    }


def moments_of(sides: Sequence[Derived]) -> list[dict[Kind, Moment]]:
    """The moments of each side. A switch is the same one on all sides: the slowest of any.

    Spans of one kind have the same length on all sides, so that a second is as wide in each.
    """
    found: list[dict[Kind, Moment]] = [{"repetition": side.window} for side in sides]
    slowest = max(
        (switch for side in sides if (switch := side.slowest_switch) is not None),
        key=lambda switch: switch.ms or 0.0,
        default=None,
    )
    for side, moments in zip(sides, found, strict=True):
        switch = side.switch(slowest.index) if slowest is not None else None
        if switch is not None:
            moments["switch"] = Moment("switch", switch.ts, switch.dur, switch.label)
        if side.stall is not None:
            moments["stall"] = side.stall
    return [_widened(moments, found) for moments in found]


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
    """The UI's address that loads the trace, pins what matters, and looks at the moment.

    The UI ignores a span that reaches out of the trace, so it is cut at the repetition's edges.
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
