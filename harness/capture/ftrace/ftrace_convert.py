"""Records of the kernel's trace buffer -> Perfetto ftrace events.

An event that Perfetto has a message for is written typed, field by field where the
names agree; any other is written as a generic event with all its fields.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor  # type: ignore[import-untyped]
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import FtraceEvent

from foundation.errors import TraceError
from harness.capture.ftrace.ftrace_format import EventFormat, Field

#: Groups whose event names mean the same in Perfetto's list of messages, which has no groups.
TYPED_GROUPS: Final = frozenset(
    ("sched", "task", "vmscan", "oom", "power", "kmem", "lowmemorykiller", "compaction")
)

#: The last event that the offline trace processor (Perfetto v52) knows; it drops a later one
#: without a word, while it keeps a generic event of any name.
_NEWEST_TYPED: Final = 590

#: (bytes of a page, offset of the record, its length, empty event) -> fills the event
Converter = Callable[[bytes, int, int, Any], None]

_INT_CODES: Final = {(1, "int"): "b", (2, "int"): "h", (4, "int"): "i", (8, "int"): "q"}
_UINT_CODES: Final = {(1, "uint"): "B", (2, "uint"): "H", (4, "uint"): "I", (8, "uint"): "Q"}
_CODES: Final = _INT_CODES | _UINT_CODES

_STRING: Final = FieldDescriptor.TYPE_STRING

#: Bits and sign of the integers that a message may hold.
_PROTO_BITS: Final = {
    FieldDescriptor.TYPE_INT32: (32, True),
    FieldDescriptor.TYPE_INT64: (64, True),
    FieldDescriptor.TYPE_UINT32: (32, False),
    FieldDescriptor.TYPE_UINT64: (64, False),
}


@lru_cache(maxsize=65536)
def text_of(raw: bytes) -> str:
    """A C string: up to the first NUL, bytes that are not UTF-8 replaced."""
    return raw.partition(b"\0")[0].decode("utf-8", "replace")


def wrapped(value: int, bits: int, signed: bool) -> int:
    """``value`` as the kernel's C code would store it in an integer of ``bits``."""
    value &= (1 << bits) - 1
    if signed and value >> (bits - 1):
        value -= 1 << bits
    return value


def _layout(fields: Iterable[Field]) -> tuple[struct.Struct, list[Field]]:
    """One struct that reads all fields at once, and the fields in its order.

    Fields that overlap one read before (a union) are left out.
    """
    code, position = "<", 0
    read: list[Field] = []
    for field in sorted(fields, key=lambda item: item.offset):
        if field.offset < position or field.kind == "rest":
            continue
        if field.kind in ("loc", "rel_loc"):
            letter = "I"
        elif field.kind in ("text", "bytes"):
            letter = f"{field.size}s"
        else:
            letter = _CODES[field.size, field.kind]
        code += f"{field.offset - position}x" if field.offset > position else ""
        code += letter
        position = field.offset + field.size
        read.append(field)
    return struct.Struct(code), read


def _dynamic(page: bytes, start: int, length: int, field: Field, where: int) -> str:
    offset, size = where & 0xFFFF, where >> 16
    if field.kind == "rel_loc":
        offset += field.offset + field.size
    if offset + size > length:
        raise TraceError(
            f"a text of {size} bytes in field {field.name} runs past the end of its record",
            next_step="the page is damaged; measure the repetition again",
        )
    return text_of(page[start + offset : start + offset + size])


def _value(page: bytes, start: int, length: int, field: Field, raw: Any) -> int | str:
    if field.kind in ("loc", "rel_loc"):
        return _dynamic(page, start, length, field, raw)
    if field.kind == "text":
        return text_of(raw)
    if field.kind == "bytes":
        return str(raw.hex())
    return int(raw)


def _typed(event_format: EventFormat) -> Converter | None:
    """Converter to the message of the same name, or None if Perfetto has none that fits."""
    if event_format.group not in TYPED_GROUPS:
        return None
    descriptor = FtraceEvent.DESCRIPTOR.fields_by_name.get(event_format.name)
    if descriptor is None or descriptor.message_type is None or descriptor.number > _NEWEST_TYPED:
        return None
    known = {field.name: field.type for field in descriptor.message_type.fields}
    usable = [
        field
        for field in event_format.fields
        if field.name in known
        and (
            known[field.name] == _STRING
            if field.kind in ("text", "loc", "rel_loc")
            else known[field.name] in _PROTO_BITS and field.kind in ("int", "uint")
        )
    ]
    if not usable:
        return None
    reader, fields = _layout(usable)
    plain = all(field.kind in ("text", "int", "uint") for field in fields)
    narrow = {
        field.name: _PROTO_BITS[known[field.name]]
        for field in fields
        if field.kind in ("int", "uint") and _needs_wrap(field, _PROTO_BITS[known[field.name]])
    }
    names = [field.name for field in fields]
    texts = frozenset(field.name for field in fields if field.kind == "text")
    message_name, need, unpack = event_format.name, reader.size, reader.unpack_from

    def fill_plain(page: bytes, start: int, length: int, event: Any) -> None:
        if length < need:
            raise _short(event_format, length, need)
        message = getattr(event, message_name)
        for name, raw in zip(names, unpack(page, start), strict=True):
            setattr(message, name, text_of(raw) if name in texts else raw)
        message.SetInParent()

    def fill_any(page: bytes, start: int, length: int, event: Any) -> None:
        if length < need:
            raise _short(event_format, length, need)
        message = getattr(event, message_name)
        for field, raw in zip(fields, unpack(page, start), strict=True):
            value = _value(page, start, length, field, raw)
            if field.name in narrow and isinstance(value, int):
                value = wrapped(value, *narrow[field.name])
            setattr(message, field.name, value)
        message.SetInParent()

    return fill_plain if plain and not narrow else fill_any


def _needs_wrap(field: Field, target: tuple[int, bool]) -> bool:
    bits, signed = target
    source_bits, source_signed = field.size * 8, field.kind == "int"
    if source_signed == signed:
        return source_bits > bits
    return not (signed and source_bits < bits)


def _short(event_format: EventFormat, length: int, need: int) -> TraceError:
    return TraceError(
        f"a record of {event_format.group}/{event_format.name} has {length} of {need} bytes",
        next_step="measure the repetition again: the page is damaged, or the format is of another kernel",
    )


def _generic(event_format: EventFormat) -> Converter:
    # The address of a probe says nothing that its name does not.
    reader, fields = _layout(
        field for field in event_format.fields if not field.name.startswith("__probe_")
    )
    rest = [field for field in event_format.fields if field.kind == "rest"]
    name = event_format.name

    def fill(page: bytes, start: int, length: int, event: Any) -> None:
        if length < reader.size:
            raise _short(event_format, length, reader.size)
        generic = event.generic
        generic.event_name = name
        for field, raw in zip(fields, reader.unpack_from(page, start), strict=True):
            entry = generic.field.add()
            entry.name = field.name
            value = _value(page, start, length, field, raw)
            if isinstance(value, str):
                entry.str_value = value
            elif field.kind == "int":
                entry.int_value = value
            else:
                entry.uint_value = value
        for field in rest:
            entry = generic.field.add()
            entry.name = field.name
            entry.str_value = text_of(page[start + field.offset : start + length])

    return fill


def converter(event_format: EventFormat) -> Converter:
    """Build the function that turns records of one event into Perfetto events.

    It sets the event's own message only; time and pid are the caller's. It raises
    TraceError for a record that is shorter than its format.
    """
    return _typed(event_format) or _generic(event_format)
