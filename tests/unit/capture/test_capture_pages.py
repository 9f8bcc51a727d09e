"""Pages of the kernel's trace buffer: every kind of record, time, loss, damage."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import TraceError
from harness.capture.ftrace.ftrace_format import parse_header_page
from harness.capture.ftrace.ftrace_pages import decode_page, read_pages
from tests.unit.capture.capture_ring import HEADER_PAGE, PAGE, Ring

LAYOUT = parse_header_page(HEADER_PAGE)
T0 = 5_000_000_000


def decoded(ring: Ring) -> list[tuple[int, bytes]]:
    ring.close()
    found = []
    for data in ring.pages:
        page = decode_page(data, LAYOUT)
        found += [(time, page.data[start : start + length]) for time, start, length in page.records]
    return found


def test_layout_is_read_from_the_kernel() -> None:
    assert (LAYOUT.commit_offset, LAYOUT.commit_size, LAYOUT.data_offset, LAYOUT.page_size) == (
        8,
        8,
        16,
        4096,
    )


def test_layout_of_a_32_bit_kernel() -> None:
    layout = parse_header_page(
        "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
        "\tfield: local_t commit;\toffset:8;\tsize:4;\tsigned:1;\n"
        "\tfield: char data;\toffset:12;\tsize:4084;\tsigned:1;\n"
    )
    assert (layout.commit_size, layout.data_offset, layout.page_size) == (4, 12, 4096)


def test_header_page_without_data_is_refused() -> None:
    with pytest.raises(TraceError, match="no field 'data'"):
        parse_header_page("\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n")


def test_short_and_long_records_keep_time_and_content() -> None:
    ring = Ring()
    bodies = [b"abcd", b"x" * 112, b"y" * 116, b"z" * 400]
    for step, body in enumerate(bodies):
        ring.event(T0 + 1000 * step, body)
    assert decoded(ring) == [(T0 + 1000 * step, body) for step, body in enumerate(bodies)]


def test_time_extend_carries_more_than_27_bits() -> None:
    ring = Ring()
    times = [T0, T0 + (1 << 27) - 1, T0 + (1 << 28), T0 + (1 << 28) + (1 << 40), T0 + (1 << 50)]
    for time in times:
        ring.event(time, b"abcd")
    assert [time for time, _ in decoded(ring)] == times


def test_absolute_time_keeps_the_upper_bits_of_the_page_time() -> None:
    high = 3 << 59
    ring = Ring(absolute=True)
    times = [high + T0, high + T0 + 7, high + T0 + (1 << 33)]
    for time in times:
        ring.event(time, b"abcd")
    assert [time for time, _ in decoded(ring)] == times


def test_discarded_record_is_skipped_and_its_time_counts() -> None:
    ring = Ring()
    ring.event(T0, b"abcd")
    ring.event(T0 + 50, b"gone" * 3, discarded=True)
    ring.event(T0 + 90, b"efgh")
    assert decoded(ring) == [(T0, b"abcd"), (T0 + 90, b"efgh")]


def test_null_padding_ends_the_page() -> None:
    ring = Ring()
    ring.event(T0, b"abcd")
    ring.null_padding()
    assert decoded(ring) == [(T0, b"abcd")]


def test_page_without_records() -> None:
    page = decode_page(T0.to_bytes(8, "little") + bytes(PAGE - 8), LAYOUT)
    assert page.records == []
    assert page.missed == 0


@pytest.mark.parametrize("count", [1, 77_000, None])
def test_missed_events_are_told(count: int | None) -> None:
    ring = Ring()
    ring.event(T0, b"abcd")
    ring.miss(count)
    ring.event(T0 + 10, b"efgh")
    ring.close()
    assert [decode_page(page, LAYOUT).missed for page in ring.pages] == [0, count]


@pytest.mark.parametrize("keep", [0, 1, 15, 2048, 4095])
def test_cut_page_names_file_and_page(tmp_path: Path, keep: int) -> None:
    ring = Ring()
    for step in range(300):
        ring.event(T0 + step, b"abcd" * 5)
    path = tmp_path / "cpu0.raw"
    path.write_bytes(ring.raw()[: PAGE + keep])
    if keep == 0:
        assert len(list(read_pages(path, LAYOUT))) == 1
        return
    with pytest.raises(TraceError, match=rf"{keep} of 4096 bytes \(cpu0.raw, page 1\)"):
        list(read_pages(path, LAYOUT))


def test_commit_beyond_the_page_is_damage() -> None:
    data = T0.to_bytes(8, "little") + (5000).to_bytes(8, "little") + bytes(PAGE - 16)
    with pytest.raises(TraceError, match="5000 bytes committed of 4080"):
        decode_page(data, LAYOUT)


def test_record_past_the_committed_bytes_is_damage() -> None:
    ring = Ring()
    ring.event(T0, b"abcd" * 10)
    page = bytearray(ring.raw())
    page[8:16] = (24).to_bytes(8, "little")
    with pytest.raises(TraceError, match="runs 20 bytes past"):
        decode_page(bytes(page), LAYOUT)


def test_head_of_a_long_record_cut_off_is_damage() -> None:
    page = T0.to_bytes(8, "little") + (4).to_bytes(8, "little") + bytes(PAGE - 16)
    with pytest.raises(TraceError, match="its head is cut"):
        decode_page(page, LAYOUT)


RECORDS = st.lists(
    st.tuples(
        st.integers(0, 1 << 45), st.integers(1, 100).map(lambda words: 4 * words), st.binary(max_size=8)
    ),
    max_size=200,
)


@given(RECORDS, st.booleans())
def test_any_records_come_back_as_written(records: list[tuple[int, int, bytes]], absolute: bool) -> None:
    ring = Ring(absolute=absolute)
    written, time = [], T0
    for delta, size, seed in records:
        time += delta
        body = (seed + bytes(size))[:size]
        ring.event(time, body)
        written.append((time, body))
    assert decoded(ring) == written


@given(st.binary(min_size=PAGE - 16, max_size=PAGE - 16), st.integers(0, (1 << 64) - 1))
def test_noise_is_decoded_or_refused_but_never_crashes(noise: bytes, commit: int) -> None:
    data = bytes(8) + commit.to_bytes(8, "little") + noise
    try:
        page = decode_page(data, LAYOUT)
    except TraceError:
        return
    assert all(start >= 16 and start + length <= PAGE for _, start, length in page.records)
