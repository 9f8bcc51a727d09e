"""The options of a kind of variant: dataclass fields that know how to convert their text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from foundation.contract.threads import role_of
from foundation.errors import UsageError

_KEY: Final = "variant option"
_INTEGER: Final = re.compile(r"-?[0-9]{1,10}")

#: From key and text to the value; UsageError for invalid text.
Convert = Callable[[str, str], Any]


@dataclass(frozen=True)
class Option:
    """One ``KEY=VALUE`` of a kind; ``typed`` describes VALUE in the docs, such as ``FILE`` or ``0..4``."""

    key: str
    field: str
    typed: str
    convert: Convert
    help: str
    required: bool


def option(convert: Convert, typed: str, help_text: str, *, key: str | None = None) -> dict[str, Any]:
    """Metadata of a field that is an option; ``key`` if it is not the name of the field."""
    return {_KEY: (convert, typed, help_text, key)}


def options_of(kind: Any) -> dict[str, Option]:
    """The options of a kind (a dataclass) by key, in the order of its fields."""
    options = {}
    for field in dataclasses.fields(kind):
        if _KEY in field.metadata:
            convert, typed, help_text, key = field.metadata[_KEY]
            required = field.default is dataclasses.MISSING
            key = key or field.name
            options[key] = Option(key, field.name, typed, convert, help_text, required)
    return options


def text(key: str, value: str) -> str:
    """Convert to a string: as typed."""
    return value


def path(key: str, value: str) -> Path:
    """Convert to the path of a file or folder on the host, without opening it."""
    return Path(value)


def one_of(words: Mapping[str, Any], refusal: str, next_step: str) -> Convert:
    """Convert by looking the text up in ``words``; ``refusal`` is the error, with {key} and {value}."""

    def convert(key: str, value: str) -> Any:
        if value not in words:
            raise UsageError(refusal.format(key=key, value=value), next_step=next_step)
        return words[value]

    return convert


def compression_thread(key: str, value: str) -> str:
    """Convert to the name of a compression thread. UsageError for one whose CPU time no metric counts."""
    if role_of(value) != "compression":
        raise UsageError(
            f"{key}={value} is no compression thread that the metrics know",
            next_step="such as thread=kcompressd0, or add its name to foundation/contract/threads.py",
        )
    return value


def integer(lowest: int, highest: int) -> Convert:
    """Convert to an integer from ``lowest`` to ``highest``, inclusive."""

    def convert(key: str, value: str) -> int:
        if not (_INTEGER.fullmatch(value) and lowest <= int(value) <= highest):
            raise UsageError(
                f"{key}={value} is not an integer from {lowest} to {highest}",
                next_step=f"such as {key}={lowest}",
            )
        return int(value)

    return convert
