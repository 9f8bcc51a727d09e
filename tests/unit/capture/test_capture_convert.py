"""Records -> Perfetto events: typed where Perfetto has a message, else generic; nothing is lost."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import FtraceEvent

from foundation.errors import TraceError
from harness.capture.ftrace.ftrace_convert import converter
from harness.capture.ftrace.ftrace_format import parse_format
from tests.unit.capture.capture_ring import (
    DIRECT_RECLAIM_BEGIN,
    SCHED_SWITCH,
    format_text,
    payload,
    switch_payload,
)


def convert(group: str, text: str, record: bytes, before: bytes = b"") -> Any:
    event = FtraceEvent()
    converter(parse_format(group, text))(before + record, len(before), len(record), event)
    return event


COMM = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=15)
PID = st.integers(0, 1 << 22)


@given(COMM, PID, st.integers(-(1 << 63), (1 << 63) - 1), COMM, PID, st.binary(max_size=40))
def test_sched_switch_is_typed_and_exact(
    prev: str, prev_pid: int, state: int, following: str, next_pid: int, before: bytes
) -> None:
    record = switch_payload((prev, prev_pid), state, (following, next_pid))
    switch = convert("sched", SCHED_SWITCH, record, before).sched_switch
    assert (switch.prev_comm, switch.prev_pid, switch.prev_prio) == (prev, prev_pid, 120)
    assert (switch.next_comm, switch.next_pid, switch.next_prio) == (following, next_pid, 120)
    assert switch.prev_state == state


def test_names_are_cut_at_nul_and_bad_bytes_survive() -> None:
    record = bytearray(switch_payload(("old", 1), 0, ("new", 2)))
    record[8:24] = b"kswapd0\0\xffgarbage"
    record[40:56] = b"\xff\xfe full 16 bytes"
    switch = convert("sched", SCHED_SWITCH, bytes(record)).sched_switch
    assert switch.prev_comm == "kswapd0"
    assert switch.next_comm == "\ufffd\ufffd full 16 bytes"


@given(st.integers(0, (1 << 64) - 1))
def test_wide_flags_keep_their_low_bits(flags: int) -> None:
    event = convert("vmscan", DIRECT_RECLAIM_BEGIN, payload(400, 9, struct.pack("<iiQ", 3, 0, flags)))
    begin = event.mm_vmscan_direct_reclaim_begin
    assert (begin.order, begin.gfp_flags) == (3, flags & 0xFFFFFFFF)


def test_an_event_of_all_zeros_is_still_that_event() -> None:
    event = convert("vmscan", DIRECT_RECLAIM_BEGIN, payload(400, 9, bytes(16)))
    assert event.WhichOneof("event") == "mm_vmscan_direct_reclaim_begin"


def test_dynamic_text_of_a_typed_event() -> None:
    text = format_text(
        "sched_process_exec",
        5,
        [("__data_loc char[] filename", 8, 4, 0), ("pid_t pid", 12, 4, 1), ("pid_t old_pid", 16, 4, 1)],
    )
    record = payload(5, 1, struct.pack("<HHii", 20, 8, 77, 78) + b"/bin/ls\0")
    event = convert("sched", text, record, b"\0" * 12)
    assert (event.sched_process_exec.filename, event.sched_process_exec.pid) == ("/bin/ls", 77)


def test_dynamic_text_past_the_record_is_damage() -> None:
    text = format_text("a", 5, [("__data_loc char[] path", 8, 4, 0)])
    with pytest.raises(TraceError, match="field path runs past"):
        convert("x", text, payload(5, 1, struct.pack("<HH", 12, 90)))


def test_relative_text_counts_from_the_end_of_its_field() -> None:
    text = format_text("a", 5, [("__rel_loc char[] path", 8, 4, 0)])
    event = convert("x", text, payload(5, 1, struct.pack("<HH", 4, 3) + b"----hi\0"))
    assert event.generic.field[0].str_value == "hi"


def test_unknown_event_is_generic_with_every_field() -> None:
    text = format_text(
        "kcompressd_done",
        9,
        [
            ("unsigned long index", 8, 8, 0),
            ("int error", 16, 4, 1),
            ("bool same_filled", 20, 1, 0),
            ("u8 digest[3]", 21, 3, 0),
            ("char tail[]", 24, 0, 0),
        ],
    )
    body = struct.pack("<Qi?3s", (1 << 64) - 1, -5, True, b"\x01\x02\xff") + b"more\0"
    generic = convert("zram_kcompressd", text, payload(9, 1, body)).generic
    assert generic.event_name == "kcompressd_done"
    assert [(field.name, field.WhichOneof("value")) for field in generic.field] == [
        ("index", "uint_value"),
        ("error", "int_value"),
        ("same_filled", "uint_value"),
        ("digest", "str_value"),
        ("tail", "str_value"),
    ]
    assert [getattr(field, field.WhichOneof("value")) for field in generic.field] == [
        (1 << 64) - 1,
        -5,
        1,
        "0102ff",
        "more",
    ]


def test_same_name_in_another_group_is_not_taken_for_perfettos() -> None:
    event = convert("vendor", SCHED_SWITCH, switch_payload(("a", 1), 0, ("b", 2)))
    assert event.WhichOneof("event") == "generic"


@pytest.mark.parametrize("group", ["sched", "vendor"])
def test_record_shorter_than_its_format(group: str) -> None:
    with pytest.raises(TraceError, match="sched_switch has 40 of 64 bytes"):
        convert(group, SCHED_SWITCH, switch_payload(("a", 1), 0, ("b", 2))[:40])


def test_negative_pid_of_idle_is_kept() -> None:
    switch = convert("sched", SCHED_SWITCH, switch_payload(("a", -1), 0, ("b", -2))).sched_switch
    assert (switch.prev_pid, switch.next_pid) == (-1, -2)


def test_what_the_offline_engine_would_drop_is_written_generic() -> None:
    text = format_text("mm_vmscan_memcg_reclaim_begin", 8, [("int order", 8, 4, 1)])
    event = convert("vmscan", text, payload(8, 1, struct.pack("<i", 3)))
    assert event.generic.event_name == "mm_vmscan_memcg_reclaim_begin"
