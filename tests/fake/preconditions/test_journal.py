"""What a killed run, or a cable that stayed out, leaves on a phone is undone by the next one."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from android_tests.__main__ import main
from foundation.cache import ENV_CACHE
from foundation.errors import HostError, LabError, StateError, UsageError
from foundation.state import state_dir, state_root
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.lane_phone import open_phone
from harness.device.preconditions.journal import Journal, process_of
from harness.device.preconditions.memory_pins import page_cluster, swappiness
from harness.device.preconditions.pinned import PinnedState, left_behind, undo_left
from harness.device.preconditions.protocol import Pin
from harness.device.preconditions.zram import ZramPin
from tests.stand_ins.device import FakeDevice
from tests.variants import boot_into, phone_variant

ROOT = Path(__file__).parents[3]
_SWAPPINESS = "/proc/sys/vm/swappiness"
_CLUSTER = "/proc/sys/vm/page-cluster"

#: A run as any other, until it is killed with its settings on the phone.
_KILLED = """
import os, signal, sys
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.preconditions.memory_pins import page_cluster, swappiness
from harness.device.preconditions.pinned import PinnedState
from harness.device.preconditions.zram import ZramPin
device = AdbDevice(AdbServer.attach(int(sys.argv[1])), sys.argv[2])
with PinnedState(device) as state:
    state.apply([swappiness(100), page_cluster(0), ZramPin(64, "zstd")])
    if sys.argv[3] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    print("holding", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ENV_CACHE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def run_that_is_killed(adb: AdbServer, fake: FakeDevice) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(adb.port), fake.serial, "die"],
        cwd=ROOT,
        timeout=60,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == -signal.SIGKILL
    assert values(fake) == ("100", "0", 64 << 20)


def values(fake: FakeDevice) -> tuple[str, str, int]:
    read = [fake.files.read(path).decode().strip() for path in (_SWAPPINESS, _CLUSTER)]
    return read[0], read[1], fake.zram.disksize


BEFORE = ("60", "3", 32 << 20)


@pytest.fixture
def phone(fake: FakeDevice, cache: Path) -> FakeDevice:
    fake.zram.setup(size_mb=32, algorithm="lz4", priority=5)
    return fake


def test_undone_after_sigkill(adb: AdbServer, phone: FakeDevice, device: AdbDevice) -> None:
    run_that_is_killed(adb, phone)
    assert [note.pin.name for note in left_behind(device.serial)] == [
        "vm.swappiness",
        "vm.page-cluster",
        "zram0",
    ]
    assert undo_left(device) == [
        "zram0: disksize=33554432 algorithm=lz4 swap=5 backing=none",
        "vm.page-cluster: 3",
        "vm.swappiness: 60",
    ]
    assert values(phone) == BEFORE
    assert left_behind(device.serial) == []
    assert undo_left(device) == []


def test_the_next_run_undoes_it_first(adb: AdbServer, phone: FakeDevice, device: AdbDevice) -> None:
    run_that_is_killed(adb, phone)
    lane = open_phone("phone-0", serial=phone.serial, adb_port=adb.port)
    boot_into(lane, phone_variant("as=as-is"))
    assert values(phone) == BEFORE
    lane.close()


def test_the_command(
    adb: AdbServer, phone: FakeDevice, device: AdbDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--serial", phone.serial, "--adb-port", str(adb.port)]
    run_that_is_killed(adb, phone)
    main(["doctor", *options])
    assert "A killed run left its settings on this device" in capsys.readouterr().out
    assert main(["restore", "--dry-run", *options]) == 0
    assert "vm.swappiness: would be 60\n" in capsys.readouterr().out
    assert values(phone)[0] == "100"
    assert main(["restore", *options]) == 0
    assert f"[{phone.serial}] vm.swappiness: 60\n" in capsys.readouterr().out
    assert values(phone) == BEFORE
    assert main(["restore", *options]) == 0
    assert "nothing was left behind" in capsys.readouterr().out


def test_a_restart_needs_no_undoing(adb: AdbServer, phone: FakeDevice, device: AdbDevice) -> None:
    run_that_is_killed(adb, phone)
    phone.restart()
    assert device.reconnect(deadline_s=20)
    phone.files.write(_SWAPPINESS, b"77")
    assert undo_left(device) == [
        f"{name}: reset by a reboot" for name in ("vm.swappiness", "vm.page-cluster", "zram0")
    ]
    assert values(phone)[0] == "77"
    assert left_behind(device.serial) == []


def test_a_cable_that_stays_out(phone: FakeDevice, device: AdbDevice) -> None:
    state = PinnedState(device, reconnect_deadline_s=0.5)
    state.apply([swappiness(100), page_cluster(0)])
    phone.vanish()
    with pytest.raises(StateError, match="settings were left behind"):
        state.restore()
    assert len(left_behind(device.serial)) == 2
    phone.come_back()
    assert device.reconnect(deadline_s=20)
    undo_left(device)
    assert values(phone) == BEFORE
    assert left_behind(device.serial) == []


def test_what_cannot_be_undone_stays_noted(adb: AdbServer, phone: FakeDevice, device: AdbDevice) -> None:
    run_that_is_killed(adb, phone)
    phone.faults.refuse_write[_SWAPPINESS] = errno.EPERM
    with pytest.raises(StateError, match=r"vm\.swappiness \(was 60\)"):
        undo_left(device)
    assert [note.pin.name for note in left_behind(device.serial)] == ["vm.swappiness"]
    assert values(phone) == ("100", *BEFORE[1:])
    phone.faults.refuse_write.clear()
    undo_left(device)
    assert values(phone) == BEFORE


def test_a_run_that_still_holds_the_phone(adb: AdbServer, phone: FakeDevice, device: AdbDevice) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(adb.port), phone.serial, "hold"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"holding\n"
        with pytest.raises(LabError, match=f"process {run.pid} of this machine uses it"):
            undo_left(device)
        assert values(phone)[0] == "100"
        run.communicate(timeout=60)
    assert values(phone) == BEFORE
    assert left_behind(device.serial) == []


def test_noted_before_it_is_written(phone: FakeDevice, device: AdbDevice) -> None:
    """And a write that never happened does no harm: the setting is unchanged."""
    boot_id = device.read_text("/proc/sys/kernel/random/boot_id").strip()
    Journal(device.serial).add(swappiness(100), "60", boot_id)
    assert undo_left(device) == ["vm.swappiness: 60"]
    assert not [text for text in phone.commands if "cat >" in text]


def test_nothing_is_changed_that_cannot_be_noted(
    phone: FakeDevice, device: AdbDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HostError, match="cannot be recorded: No space left"), PinnedState(device) as state:
        state.apply([swappiness(100)])
    assert values(phone) == BEFORE


def test_nothing_is_left_of_a_run_that_ended(phone: FakeDevice, device: AdbDevice) -> None:
    with PinnedState(device) as state:
        state.apply([swappiness(100), ZramPin(64, "zstd")])
        assert len(left_behind(device.serial)) == 2
    assert values(phone) == BEFORE
    assert [path for path in state_root().rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "text", ["", "{}", '{"format": 2}', "[1]", '{"format": 1, "module": "pins", "pin": "Nothing"}']
)
def test_a_file_that_is_not_a_note(phone: FakeDevice, device: AdbDevice, text: str) -> None:
    folder = state_dir("pins", quote(device.serial, safe=""))
    (folder / "000001.json").write_text(text)
    with pytest.raises(UsageError, match="is not a record of a change"):
        undo_left(device)


def test_serials_of_any_letters(phone: FakeDevice) -> None:
    Journal("../a b:5555").add(swappiness(1), "60", "boot")
    (path,) = state_root().rglob("*.json")
    assert path.parent.parent == state_root() / "pins"
    assert json.loads(path.read_text())["serial"] == "../a b:5555"


def left_by_an_earlier_version(
    phone: FakeDevice, device: AdbDevice, cache: Path, **changes: object
) -> Path:
    """A phone with swappiness 100, and the note of it as versions wrote it into the cache."""
    phone.files.write(_SWAPPINESS, b"100")
    note = {
        "format": 1,
        "serial": device.serial,
        "boot_id": device.read_text("/proc/sys/kernel/random/boot_id").strip(),
        "owner": [2**22 + 1, "1"],
        "module": "pins",
        "pin": "FilePin",
        "fields": {"name": "vm.swappiness", "path": _SWAPPINESS, "wanted": "100"},
        "before": "60",
    }
    folder = cache / "pins" / quote(device.serial, safe="")
    folder.mkdir(parents=True)
    path = folder / "000007.json"
    path.write_text(json.dumps({**note, **changes}))
    return path


def test_what_an_earlier_version_left_in_the_cache_is_undone(
    phone: FakeDevice, device: AdbDevice, cache: Path
) -> None:
    left_by_an_earlier_version(phone, device, cache)
    assert undo_left(device) == ["vm.swappiness: 60"]
    assert values(phone) == BEFORE
    assert left_behind(device.serial) == []
    assert [path for root in (cache, state_root()) for path in root.rglob("*") if path.is_file()] == []


def test_what_an_earlier_version_left_outlives_the_cache_once_it_was_seen(
    phone: FakeDevice, device: AdbDevice, cache: Path
) -> None:
    left_by_an_earlier_version(phone, device, cache)
    boot_id = device.read_text("/proc/sys/kernel/random/boot_id").strip()
    Journal(device.serial).add(swappiness(30), "100", boot_id)
    phone.files.write(_SWAPPINESS, b"30")
    assert [note.before for note in left_behind(device.serial)] == ["60", "100"], "oldest first"
    shutil.rmtree(cache)
    assert [note.before for note in left_behind(device.serial)] == ["60", "100"]
    undo_left(device)
    assert values(phone) == BEFORE


def test_a_run_of_an_earlier_version_that_still_holds_the_phone(
    phone: FakeDevice, device: AdbDevice, cache: Path
) -> None:
    path = left_by_an_earlier_version(phone, device, cache, owner=process_of(os.getppid()))
    with pytest.raises(LabError, match="of this machine uses it"):
        undo_left(device)
    assert path.exists(), "its process removes it there"
    assert not list(state_root().rglob("*.json"))


def test_where_nothing_can_be_moved_the_cache_is_honoured(
    phone: FakeDevice, device: AdbDevice, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = left_by_an_earlier_version(phone, device, cache)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert [note.path for note in left_behind(device.serial)] == [path]
        assert undo_left(device) == ["vm.swappiness: 60"]
    assert not path.exists()


def test_clearing_the_cache_loses_nothing(
    adb: AdbServer, phone: FakeDevice, device: AdbDevice, cache: Path
) -> None:
    run_that_is_killed(adb, phone)
    shutil.rmtree(cache, ignore_errors=True)
    undo_left(device)
    assert values(phone) == BEFORE


#: As the suite has always written them; what is held on somebody's phone now must be undone by what comes.
_OLD_NOTES = (
    (
        "vm.swappiness",
        "FilePin",
        """{"format": 1, "serial": "S", "boot_id": "b", "owner": [1, "gone"], "module": "pins",
        "pin": "FilePin", "fields": {"name": "vm.swappiness", "path": "/proc/sys/vm/swappiness",
        "wanted": "100", "optional": false, "absent_as": null}, "before": "60"}""",
    ),
    (
        "zram0",
        "ZramPin",
        """{"format": 1, "serial": "S", "boot_id": "b", "owner": [1, "gone"], "module": "zram",
        "pin": "ZramPin", "fields": {"size_mb": 64, "algorithm": "zstd", "device_name": "zram0"},
        "before": "disksize=33554432 algorithm=lz4 swap=5 backing=none"}""",
    ),
    (
        "cpufreq policy4",
        "CpufreqPin",
        """{"format": 1, "serial": "S", "boot_id": "b", "owner": [1, "gone"], "module": "cpufreq",
        "pin": "CpufreqPin", "fields": {"policy": "policy4", "khz": 1695885},
        "before": "governor=walt min=307200 max=2016000"}""",
    ),
    (
        "settings system user_rotation",
        "SettingPin",
        """{"format": 1, "serial": "S", "boot_id": "b", "owner": [1, "gone"], "module": "command_pins",
        "pin": "SettingPin", "fields": {"precondition": "rotation", "namespace": "system",
        "key": "user_rotation", "wanted": "0"}, "before": "absent"}""",
    ),
    (
        "airplane mode",
        "CommandPin",
        """{"format": 1, "serial": "S", "boot_id": "b", "owner": [1, "gone"], "module": "command_pins",
        "pin": "CommandPin", "fields": {"precondition": "airplane", "name": "airplane mode",
        "reading": "cmd connectivity airplane-mode", "pattern": "^(enabled|disabled)\\\\s*$",
        "writing": {"enabled": "cmd connectivity airplane-mode enable",
        "disabled": "cmd connectivity airplane-mode disable"}, "values": {}, "otherwise": null,
        "wanted": "enabled", "survives_restart": true,
        "advice": "set it by hand, and see what else sets it"}, "before": "disabled"}""",
    ),
)


@pytest.mark.parametrize(("name", "kind", "text"), _OLD_NOTES, ids=[name for name, _, _ in _OLD_NOTES])
def test_a_note_of_an_older_suite_can_be_read(cache: Path, name: str, kind: str, text: str) -> None:
    journal = Journal("S")
    (state_dir("pins", "S") / "000001.json").write_text(text)
    (note,) = journal.notes()
    assert (note.pin.name, type(note.pin).__name__) == (name, kind)
    assert isinstance(note.pin, Pin)
    assert note.pin.survives_restart == (kind in ("SettingPin", "CommandPin"))
    assert note.pin.verify(note.before, note.before)


def test_a_note_of_an_older_suite_is_undone(phone: FakeDevice, device: AdbDevice) -> None:
    """The pin of swappiness, as written to disk before pins knew the names of their preconditions."""
    boot_id = device.read_text("/proc/sys/kernel/random/boot_id").strip()
    phone.files.write(_SWAPPINESS, b"100")
    (_, _, text), *_ = _OLD_NOTES
    content = json.loads(text) | {"serial": device.serial, "boot_id": boot_id}
    (state_dir("pins", quote(device.serial, safe="")) / "000001.json").write_text(json.dumps(content))
    assert undo_left(device) == ["vm.swappiness: 60"]
    assert values(phone) == BEFORE
    assert left_behind(device.serial) == []
