"""Strict reading of TOML, one table at a time, and writing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from foundation.errors import UsageError
from foundation.words import nearest

T = TypeVar("T")

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Table:
    """A table whose keys must all be used: any other key is mistyped.

    ``where`` is the prefix of each message, such as ``[device] ``. Every failure is a
    UsageError of one line that names the file and the key.
    """

    def __init__(self, path: Path, where: str, content: Mapping[str, Any]) -> None:
        self._path, self._where, self._left = path, where, dict(content)
        self._known: list[str] = []

    def fail(self, text: str, next_step: str | None = None) -> UsageError:
        """The error to raise for ``text``."""
        return UsageError(f"{self._path}: {self._where}{text}", next_step=next_step)

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def take(self, key: str, kind: type[T], check: Callable[[T], bool], rule: str) -> T:
        """The value of the required ``key``, of type ``kind``; it must pass ``check``.

        ``rule`` completes "KEY = VALUE is not ..." in the error.
        """
        self._known.append(key)
        if key not in self._left:
            near = nearest(key, self._left)
            raise self.fail(
                f"{key} is missing", f"rename {near} to {key}" if near else f"add {key}: {rule}"
            )
        value = self._left.pop(key)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind or not check(value):
            raise self.fail(f"{key} = {value!r} is not {rule}")
        return value

    def take_or(self, key: str, kind: type[T], default: T, check: Callable[[T], bool], rule: str) -> T:
        """As `take`, or ``default`` if the key is absent."""
        value = self.take_if(key, kind, check, rule)
        return default if value is None else value

    def take_if(self, key: str, kind: type[T], check: Callable[[T], bool], rule: str) -> T | None:
        """As `take`, or None if the key is absent."""
        if key in self._left:
            return self.take(key, kind, check, rule)
        self._known.append(key)
        return None

    def words(self, key: str) -> tuple[str, ...] | None:
        """A non-empty list of strings, or None if the key is absent."""
        words = self.take_if(
            key, list, lambda v: bool(v) and all(isinstance(word, str) for word in v), "a list of strings"
        )
        return None if words is None else tuple(words)

    def sub(self, key: str) -> Table:
        """The table under ``key``; an empty one if it is absent."""
        content = self.take_or(key, dict, {}, lambda v: True, "a table")
        return Table(self._path, f"{self._where}[{key}] ", content)

    def skip(self, *keys: str) -> None:
        """Accept ``keys`` that another reader takes."""
        for key in keys:
            self._known.append(key)
            self._left.pop(key, None)

    def done(self, also: Iterable[str] = ()) -> None:
        """Check that all keys were taken, except ``also``; the error suggests the nearest known key."""
        for key in self._left:
            if key not in also:
                near = nearest(key, self._known)
                hint = f"did you mean {near}?" if near else f"known: {', '.join(self._known)}"
                raise self.fail(f"unknown key {key}", hint)


def to_toml(content: Mapping[str, Any]) -> str:
    """TOML text of ``content``: strings, numbers, booleans, lists, tables, and lists of tables."""
    plain, tables = [], []
    for key, value in content.items():
        if isinstance(value, Mapping):
            tables.append(f"[{_key(key)}]\n{_lines(value)}")
        elif isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
            tables += [f"[[{_key(key)}]]\n{_lines(entry)}" for entry in value]
        else:
            plain.append(f"{_key(key)} = {_value(value)}\n")
    return "\n".join(filter(None, ["".join(plain), *tables]))


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in table.items())


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)
