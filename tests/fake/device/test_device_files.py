"""Files to and from the device: complete and verified, or an error with the reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.errors import CommandFailed, DeviceError, DeviceLost, HostError, UsageError
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from tests.stand_ins.device import FakeDevice

_REMOTE = "/data/local/tmp/file"
_SIZES = [0, 1, 4096, 65535, 65536, 65537, 3 * 65536, 1_000_003]


@pytest.mark.parametrize("size", _SIZES)
def test_push_then_pull(device: AdbDevice, fake: FakeDevice, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    local, back = tmp_path / "local", tmp_path / "back"
    local.write_bytes(content)
    device.push(local, _REMOTE, mode=0o755, sha256=True)
    assert fake.files.read(_REMOTE) == content
    assert fake.files.node(_REMOTE).mode == 0o755
    seen: list[int] = []
    device.pull(_REMOTE, back, progress=seen.append, sha256=True)
    assert back.read_bytes() == content
    assert seen == sorted(seen)
    assert (seen[-1] if seen else 0) == size


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200_000))
def test_any_bytes(device: AdbDevice, tmp_path: Path, content: bytes) -> None:
    device.push_bytes(content, _REMOTE)
    device.pull(_REMOTE, tmp_path / "any")
    assert (tmp_path / "any").read_bytes() == content


def test_stat_v1_devices_work_too(adb: AdbServer, tmp_path: Path) -> None:
    with FakeDevice(features=("shell_v2",)) as old:
        device = AdbDevice(adb, adb.connect(old.serial))
        device.push_bytes(b"old", _REMOTE)
        device.pull(_REMOTE, tmp_path / "old")
        assert (tmp_path / "old").read_bytes() == b"old"
        assert device.stat("/nowhere") is None
        adb.disconnect(old.serial)


def test_files_of_proc_and_sys_have_no_size(device: AdbDevice, tmp_path: Path) -> None:
    for path in ("/proc/sys/vm/swappiness", "/sys/block/zram0/comp_algorithm"):
        device.pull(path, tmp_path / "value")
        assert (tmp_path / "value").read_text() == device.read_text(path)


def test_truncated_pull_is_an_error_and_leaves_nothing(
    device: AdbDevice, fake: FakeDevice, tmp_path: Path
) -> None:
    fake.files.put(_REMOTE, b"x" * 100_000)
    fake.faults.truncate_pull_to = 70_000
    with pytest.raises(
        DeviceError, match=r"70000 bytes of .* were pulled, but the device has 100000 -> pull"
    ):
        device.pull(_REMOTE, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_former_file_survives_a_failed_pull(device: AdbDevice, fake: FakeDevice, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("former")
    fake.files.put(_REMOTE, b"x" * 100_000)
    fake.faults.truncate_pull_to = 1
    with pytest.raises(DeviceError):
        device.pull(_REMOTE, target)
    assert target.read_text() == "former"
    assert list(tmp_path.iterdir()) == [target]


def test_connection_lost_in_a_pull(device: AdbDevice, fake: FakeDevice, tmp_path: Path) -> None:
    fake.files.put(_REMOTE, b"x" * 500_000)
    fake.faults.drop_in_pull_after = 200_000
    with pytest.raises(DeviceLost, match="the pull of"):
        device.pull(_REMOTE, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
    assert device.reconnect(deadline_s=20)
    device.pull(_REMOTE, tmp_path / "file")
    assert (tmp_path / "file").stat().st_size == 500_000


def test_connection_lost_in_a_push(device: AdbDevice, fake: FakeDevice) -> None:
    fake.faults.drop_in_push_after = 200_000
    with pytest.raises(DeviceLost, match="the push to"):
        device.push_bytes(b"x" * 2_000_000, _REMOTE)
    assert not fake.files.exists(_REMOTE)
    assert device.reconnect(deadline_s=20)
    device.push_bytes(b"x" * 2_000_000, _REMOTE)
    assert len(fake.files.read(_REMOTE)) == 2_000_000


def test_push_that_lost_bytes_on_the_device(device: AdbDevice, fake: FakeDevice) -> None:
    fake.faults.lose_in_push = 10
    with pytest.raises(DeviceError, match=r"5000 bytes were pushed to .*, which holds 10 bytes"):
        device.push_bytes(b"x" * 5000, _REMOTE)


def test_wrong_hash(device: AdbDevice, fake: FakeDevice, tmp_path: Path) -> None:
    fake.files.put(_REMOTE, b"right")
    fake.faults.read_back[_REMOTE] = b"wrong"
    local = tmp_path / "local"
    local.write_bytes(b"right")
    with pytest.raises(DeviceError, match="different SHA-256"):
        device.push(local, _REMOTE, sha256=True)


@pytest.mark.parametrize(
    ("remote", "said"), [("/nowhere/x", "No such file"), ("/sys/block/zram0/nothing", "Permission denied")]
)
def test_push_where_it_cannot_be(device: AdbDevice, remote: str, said: str) -> None:
    with pytest.raises(DeviceError, match=f"cannot be written: .*{said}"):
        device.push_bytes(b"x" * 300_000, remote)
    assert device.shell(["echo", "still here"]).stdout == "still here\n"


def test_pull_of_what_is_not_there(device: AdbDevice, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="/nowhere does not exist"):
        device.pull("/nowhere", tmp_path / "x")
    with pytest.raises(DeviceError, match="is a folder"):
        device.pull("/data/local/tmp", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_local_paths_that_do_not_work(device: AdbDevice, fake: FakeDevice, tmp_path: Path) -> None:
    fake.files.put(_REMOTE, b"x")
    with pytest.raises(UsageError, match="cannot be read"):
        device.push(tmp_path / "missing", _REMOTE)
    with pytest.raises(HostError, match="cannot be written"):
        device.pull(_REMOTE, tmp_path / "no" / "folder")


def test_text_is_written_and_read(device: AdbDevice) -> None:
    text = "two\nlines, 'quotes' and $dollars\n"
    device.write_text(_REMOTE, text)
    assert device.read_text(_REMOTE) == text
    device.write_text(_REMOTE, "")
    assert device.read_text(_REMOTE) == ""


def test_the_kernels_reason_for_a_refused_write(device: AdbDevice) -> None:
    with pytest.raises(CommandFailed, match="write error: Invalid argument"):
        device.write_text("/proc/sys/vm/swappiness", "many")
    assert device.read_text("/proc/sys/vm/swappiness") == "60\n"
    with pytest.raises(CommandFailed, match="can't create /nowhere/x: No such file"):
        device.write_text("/nowhere/x", "1")


def test_the_real_kernels_reason_for_a_refused_write(host_device: AdbDevice) -> None:
    if not host_device.is_root:
        pytest.skip("only root may try to write a sysctl")
    before = Path("/proc/sys/vm/swappiness").read_text()
    with pytest.raises(CommandFailed, match=r"Invalid argument|Read-only file system"):
        host_device.write_text("/proc/sys/vm/swappiness", "many")
    assert Path("/proc/sys/vm/swappiness").read_text() == before


def test_read_of_what_is_not_there(device: AdbDevice) -> None:
    with pytest.raises(CommandFailed, match="cat: /nowhere: No such file or directory"):
        device.read_text("/nowhere")


def test_slow_transfer(device: AdbDevice, fake: FakeDevice, tmp_path: Path) -> None:
    fake.files.put(_REMOTE, b"x" * 300_000)
    fake.faults.delay_s = 0.02
    device.pull(_REMOTE, tmp_path / "slow")
    assert (tmp_path / "slow").stat().st_size == 300_000
