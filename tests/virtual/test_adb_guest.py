"""The guest's adb daemon, which is AOSP's, behind the host's clock: adbutils' own client and ours."""

from __future__ import annotations

import contextlib
import hashlib
import random
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import adbutils
import pytest

from foundation.errors import DeviceError, DeviceLost
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.virtual.base import parse_base
from harness.virtual.lane import VirtualLane
from tests.variants import boot_into, virtual_variant

# Emulated amd64 costs the least on a busy host.
BASE = parse_base("6.12-amd64")
FOLDER = "/data/local/tmp/adb-test"


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualLane]:
    opened = VirtualLane(base=BASE, clock="host", workdir=tmp_path_factory.mktemp("lane"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def ours(lane: VirtualLane) -> AdbDevice:
    device = boot_into(lane, virtual_variant("baseline=stock", BASE))
    assert isinstance(device, AdbDevice)
    device.script(f"mkdir -p {FOLDER}")
    return device


@pytest.fixture(scope="module")
def theirs(ours: AdbDevice, lane: VirtualLane) -> adbutils.AdbDevice:
    server = lane._server
    assert isinstance(server, AdbServer)
    return adbutils.AdbClient("127.0.0.1", server.port, socket_timeout=30.0).device(ours.serial)


def test_facts_of_a_lane_by_the_hosts_clock(lane: VirtualLane, ours: AdbDevice) -> None:
    facts = lane.describe()
    assert (facts["clock"], facts["cpus"]) == ("host", "2")
    assert facts["accelerator"] in ("kvm", "tcg")
    assert facts["accelerator_reason"]
    assert ours.serial.startswith("127.0.0.1:")
    assert ours.is_root
    assert ours.shell(["nproc"]).stdout == "2\n"
    assert ours.read_text("/sys/devices/system/clocksource/clocksource0/current_clocksource") == "tsc\n"


def test_the_daemon_is_the_real_one(theirs: adbutils.AdbDevice) -> None:
    features = set(theirs.get_features().split(","))
    assert {"shell_v2", "cmd", "stat_v2", "ls_v2", "sendrecv_v2", "sendrecv_v2_zstd"} <= features
    assert theirs.prop.get("ro.build.type") == "userdebug"
    assert theirs.get_state() == "device"


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_a_shell_has_its_status_and_both_streams(theirs: adbutils.AdbDevice, status: int) -> None:
    done = theirs.shell2(f"echo to out; echo to err >&2; exit {status}", v2=True)
    assert (done.returncode, done.stdout, done.stderr) == (status, "to out\n", "to err\n")


def test_a_large_output_is_whole(theirs: adbutils.AdbDevice) -> None:
    done = theirs.shell2("head -c 5000000 /dev/zero | tr '\\0' x", v2=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout == "x" * 5_000_000


def test_files_there_and_back_are_equal(theirs: adbutils.AdbDevice, tmp_path: Path) -> None:
    content = random.Random(2).randbytes(20_000_000)
    local, remote, back = tmp_path / "there", f"{FOLDER}/large", tmp_path / "back"
    local.write_bytes(content)
    theirs.sync.push(local, remote, mode=0o640)
    facts = theirs.sync.stat(remote)
    # The daemon gives group and others the owner's rights, as on phones.
    assert (facts.size, stat.S_IMODE(facts.mode), stat.S_ISREG(facts.mode)) == (20_000_000, 0o666, True)
    assert theirs.shell(["sha256sum", remote]).split()[0] == hashlib.sha256(content).hexdigest()
    assert theirs.sync.pull(remote, back) == 20_000_000
    assert back.read_bytes() == content
    listed = {entry.path: entry.size for entry in theirs.sync.list(FOLDER)}
    assert listed["large"] == 20_000_000
    assert not theirs.sync.exists(f"{FOLDER}/absent")
    theirs.shell(["rm", remote])


def test_forwarded_ports_and_sockets_reach_the_guest(theirs: adbutils.AdbDevice) -> None:
    echo = theirs.shell("toybox nc -s 127.0.0.1 -p 7001 -L cat", stream=True)
    try:
        theirs.shell("until grep -q ':1B59 ' /proc/net/tcp; do sleep 0.1; done", timeout=30)
        port = theirs.forward_port(7001)
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(b"through the forwarder\n")
            assert connection.makefile("rb").readline() == b"through the forwarder\n"
        with theirs.create_connection(adbutils.Network.TCP, 7001) as connection:
            connection.sendall(b"without one\n")
            assert connection.makefile("rb").readline() == b"without one\n"
        theirs.forward_remove(f"tcp:{port}")
        assert theirs.forward_list() == []
    finally:
        echo.close()


def test_a_stream_is_read_line_by_line_and_ends_with_its_reader(theirs: adbutils.AdbDevice) -> None:
    go = f"{FOLDER}/go"
    stream = theirs.shell(
        f"echo pid $$; for i in 1 2 3; do rm -f {go}; echo line $i; until [ -e {go} ]; do sleep 0.1; done;"
        " done; while :; do echo more; sleep 0.1; done",
        stream=True,
    )
    lines = stream.conn.makefile("r")
    pid = lines.readline().split()[1]
    for number in (1, 2, 3):
        # It goes on only once its line was read here.
        assert lines.readline() == f"line {number}\n"
        theirs.shell(["touch", go])
    assert lines.readline() == "more\n"
    lines.close()
    stream.close()
    # The daemon hangs the shell up; it notices at its next line.
    theirs.shell(f"until [ ! -e /proc/{pid} ]; do sleep 0.1; done", timeout=60)


def test_several_streams_at_once(ours: AdbDevice, tmp_path: Path) -> None:
    content = random.Random(1).randbytes(3_000_000)

    def run(i: int) -> str:
        if i % 2:
            return str(ours.script(f"sleep 0.3; exit {i}", check=False).exit_status)
        remote, local = f"{FOLDER}/stream{i}", tmp_path / f"back{i}"
        ours.push_bytes(content, remote)
        ours.pull(remote, local)
        ours.shell(["rm", remote])
        return hashlib.sha256(local.read_bytes()).hexdigest()

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(run, range(8)))
    assert results[1::2] == ["1", "3", "5", "7"]
    assert set(results[0::2]) == {hashlib.sha256(content).hexdigest()}


def test_a_full_file_system_is_told(ours: AdbDevice) -> None:
    ours.script("mkdir -p /mnt/small; mount -t tmpfs -o size=256k none /mnt/small")
    try:
        with pytest.raises(DeviceError, match="No space left"):
            ours.push_bytes(b"x" * 1_000_000, "/mnt/small/file")
    finally:
        ours.shell(["umount", "/mnt/small"])


def test_the_daemon_comes_back(lane: VirtualLane, ours: AdbDevice) -> None:
    with pytest.raises(DeviceLost):
        ours.script("kill -9 $(pidof adbd); sleep 30")
    assert ours.reconnect(deadline_s=60)
    assert ours.script("echo back").stdout == "back\n"
    assert "adbd ended with status" in lane.console()
    assert lane.crash_log() is None


# The last: Debian's build of the daemon has neither service (it is root already), and says so at once.
def test_root_and_reboot_services_are_answered(theirs: adbutils.AdbDevice, lane: VirtualLane) -> None:
    for service in ("root:", "reboot:"):
        with theirs.open_transport() as connection:
            connection.send_command(service)
            with contextlib.suppress(adbutils.AdbError):
                connection.check_okay()
                connection.read_until_close()
    assert theirs.shell(["id", "-u"]).strip() == "0"
    assert lane.is_running()
