"""What is compared: a named kernel and how it is put on a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Kind -> the option whose value may stand alone, as the first one (``patch:FILE``).
BARE_OPTION: Mapping[str, str] = {"patch": "file"}


@dataclass(frozen=True)
class Variant:
    """One kernel under test.

    ``name`` is the user's word (``baseline``, ``patched``). ``kind`` says how the
    kernel gets onto the device (``stock``, ``kcompressd``, ``built``, ``patch``,
    ``kcompressd-page-io``, ``kernel``, ``as-is``, ``sysctl``, ``param``, ``boot``,
    ``flash``); ``options`` are the kind's own settings, as text.
    """

    name: str
    kind: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> str:
        """The text a user types: ``NAME=KIND[:KEY=VALUE[,KEY=VALUE...]]``."""
        tail = ",".join(f"{key}={value}" for key, value in sorted(self.options.items()))
        return f"{self.name}={self.kind}" + (f":{tail}" if tail else "")


def split_options(kind: str, tail: str) -> list[tuple[str, str]]:
    """``KEY=VALUE,KEY=VALUE`` as pairs; the value is empty where a word is not of that form.

    Of a kind with a `BARE_OPTION` the first word may be a value alone: one without a ``=``, or with
    a ``/`` before it.
    """
    pairs = []
    for place, word in enumerate(filter(None, tail.split(","))):
        key, equals, value = word.partition("=")
        if place == 0 and kind in BARE_OPTION and (not equals or "/" in key):
            pairs.append((BARE_OPTION[kind], word))
        else:
            pairs.append((key, value if equals else ""))
    return pairs
