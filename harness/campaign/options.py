"""An option: one row that defines its command lines, its key in a campaign file, and its docs.

The rows are the fields of `harness.campaign.settings.Settings`. pytest imports this on every start: keep
it light.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from foundation.errors import UsageError
from foundation.words import did_you_mean

if TYPE_CHECKING:
    from foundation.toml_table import Table

#: Where an option may be given: pytest, `android_tests.campaign run`, a campaign file, and the three
#: commands of `python -m android_tests` that look at a phone.
Place = Literal["pytest", "run", "file", "doctor", "survey", "restore"]
Kind = Literal["text", "int", "float", "path", "flag", "words"]
DeviceKind = Literal["virtual", "phone"]

#: Values by option name; an option that was not given is absent.
Given = Mapping[str, Any]

_READ: Final[Mapping[Kind, Callable[[str], Any]]] = {"text": str, "int": int, "float": float, "path": Path}
_TOML: Final[Mapping[Kind, type[Any]]] = {
    "text": str,
    "int": int,
    "float": float,
    "path": str,
    "flag": bool,
    "words": list,
}
_RULES: Final[Mapping[Kind, str]] = {
    "text": "a non-empty string",
    "flag": "true or false",
    "words": "a list of strings",
}
_IN_WORDS: Final[Mapping[Kind, str]] = {"int": "an integer", "float": "a number"}


@dataclass(frozen=True, eq=False, repr=False)
class Option:
    """One option.

    ``device``: for this kind of device only. ``bounds`` of a number are inclusive, in ``unit``.
    ``choices`` are the allowed words. ``path_unless``: the text is a path unless it is this word.
    ``commas``: one string holds several words. ``fixed_by_file``: part of what a campaign file
    compares, so it cannot be combined with one. ``default_text`` describes a default that depends on
    something else.
    """

    name: str
    kind: Kind
    help: str
    where: tuple[Place, ...]
    flag: str = ""
    key: str = ""
    metavar: str | None = None
    default: Any = None
    default_text: str = ""
    bounds: tuple[float, float] | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    path_unless: str = ""
    commas: bool = False
    device: DeviceKind | None = None
    fixed_by_file: bool = False

    @property
    def range_text(self) -> str:
        """The allowed values, such as ``1 to 200 pairs``; empty if anything is allowed."""
        return f"{self._span} {self.unit}".rstrip() if self.bounds else ", ".join(self.choices)

    @property
    def _span(self) -> str:
        return f"{self.bounds[0]} to {self.bounds[1]}" if self.bounds else ""

    @property
    def value_name(self) -> str:
        """The name of the value in help texts."""
        names: dict[Kind, str] = {"int": "N", "float": "N"}
        choices = "|".join(self.choices) if self.kind == "text" else ""
        return self.metavar or names.get(self.kind) or choices or self.name.upper()

    @property
    def default_words(self) -> str:
        """The default as a user would type it; empty without one."""
        if isinstance(self.default, tuple):
            return self.default_text or ",".join(self.default)
        plain = f"{self.default:g}" if isinstance(self.default, float) else str(self.default)
        return self.default_text or ("" if self.default in (None, False) else plain)

    def add_to(self, add: Callable[..., Any], place: Place) -> None:
        """Add the option to a parser through ``add``, its ``add_argument`` or ``addoption``.

        argparse converts and checks the value (UsageError from ``parse_args``); pytest keeps the text,
        and `given_at` reads it later, because pytest's own error takes three lines.
        """
        words: dict[str, Any] = {"dest": self.name, "default": None, "help": self._help(place)}
        if self.kind == "flag":
            words["action"] = "store_true"
        else:
            words["metavar"] = self.value_name
            words |= {"action": "append"} if self.kind == "words" and not self.commas else {}
            words |= {} if place == "pytest" or self.kind == "words" else {"type": self.read}
        add(self.flag, **words)

    def _help(self, place: Place) -> str:
        default = self.default_words
        if place == "run" and "file" in self.where:
            default = "the file's"
        return f"{self.help} (default: {default})" if default else self.help

    def read(self, typed: Any) -> Any:
        """Convert and check what was typed: a string, strings, or True for a flag. UsageError."""
        if self.kind == "words":
            parts = [part.strip() for part in typed.split(",")] if self.commas else typed
            value: Any = tuple(dict.fromkeys(filter(None, parts))) if self.commas else tuple(parts)
        elif self.kind == "flag" or not isinstance(typed, str):
            value = typed
        else:
            try:
                value = _READ[self.kind](typed)
            except ValueError:
                raise UsageError(
                    f"{self.flag} {typed!r} is not {_IN_WORDS[self.kind]}",
                    next_step=f"such as {self.flag} {self.default or 8}",
                ) from None
        self.check(value, self.flag)
        return value

    def take(self, table: Table, path: Path) -> Any:
        """The value of its key in a table of the campaign file ``path``, or None. UsageError."""
        key = self.key.rpartition(".")[2]
        value = table.take_if(key, _TOML[self.kind], self._fits, _RULES.get(self.kind, self.range_text))
        if value is None:
            return None
        value = tuple(value) if self.kind == "words" else value
        self.check(value, f"{path}: {self.key}")
        return value

    def _fits(self, value: Any) -> bool:
        """Whether a value of the right type is valid; `check` looks at the words of a list."""
        if self.kind == "words":
            return bool(value) and all(isinstance(word, str) for word in value)
        return self.in_range(value) and value != ""

    def check(self, value: Any, subject: str) -> None:
        """UsageError of one line about ``subject`` (the flag, or the key and its file) for a bad value."""
        unknown = [word for word in (value if self.kind == "words" else (value,)) if self._unknown(word)]
        if self.commas and not value:
            raise UsageError(
                f"no {self.name.removesuffix('s')} given", next_step=f"known: {', '.join(self.choices)}"
            )
        if unknown:
            raise UsageError(
                f"{subject} cannot be {unknown[0]!r}", next_step=did_you_mean(str(unknown[0]), self.choices)
            )
        if self.kind != "words" and not self.in_range(value):
            raise UsageError(f"{subject} must be {self._span}, not {value:g}")

    def _unknown(self, word: Any) -> bool:
        return bool(self.choices) and word not in self.choices

    def in_range(self, value: Any) -> bool:
        """Whether ``value`` is within the bounds, if there are any."""
        return self.bounds is None or self.bounds[0] <= value <= self.bounds[1]

    def words(self, value: Any) -> list[str]:
        """The value as command-line words; paths are absolute, as the command may run elsewhere."""
        if self.kind == "flag":
            return [self.flag]
        if self.kind == "words":
            texts = [",".join(value)] if self.commas else value
            return [word for text in texts for word in (self.flag, text)]
        if self.kind == "path" or self.path_unless not in ("", value):
            return [self.flag, str(Path(value).absolute())]
        return [self.flag, str(value)]


def row(kind: Kind, where: tuple[Place, ...], text: str, default: Any = None, **more: Any) -> Any:
    """A dataclass field that is an option; ``text`` is its help, ``more`` are fields of `Option`."""
    option = Option("", kind, text, where, default=default, **more)
    return dataclasses.field(default=default, metadata={"option": option})


#: A `row` for phones only, and one that a campaign file fixes.
phone_row: Final = functools.partial(row, device="phone")
fixed_row: Final = functools.partial(row, fixed_by_file=True)


def rows_of(settings: type) -> dict[str, Option]:
    """The options of a dataclass whose fields come from `row`, by name.

    Unless the row sets them, the flag is ``--`` and the name with dashes, and the key is the name, with
    ``virtual_`` turned into a table.
    """
    options = {}
    for field in dataclasses.fields(settings):
        option: Option | None = field.metadata.get("option")
        if option is not None:
            options[field.name] = dataclasses.replace(
                option,
                name=field.name,
                flag=option.flag or f"--{field.name.replace('_', '-')}",
                key=option.key or field.name.replace("virtual_", "virtual.", 1),
            )
    return options


def add_options(
    options: Sequence[Option], parser: argparse.ArgumentParser | argparse._ArgumentGroup, place: Place
) -> None:
    """Add the ``options`` that ``place`` takes to ``parser``."""
    for option in options:
        if place in option.where:
            option.add_to(parser.add_argument, place)


def check_device(options: Sequence[Option], given: Given, device: DeviceKind) -> None:
    """UsageError for an option in ``given`` that is for the other kind of device."""
    for option in options:
        if option.name in given and option.device not in (None, device):
            kind = "a phone" if option.device == "phone" else "a virtual device"
            raise UsageError(
                f"{option.flag} is for {kind}", next_step=f"add --device={option.device}, or leave it out"
            )


def given_at(options: Sequence[Option], value_of: Callable[[str], Any], place: Place) -> dict[str, Any]:
    """The options given at ``place``, converted and checked; ``value_of`` looks up a name. UsageError."""
    typed = {option: value_of(option.name) for option in options if place in option.where}
    return {
        option.name: option.read(value)
        for option, value in typed.items()
        if value is not None and value is not False
    }
