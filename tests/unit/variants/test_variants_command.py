"""``python -m android_tests.virtual``: one line and a status for what goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.contract.arch import Arch
from foundation.errors import HostError, UsageError
from harness.variants import command as command
from harness.virtual.lane import VirtualLane


@pytest.mark.parametrize(
    ("variant", "line"),
    [
        ("stok", "error: variant 'stok': a virtual device has no kind 'stok' -> did you mean 'stock'?\n"),
        (
            "kcompressd:threads",
            "error: variant 'kcompressd': option 'threads' is not KEY=VALUE"
            " -> write KIND[:KEY=VALUE,...]\n",
        ),
        (
            "kernel:image=x",
            "error: variant 'kernel': kind 'kernel' needs image=FILE and modules=DIR -> write kernel",
        ),
    ],
)
def test_a_wrong_variant_is_one_line_and_status_2(
    variant: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["boot", "--variant", variant]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(line)
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_wrong_sizes_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["boot", "--cpus", "0"]) == 2
    assert command.main(["boot", "--memory-mb", "16"]) == 2
    assert capsys.readouterr().err.count("error: ") == 2


def test_a_host_without_qemu_gets_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(arch: Arch) -> Path:
        raise HostError("no qemu", next_step="install it")

    monkeypatch.setattr(command, "find_qemu", absent)
    assert command.main(["prepare"]) == 1
    assert capsys.readouterr().err == "error: no qemu -> install it\n"


def test_no_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main([])
    assert caught.value.code == 2
    assert "prepare" in capsys.readouterr().err


def test_a_lane_that_never_booted(tmp_path: Path) -> None:
    lane = VirtualLane(workdir=tmp_path)
    assert (lane.console(), lane.crash_log(), lane.device_cpu_s(), lane.boot_s()) == ("", None, None, None)
    assert not lane.is_running()
    lane.check_alive()
    lane.close()
    lane.close()


def test_a_lane_checks_its_sizes() -> None:
    with pytest.raises(UsageError, match="0 CPUs"):
        VirtualLane(cpus=0)
    with pytest.raises(UsageError, match="64 MB"):
        VirtualLane(memory_mb=64)
