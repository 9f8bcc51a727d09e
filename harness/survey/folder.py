"""The folder of a survey: a JSON file for each item, an index, a README; without identities."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from foundation.errors import HostError, UsageError
from foundation.files import replacing, write_atomic
from foundation.version import SUITE_VERSION
from harness.survey.asking import Entry
from harness.survey.pseudonyms import Pseudonyms

#: Raised when a reader of an older folder would misread a newer one.
SCHEMA: Final = 1
INDEX: Final = "index.json"
README: Final = "README.md"
ITEMS: Final = "items"

_HEAD: Final = """# Survey of a phone

Recorded by `python -m android_tests survey`, version {version}: {phone}.
{state}

Each item is a file in `items/`: the commands, and for each its exit status, standard output (`stdout`, as
lines), standard error, duration on the host in ms (`duration_ms`, adb included) and the phone's uptime when
it began (`uptime_s`). `exit_status` null means that it did not end or was not asked; `why` says the reason.
`index.json` lists the items, with the version of this schema ({schema}).

Serial numbers, IMEI, IMSI, MAC and IP addresses, accounts, e-mail addresses, telephone numbers, SSIDs, the
Android id and the names of device and users are replaced. The same value has the same stand-in in the whole
folder; the salt that they are made with was not kept. Names of installed apps stand in the lists of
processes and of kills: look before you publish.

| item | state | what it is |
|---|---|---|
"""


@dataclass(frozen=True)
class Item:
    """What was recorded about one question. ``why`` is the reason if it was not asked."""

    name: str
    what: str
    entries: tuple[Entry, ...] = ()
    why: str = ""
    data: Any = None
    duration_ms: float | None = None

    @property
    def state(self) -> str:
        """``recorded``, ``partly``, ``refused`` (nothing of it was answered) or ``not asked``."""
        if self.why:
            return "not asked"
        answered = sum(entry.ok for entry in self.entries) + (self.data is not None)
        asked = sum(entry.asked for entry in self.entries) + (self.data is not None)
        return "recorded" if answered == asked else "partly" if answered else "refused"


@dataclass
class SurveyFolder:
    """A new folder at ``path``. Each `add` writes the item, then index and README.

    ``phone`` describes it in a few words, ``facts`` go to the index.
    """

    path: Path
    names: Pseudonyms
    phone: str
    facts: Mapping[str, Any]
    warnings: list[str] = field(default_factory=list)
    complete: bool = False

    def __post_init__(self) -> None:
        self._items: list[Item] = []
        try:
            (self.path / ITEMS).mkdir(parents=True)
        except FileExistsError:
            raise UsageError(f"{self.path} exists", next_step="name a new folder with --out") from None
        except OSError as error:
            raise HostError(f"{self.path} cannot be made: {error.strerror}") from error
        self._write_index()

    def add(self, item: Item) -> None:
        """Write one item. HostError if the disk does not take it."""
        self._items.append(item)
        self._write_item(len(self._items) - 1)
        self._write_index()

    def finish(self, *, complete: bool) -> Path:
        """Clean what was written before a name was known, pack the folder, and return the archive."""
        self.complete = complete
        for number in range(len(self._items)):
            self._write_item(number)
        self._write_index()
        archive = self.path.with_name(f"{self.path.name}.zip")
        with replacing(archive) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in sorted(self.path.rglob("*")):
                packed.write(file, file.relative_to(self.path.parent))
        return archive

    def _write_item(self, number: int) -> None:
        item = self._items[number]
        content = {
            "schema": SCHEMA,
            "name": item.name,
            "what": item.what,
            "state": item.state,
            "why": item.why,
            "duration_ms": item.duration_ms,
            "data": item.data,
            "entries": [{**asdict(entry), "stdout": entry.stdout.split("\n")} for entry in item.entries],
        }
        self._write(self._file(number), self._json(content))

    def _write_index(self) -> None:
        listed = [
            {
                "name": item.name,
                "file": self._file(number),
                "state": item.state,
                "why": item.why,
                "duration_ms": item.duration_ms,
            }
            for number, item in enumerate(self._items)
        ]
        index = {
            "schema": SCHEMA,
            "suite": SUITE_VERSION,
            "complete": self.complete,
            "warnings": self.warnings,
            **self.facts,
            "items": listed,
        }
        self._write(INDEX, self._json(index))
        state = "It is complete." if self.complete else "It is not complete: the survey was interrupted."
        head = _HEAD.format(version=SUITE_VERSION, phone=self.phone, state=state, schema=SCHEMA)
        rows = []
        for number, item in enumerate(self._items):
            recorded = f"{item.state}: {item.why}" if item.why else item.state
            rows.append(f"| [{item.name}]({self._file(number)}) | {recorded} | {item.what} |\n")
        self._write(README, self.names.clean(head + "".join(rows)))

    def _file(self, number: int) -> str:
        return f"{ITEMS}/{number + 1:02d}-{self._items[number].name}.json"

    def _json(self, content: Any) -> str:
        cleaned = self.names.clean_tree(content)
        return json.dumps(cleaned, indent=1, ensure_ascii=False) + "\n"

    def _write(self, name: str, text: str) -> None:
        try:
            write_atomic(self.path / name, text)
        except OSError as error:
            raise HostError(
                f"{self.path / name} cannot be written: {error.strerror}",
                next_step="check the free disk space: df",
            ) from error


def entries_of(content: Mapping[str, Any]) -> Sequence[Entry]:
    """The entries of an item's file, as they were recorded."""
    return [Entry(**{**entry, "stdout": "\n".join(entry["stdout"])}) for entry in content["entries"]]
