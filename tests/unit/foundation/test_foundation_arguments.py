"""One-line errors and exit statuses of command lines."""

from __future__ import annotations

import pytest

from foundation.arguments import INTERRUPTED, OneLineParser, exit_status_of
from foundation.errors import HostError, UsageError


def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    parser = OneLineParser(prog="suite")
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["--unknown"])
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: unrecognized arguments: --unknown -> see suite --help\n"


def _raise(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (
            UsageError("no such word", next_step="write another"),
            4,
            "error: no such word -> write another\n",
        ),
        (HostError("no room"), 3, "error: no room\n"),
        (KeyboardInterrupt(), INTERRUPTED, "interrupted\n"),
    ],
)
def test_how_a_command_ends(
    error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_status_of(lambda: _raise(error), usage=4, failed=3) == status
    assert capsys.readouterr() == ("", line)


def test_a_command_that_ends_well_keeps_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status_of(lambda: 7) == 7
    assert capsys.readouterr() == ("", "")


def test_a_defect_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        exit_status_of(lambda: 1 // 0)
