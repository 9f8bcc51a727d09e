"""The kernel's format files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import TraceError
from harness.capture.ftrace.ftrace_format import parse_format
from tests.unit.capture.capture_ring import DIRECT_RECLAIM_BEGIN, SCHED_SWITCH, format_text


def test_sched_switch() -> None:
    event = parse_format("sched", SCHED_SWITCH)
    assert (event.group, event.name, event.id, event.common_pid_offset) == ("sched", "sched_switch", 315, 4)
    assert [(field.name, field.offset, field.size, field.kind) for field in event.fields] == [
        ("prev_comm", 8, 16, "text"),
        ("prev_pid", 24, 4, "int"),
        ("prev_prio", 28, 4, "int"),
        ("prev_state", 32, 8, "int"),
        ("next_comm", 40, 16, "text"),
        ("next_pid", 56, 4, "int"),
        ("next_prio", 60, 4, "int"),
    ]
    assert event.size == 64


def test_offset_of_gfp_flags_is_the_kernels() -> None:
    old = format_text(
        "mm_vmscan_direct_reclaim_begin", 7, [("int order", 8, 4, 1), ("gfp_t gfp_flags", 12, 4, 0)]
    )
    for text, expected in ((old, (12, 4)), (DIRECT_RECLAIM_BEGIN, (16, 8))):
        field = parse_format("vmscan", text).fields[1]
        assert (field.name, (field.offset, field.size), field.kind) == ("gfp_flags", expected, "uint")


@pytest.mark.parametrize(
    ("declaration", "size", "signed", "name", "kind"),
    [
        ("__data_loc char[] path", 4, 0, "path", "loc"),
        ("__rel_loc char[] path", 4, 0, "path", "rel_loc"),
        ("__data_loc unsigned long[] mask", 4, 0, "mask", "bytes"),
        ("char buf[]", 0, 0, "buf", "rest"),
        ("const char * reason", 8, 0, "reason", "uint"),
        ("unsigned char flag", 1, 0, "flag", "uint"),
        ("u8 digest[20]", 20, 0, "digest", "bytes"),
        ("struct cpumask mask", 64, 0, "mask", "bytes"),
        ("bool accepted", 1, 0, "accepted", "uint"),
        ("s64 delta", 8, 1, "delta", "int"),
    ],
)
def test_kinds_of_fields(declaration: str, size: int, signed: int, name: str, kind: str) -> None:
    (field,) = parse_format("group", format_text("event", 1, [(declaration, 8, size, signed)])).fields
    assert (field.name, field.kind, field.offset, field.size) == (name, kind, 8, size)


def test_old_kernel_without_signed() -> None:
    text = SCHED_SWITCH.replace("\tsigned:1;", "").replace("\tsigned:0;", "")
    assert len(parse_format("sched", text).fields) == 7


@pytest.mark.parametrize("line", ["name:", "ID:", "\tfield:int common_pid"])
def test_format_without_an_essential_line_is_refused(line: str) -> None:
    text = "\n".join(row for row in SCHED_SWITCH.splitlines() if not row.startswith(line))
    with pytest.raises(TraceError, match="group sched"):
        parse_format("sched", text)


@given(st.integers(0, SCHED_SWITCH.index("common_pid")))
def test_format_cut_before_its_common_fields_is_refused(length: int) -> None:
    with pytest.raises(TraceError, match="group sched"):
        parse_format("sched", SCHED_SWITCH[:length])
