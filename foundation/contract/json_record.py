"""Reading one JSON object of a results folder: every missing or odd key is one line naming the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from foundation.errors import ResultsError

T = TypeVar("T")


class JsonRecord:
    """A JSON object with its place, so that an error can name both file and key."""

    def __init__(self, path: Path, content: Mapping[str, Any], where: str = "") -> None:
        self.path = path
        self._content = content
        self._where = where

    @staticmethod
    def read(path: Path) -> JsonRecord:
        """Read a file that holds one object. ResultsError if it is missing, damaged, or another kind."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise ResultsError(f"{path} is missing") from error
        except (OSError, UnicodeDecodeError) as error:
            raise ResultsError(f"{path} cannot be read: {error}") from error
        try:
            content = json.loads(text)
        except ValueError as error:
            raise ResultsError(
                f"{path} is damaged: {error}",
                next_step="restore the file, or move its block's folder away and measure the pair again",
            ) from error
        if not isinstance(content, dict):
            raise ResultsError(f"{path} is damaged: it holds no JSON object")
        return JsonRecord(path, content)

    def damaged(self, why: str) -> ResultsError:
        """The error for a key that is not as it must be."""
        place = f" in {self._where}" if self._where else ""
        return ResultsError(f"{self.path} is damaged{place}: {why}")

    def raw(self, key: str, default: Any = None) -> Any:
        """The value as it stands; ``default`` if the key is absent."""
        return self._content.get(key, default)

    def text(self, key: str) -> str:
        return self._typed(key, str, "text")

    def integer(self, key: str) -> int:
        value = self._typed(key, int, "a whole number")
        if isinstance(value, bool):
            raise self.damaged(f"'{key}' is not a whole number")
        return value

    def number(self, key: str) -> float:
        value = self._content.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.damaged(f"'{key}' is not a number")
        return float(value)

    def truth(self, key: str) -> bool:
        return self._typed(key, bool, "true or false")

    def text_or_none(self, key: str) -> str | None:
        return None if self._content.get(key) is None else self.text(key)

    def texts(self, key: str) -> tuple[str, ...]:
        values = self._typed(key, list, "a list")
        if not all(isinstance(value, str) for value in values):
            raise self.damaged(f"'{key}' is not a list of texts")
        return tuple(values)

    def integers(self, key: str) -> tuple[int, ...]:
        values = self._typed(key, list, "a list")
        if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            raise self.damaged(f"'{key}' is not a list of whole numbers")
        return tuple(values)

    def mapping(self, key: str) -> Mapping[str, Any]:
        return self._typed(key, dict, "an object")

    def record(self, key: str) -> JsonRecord:
        return JsonRecord(self.path, self.mapping(key), self._inside(key))

    def records(self, key: str, read: Callable[[JsonRecord], T]) -> tuple[T, ...]:
        """``read`` applied to every object of a list."""
        items = self._typed(key, list, "a list")
        found = []
        for number, item in enumerate(items):
            if not isinstance(item, dict):
                raise self.damaged(f"'{key}[{number}]' is not an object")
            found.append(read(JsonRecord(self.path, item, self._inside(f"{key}[{number}]"))))
        return tuple(found)

    def _inside(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def _typed(self, key: str, kind: type[T], words: str) -> T:
        if key not in self._content:
            raise self.damaged(f"'{key}' is missing")
        value = self._content[key]
        if not isinstance(value, kind):
            raise self.damaged(f"'{key}' is not {words}")
        return value
