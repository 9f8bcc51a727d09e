"""The options of a kind of variant: fields of a dataclass that know how their text is read."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from foundation.errors import UsageError

_KEY: Final = "variant option"
_WHOLE: Final = re.compile(r"-?[0-9]{1,10}")

#: From key and text to the value; UsageError for a text that is none.
Convert = Callable[[str, str], Any]


@dataclass(frozen=True)
class Option:
    """One ``KEY=VALUE`` of a kind: ``typed`` is what VALUE stands for in the docs."""

    key: str
    field: str
    typed: str
    convert: Convert
    help: str
    required: bool


def option(convert: Convert, typed: str, help_text: str, *, key: str | None = None) -> dict[str, Any]:
    """Metadata of a field that is an option; ``key`` where it is not the name of the field."""
    return {_KEY: (convert, typed, help_text, key)}


def options_of(kind: Any) -> dict[str, Option]:
    """The options of a kind (a dataclass) by key, in the order of its fields."""
    found = {}
    for field in dataclasses.fields(kind):
        if _KEY in field.metadata:
            convert, typed, help_text, key = field.metadata[_KEY]
            required = field.default is dataclasses.MISSING
            found[key or field.name] = Option(
                key or field.name, field.name, typed, convert, help_text, required
            )
    return found


def text(key: str, value: str) -> str:
    """The text as it was typed."""
    return value


def path(key: str, value: str) -> Path:
    """A file or a folder of the host; it is not opened."""
    return Path(value)


def one_of(words: Mapping[str, Any], refusal: str, next_step: str) -> Convert:
    """What ``words`` has for the text; ``refusal`` has {key} and {value} in it."""

    def convert(key: str, value: str) -> Any:
        if value not in words:
            raise UsageError(refusal.format(key=key, value=value), next_step=next_step)
        return words[value]

    return convert


def whole(lowest: int, highest: int) -> Convert:
    """An integer from ``lowest`` to ``highest``."""

    def convert(key: str, value: str) -> int:
        if not (_WHOLE.fullmatch(value) and lowest <= int(value) <= highest):
            raise UsageError(
                f"{key}={value} is no number from {lowest} to {highest}", next_step="correct the value"
            )
        return int(value)

    return convert
