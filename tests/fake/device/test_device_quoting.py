"""Any text that can be an argument reaches a program on the device unchanged, through real shells."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.quoting import quote
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from tests.stand_ins.device import FakeDevice, HostShell

#: Android's own shell is mksh; it is tried where it is installed.
_SHELLS = [
    shell for shell in (["sh"], ["bash"], ["busybox", "sh"], ["mksh"]) if shutil.which(shell[0]) is not None
]

_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
_WORDS = st.text(_CHARACTERS, max_size=60) | st.text("'\"\\$`!*?[]{}()<>|&;#~= \t\n-%a", max_size=30)


@pytest.fixture(scope="module", params=_SHELLS, ids=" ".join)
def shell_device(request: pytest.FixtureRequest, adb: AdbServer) -> Iterator[AdbDevice]:
    with FakeDevice(shell=HostShell(request.param)) as made:
        yield AdbDevice(adb, adb.connect(made.serial))
        adb.disconnect(made.serial)


@settings(max_examples=60)
@given(words=st.lists(_WORDS, max_size=5))
def test_arguments_round_trip(shell_device: AdbDevice, words: list[str]) -> None:
    # A format without words would print one empty line.
    expected = "".join(f"<{word}>\n" for word in ["begin", *words])
    assert shell_device.shell(["/usr/bin/printf", "<%s>\\n", "begin", *words]).stdout == expected


@settings(max_examples=30)
@given(word=_WORDS)
def test_quoted_value_in_a_script(shell_device: AdbDevice, word: str) -> None:
    result = shell_device.script(f"value={quote(word)}; printf '%s|' \"$value\"")
    assert result.stdout == f"{word}|"


@settings(max_examples=30)
@given(text=st.text(_CHARACTERS, max_size=4000))
def test_text_on_stdin_round_trips(shell_device: AdbDevice, text: str) -> None:
    assert shell_device.shell(["cat"], stdin=text.encode()).stdout == text


def test_first_word_is_always_a_program(shell_device: AdbDevice) -> None:
    result = shell_device.shell(["A=B"], check=False)
    assert result.exit_status == 127
