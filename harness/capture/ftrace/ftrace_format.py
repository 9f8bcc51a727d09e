"""The kernel's own description of its events: ``format`` files and ``header_page``.

Field offsets differ between kernels (``gfp_flags`` of direct reclaim is 4 bytes in 5.10
and 8 in 6.1), so nothing about an event's layout is known beforehand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from foundation.errors import TraceError

Kind = Literal["int", "uint", "text", "loc", "rel_loc", "rest", "bytes"]

_FIELD = re.compile(
    r"^\s*field:(?P<decl>[^;]*);\s*offset:(?P<offset>\d+);\s*size:(?P<size>\d+);(?:\s*signed:(?P<signed>-?\d+);)?"
)
_ARRAY = re.compile(r"^(?P<base>.*?)\s*\[(?P<length>[^\]]*)\]$")
_INTEGER_SIZES = frozenset((1, 2, 4, 8))


@dataclass(frozen=True)
class Field:
    """One field of an event: bytes ``offset`` to ``offset + size`` of its record.

    ``kind``: ``int``/``uint``; ``text`` for a fixed ``char[n]``; ``loc`` for a
    ``__data_loc`` (offset from the record's start in the low 16 bits, length in the high
    ones); ``rel_loc`` the same counted from the field's end; ``rest`` for a ``char[]``
    that runs to the end of the record; ``bytes`` for anything else.
    """

    name: str
    offset: int
    size: int
    kind: Kind


@dataclass(frozen=True)
class EventFormat:
    """One event: ``group/name``, the id found in its records, and its own fields.

    ``common_pid_offset`` is where the id of the task that emitted it stands.
    """

    group: str
    name: str
    id: int
    fields: tuple[Field, ...]
    common_pid_offset: int

    @property
    def size(self) -> int:
        """Bytes that a record has at least."""
        return max((field.offset + field.size for field in self.fields), default=8)


@dataclass(frozen=True)
class PageLayout:
    """``events/header_page``: where commit and data stand in a page, and a page's size."""

    commit_offset: int
    commit_size: int
    data_offset: int
    page_size: int


def _kind(declaration: str, size: int, signed: bool) -> tuple[str, Kind]:
    array = _ARRAY.match(declaration)
    base = array["base"] if array else declaration
    type_text, _, name = base.rpartition(" ")
    if array and declaration.startswith(("__data_loc", "__rel_loc")):
        # "__data_loc char[] name": the name follows the brackets and is handled by the caller.
        return name, "bytes"
    is_char = type_text.replace("const ", "").strip() in ("char", "unsigned char", "signed char")
    if array:
        return name, ("rest" if size == 0 else "text") if is_char else "bytes"
    if size not in _INTEGER_SIZES:
        return name, "bytes"
    return name, "int" if signed else "uint"


def _field(line: str) -> Field | None:
    match = _FIELD.match(line)
    if match is None:
        return None
    declaration = match["decl"].strip()
    offset, size = int(match["offset"]), int(match["size"])
    signed = (match["signed"] or "0") != "0"
    kind: Kind
    if declaration.startswith(("__data_loc", "__rel_loc")):
        name = declaration.rpartition(" ")[2]
        is_char = "char" in declaration
        relative = declaration.startswith("__rel_loc")
        kind = ("rel_loc" if relative else "loc") if is_char else "bytes"
    else:
        name, kind = _kind(declaration, size, signed)
    return Field(name.lstrip("*"), offset, size, kind)


def parse_format(group: str, text: str) -> EventFormat:
    """Read one ``events/<group>/<name>/format`` file. TraceError if it is not one."""
    name, event_id = "", -1
    fields: list[Field] = []
    common_pid = -1
    for line in text.splitlines():
        if line.startswith("name:"):
            name = line.partition(":")[2].strip()
        elif line.startswith("ID:"):
            number = line.partition(":")[2].strip()
            event_id = int(number) if number.isdigit() else -1
        elif (field := _field(line)) is not None:
            if field.name == "common_pid":
                common_pid = field.offset
            elif not field.name.startswith("common_"):
                fields.append(field)
    if not name or event_id < 0 or common_pid < 0:
        raise TraceError(
            f"the format file of an event in group {group} is damaged or empty",
            next_step=f"read events/{group}/*/format on the device by hand",
        )
    return EventFormat(group, name, event_id, tuple(fields), common_pid)


def parse_header_page(text: str) -> PageLayout:
    """Read ``events/header_page``. TraceError if a field is missing."""
    fields = {field.name: field for line in text.splitlines() if (field := _field(line)) is not None}
    try:
        commit, data = fields["commit"], fields["data"]
    except KeyError as missing:
        raise TraceError(
            f"events/header_page of this kernel has no field {missing}",
            next_step="read /sys/kernel/tracing/events/header_page on the device by hand",
        ) from None
    return PageLayout(commit.offset, commit.size, data.offset, data.offset + data.size)
