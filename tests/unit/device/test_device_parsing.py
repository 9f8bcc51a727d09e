"""Parsing of what adb, /proc and variants contain, without a device."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import DeviceError, DeviceLost, LabError, UsageError
from harness.device.adb.adb_link import error_from_adb
from harness.device.adb.adb_server import ListedDevice
from harness.device.adb.discovery import choose_from
from harness.device.adb.shell_v2 import (
    FROM_STDIN,
    MAX_INLINE,
    Kind,
    inline,
    kill_text,
    pack,
)
from harness.device.command_log import shorten
from harness.device.deadline import Deadline, wait_until
from harness.device.identity import thread_names


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("device '1234' not found", DeviceLost),
        ("device offline", DeviceLost),
        ("device still authorizing", DeviceLost),
        ("device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set", LabError),
        ("device still connecting", DeviceLost),
        ("insufficient permissions for device: user in plugdev group; no permissions", LabError),
        ("something new", DeviceError),
    ],
)
def test_words_of_adb(said: str, kind: type[Exception]) -> None:
    error = error_from_adb(said, "1234")
    assert type(error) is kind
    assert error.device == "1234"
    assert error.next_step or kind is DeviceError


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("unauthorized", "does not trust this host -> unlock the device"),
        ("offline", "is offline"),
        ("recovery", "is in recovery -> boot it: python -m android_tests adb reboot"),
        ("bootloader", "is in its bootloader -> boot it: fastboot reboot"),
        ("no permissions", "is in state 'no permissions'"),
    ],
)
def test_states_that_are_no_device(state: str, said: str) -> None:
    with pytest.raises(LabError) as caught:
        choose_from([ListedDevice("1234", state)], None, where="adb")
    assert said in str(caught.value)


def test_unusable_ones_are_listed_with_their_state() -> None:
    listed = [ListedDevice("1234", "device"), ListedDevice("5678", "offline")]
    with pytest.raises(LabError, match=r"none was chosen: 1234, 5678 \(offline\)"):
        choose_from(listed, None, where="adb")
    assert choose_from(listed, "1234", where="adb") == "1234"
    with pytest.raises(LabError, match=r"sees no device 1243 -> did you mean 1234\?"):
        choose_from(listed, "1243", where="adb")


def test_only_kernel_threads_with_a_role_count() -> None:
    lines = [
        "61 (kswapd0) S 2 0 0 0",
        "62 (kswapd0:0) S 2 0 0 0",
        "63 (kcompressd:0) R 2 0 0 0",
        "64 (kworker/0:1) I 2 0 0 0",
        "65 (kswapd0) S 1 65 0 0",
        "66 (a) b) (kswapd1) S 2 0 0 0",
        "67 (kswapd9",
        "",
    ]
    assert thread_names("\n".join(lines)) == ("kcompressd:0", "kswapd0", "kswapd0:0")


@given(text=st.text(max_size=300))
def test_any_text_of_proc_is_survived(text: str) -> None:
    assert isinstance(thread_names(text), tuple)


def test_long_commands_go_through_stdin() -> None:
    assert inline("ls", b"in") == ("echo $$; ls", b"in")
    long = "#" * MAX_INLINE
    assert inline(long, None) == (f"echo $$; {FROM_STDIN}", long.encode())
    with pytest.raises(DeviceError, match="cannot also take input"):
        inline(long, b"in")


def test_packets() -> None:
    assert pack(Kind.STDIN, b"ab") == b"\x00\x02\x00\x00\x00ab"
    assert pack(Kind.CLOSE_STDIN) == b"\x04\x00\x00\x00\x00"


def test_the_group_is_signalled_before_the_process() -> None:
    assert kill_text(7, "TERM") == "kill -TERM -7 2>/dev/null || kill -TERM 7 2>/dev/null"


def test_messages_stay_on_one_line() -> None:
    assert shorten("a\n  b\tc") == "a b c"
    assert len(shorten("x" * 500)) == 120


def test_deadlines() -> None:
    assert wait_until(lambda: True, Deadline(0.01))
    assert not wait_until(lambda: False, Deadline(0.01), every_s=0.001)
    with pytest.raises(UsageError):
        Deadline(-1)
