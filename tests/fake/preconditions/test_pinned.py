"""Settings are set, read back, and put back in reverse, whatever happens in between."""

from __future__ import annotations

import errno
import signal
import threading

import pytest

from foundation.errors import NotReady, StateError
from harness.device.adb.adb_device import AdbDevice
from harness.device.deadline import Deadline, wait_until
from harness.device.preconditions.checks import EmptySwap
from harness.device.preconditions.memory_pins import mglru, page_cluster, swappiness, thp_never
from harness.device.preconditions.pinned import PinnedState
from harness.device.preconditions.pins import sysctl, sysfs
from harness.device.preconditions.zram import ZramPin
from tests.fake.preconditions.held import ALGORITHM, BEFORE, PINNED, SWAPPINESS, THP, held, pins, values
from tests.stand_ins.device import FakeDevice
from tests.stand_ins.device.tree_shell import Call


def _raise(error: BaseException) -> None:
    raise error


def test_applied_recorded_and_restored(device: AdbDevice, fake: FakeDevice) -> None:
    with PinnedState(device) as state:
        state.apply(pins())
        assert values(fake) == PINNED
        assert (fake.zram.disksize, fake.zram.algorithm, fake.zram.is_swap) == (256 << 20, "zstd", True)
        assert state.drifted() == []
        assert {row["name"]: (row["before"], row["set"], row["after"]) for row in state.record()} == {
            "transparent_hugepage": ("madvise", "never", "never"),
            "lru_gen": ("0x0007", None, "0x0007"),
            "vm.swappiness": ("60", "100", "100"),
            "vm.page-cluster": ("3", "0", "0"),
            "zram0": (
                "disksize=0 algorithm=lzo-rle swap=off backing=none",
                "disksize=268435456 algorithm=zstd swap=auto backing=none",
                "disksize=268435456 algorithm=zstd swap=auto backing=none",
            ),
            "swap in use at the start": (
                "0 of 262140 kB",
                "at most 5% of the swap",
                "0 of 262140 kB",
            ),
        }
        assert all(row["restored"] is None for row in state.record())
    assert values(fake) == BEFORE
    assert (fake.zram.disksize, fake.zram.algorithm, fake.zram.is_swap) == (0, "lzo-rle", False)
    assert {row["name"]: row["restored"] for row in state.record()}["vm.swappiness"] == "60"


def test_restore_is_in_reverse(device: AdbDevice, fake: FakeDevice) -> None:
    with PinnedState(device) as state:
        state.apply(pins())
        fake.commands.clear()
    writes = [text for text in fake.commands if "cat >" in text or "swapoff" in text]
    order = [
        next(k for k in ("zram0", "page-cluster", "swappiness", "transparent") if k in w) for w in writes
    ]
    assert list(dict.fromkeys(order)) == ["zram0", "page-cluster", "swappiness", "transparent"]


def test_former_swap_is_built_again(device: AdbDevice, fake: FakeDevice) -> None:
    fake.zram.setup(size_mb=2048, algorithm="lz4", priority=32767, used_kb=700_000)
    with PinnedState(device) as state:
        state.apply(pins())
        assert fake.zram.used_kb == 0
    assert fake.zram.disksize == 2048 << 20
    assert (fake.zram.algorithm, fake.zram.swap_priority) == ("lz4", 32767)


def test_swap_of_the_right_shape_is_emptied(device: AdbDevice, fake: FakeDevice) -> None:
    fake.zram.setup(size_mb=256, algorithm="zstd", used_kb=50_000)
    with PinnedState(device) as state:
        state.apply(pins())
        assert fake.zram.used_kb == 0


def test_other_swap_in_use_is_refused(device: AdbDevice, fake: FakeDevice) -> None:
    fake.zram.setup(size_mb=256, algorithm="zstd", used_kb=14_000)
    with (
        pytest.raises(
            NotReady,
            match=r"at the start: wanted at most 5% of the swap, read back 14000 of 262140 kB -> close",
        ),
        PinnedState(device) as state,
    ):
        state.apply([EmptySwap()])


def test_refused_value_names_pin_value_and_reason(device: AdbDevice, fake: FakeDevice) -> None:
    with (
        pytest.raises(StateError, match=r"vm\.swappiness: '300' was refused: .*Invalid argument") as caught,
        PinnedState(device) as state,
    ):
        state.apply([page_cluster(0), swappiness(300)])
    assert caught.value.device == device.serial
    assert values(fake) == BEFORE


def test_value_that_reads_back_differently(device: AdbDevice, fake: FakeDevice) -> None:
    fake.faults.read_back[SWAPPINESS] = b"60\n"
    with (
        pytest.raises(
            StateError, match=r"vm\.swappiness: wanted 100, read back 60 -> find what else sets it"
        ),
        PinnedState(device) as state,
    ):
        state.apply([swappiness(100)])


def test_without_root_the_error_names_what_is_needed(device: AdbDevice, fake: FakeDevice) -> None:
    fake.root = False
    with (
        pytest.raises(StateError, match="Permission denied -> a root shell is needed"),
        PinnedState(device) as state,
    ):
        state.apply([swappiness(100)])


def test_what_is_right_already_is_not_written(device: AdbDevice, fake: FakeDevice) -> None:
    fake.root = False
    with PinnedState(device) as state:
        state.apply([swappiness(60), mglru(None)])
        assert state.drifted() == []


def test_kernel_without_a_setting(device: AdbDevice, fake: FakeDevice) -> None:
    fake.files.remove(THP)
    fake.files.remove("/sys/kernel/mm/lru_gen/enabled")
    with PinnedState(device) as state:
        state.apply([thp_never(), mglru(None)])
        assert [row["before"] for row in state.record()] == ["never", "absent"]
        assert state.drifted() == []
    with (
        pytest.raises(StateError, match=r"vm\.kcompressd: .* cannot be read: .*No such file"),
        PinnedState(device) as state,
    ):
        state.apply([sysctl("vm.kcompressd", 0)])


def test_drift_is_named(device: AdbDevice, fake: FakeDevice) -> None:
    with PinnedState(device) as state:
        state.apply(pins())
        fake.files.write(SWAPPINESS, b"120")
        fake.files.put("/sys/kernel/mm/lru_gen/enabled", "0x0003\n")
        fake.zram.used_kb = 200_000
        assert state.drifted() == ["lru_gen: set 0x0007, now 0x0003", "vm.swappiness: set 100, now 120"]
        assert {row["name"]: row["after"] for row in state.record()}["vm.swappiness"] == "120"
        fake.zram.swapoff([fake.zram.node])
        assert any(line.startswith("zram0: set ") for line in state.drifted())
    assert values(fake) == BEFORE


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_restored_after_any_exception(device: AdbDevice, fake: FakeDevice, error: BaseException) -> None:
    with pytest.raises(type(error)):
        held(device, pins(), lambda: _raise(error))
    assert values(fake) == BEFORE
    assert not fake.zram.is_swap


def test_restored_after_a_real_interrupt_in_the_middle_of_apply(
    device: AdbDevice, fake: FakeDevice
) -> None:
    fake.faults.hang.add("mkswap")

    def interrupt() -> None:
        wait_until(lambda: any("mkswap" in text for text in fake.commands), Deadline(20))
        fake.faults.hang.clear()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt), PinnedState(device) as state:
        state.apply(pins())
    assert values(fake) == BEFORE
    assert fake.zram.disksize == 0


def test_interrupt_during_the_restore_waits_for_its_end(device: AdbDevice, fake: FakeDevice) -> None:
    swapoff = fake.programs["swapoff"]

    def interrupted(call: Call) -> int:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return swapoff(call)

    with pytest.raises(KeyboardInterrupt):
        held(device, pins(), lambda: fake.programs.update(swapoff=interrupted))
    assert values(fake) == BEFORE
    assert not fake.zram.is_swap
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_failed_apply_is_undone_up_to_where_it_came(device: AdbDevice, fake: FakeDevice) -> None:
    fake.zram.setup(size_mb=64, algorithm="lz4", priority=5)
    fake.programs["mkswap"] = lambda call: 1
    with pytest.raises(
        StateError, match="zram0: 'mkswap /dev/block/zram0' failed: exit status 1"
    ) as caught:
        held(device, pins())
    assert values(fake) == BEFORE
    # mkswap is still broken, so the former swap cannot be had again: that is told, not hidden.
    (note,) = caught.value.__notes__
    assert "settings were left behind: zram0 (was disksize=67108864 algorithm=lz4 swap=5" in note


def test_restore_that_fails_lists_what_was_left(device: AdbDevice, fake: FakeDevice) -> None:
    def break_it() -> None:
        fake.faults.refuse_write[SWAPPINESS] = errno.EPERM
        fake.zram.swapoff_error = errno.ENOMEM

    with pytest.raises(StateError) as caught:
        held(device, pins(), break_it)
    said = str(caught.value)
    assert "settings were left behind: zram0 (was disksize=0" in said
    assert "Cannot allocate memory" in said
    assert "vm.swappiness (was 60)" in said
    assert "page-cluster" not in said
    assert said.endswith("-> set them by hand, or restart the device")
    assert values(fake) == (BEFORE[0], "100", "3")


def test_restore_that_does_not_take(device: AdbDevice, fake: FakeDevice) -> None:
    with pytest.raises(StateError, match=r"vm\.swappiness \(was 60\): reads 100 after the restore"):
        held(device, [swappiness(100)], lambda: fake.faults.read_back.update({SWAPPINESS: b"100\n"}))


def test_failed_restore_never_hides_the_first_error(device: AdbDevice, fake: FakeDevice) -> None:
    def break_it() -> None:
        fake.faults.refuse_write[SWAPPINESS] = errno.EPERM
        raise RuntimeError("the first")

    with pytest.raises(RuntimeError, match="the first") as caught:
        held(device, [swappiness(100)], break_it)
    (note,) = caught.value.__notes__
    assert "The restore failed" in note
    assert "vm.swappiness (was 60)" in note


def test_hanging_swapoff_ends(device: AdbDevice, fake: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.device.preconditions.zram.SWAPOFF_DEADLINE_S", 0.5)
    fake.zram.setup(size_mb=64, algorithm="lz4")
    fake.faults.hang.add("swapoff")
    with pytest.raises(NotReady, match="swapoff /dev/block/zram0"), PinnedState(device) as state:
        state.apply(pins())
    assert values(fake) == BEFORE


def test_unknown_algorithm(device: AdbDevice, fake: FakeDevice) -> None:
    with (
        pytest.raises(StateError, match=r"zram0: comp_algorithm: 'brotli' was refused: .*Invalid argument"),
        PinnedState(device) as state,
    ):
        state.apply([ZramPin(64, "brotli")])
    assert fake.zram.disksize == 0


def test_zram_that_something_else_holds(device: AdbDevice, fake: FakeDevice) -> None:
    fake.zram.disksize = 1 << 20
    fake.zram.opened_by_other = True
    with (
        pytest.raises(StateError, match=r"zram0: reset: '1' was refused: .*resource busy"),
        PinnedState(device) as state,
    ):
        state.apply([ZramPin(64, "lz4")])
    assert fake.zram.disksize == 1 << 20


def test_kernel_without_zram(device: AdbDevice, fake: FakeDevice) -> None:
    fake.files.remove("/sys/block/zram0")
    with pytest.raises(StateError, match="zram0: disksize cannot be read"), PinnedState(device) as state:
        state.apply([ZramPin(64, "lz4")])


def test_block_device_where_debian_has_it(device: AdbDevice, fake: FakeDevice) -> None:
    fake.files.remove(fake.zram.node)
    fake.zram.node = "/dev/zram0"
    fake.files.put("/dev/zram0", b"")
    with PinnedState(device) as state:
        state.apply([ZramPin(64, "lz4")])
        assert fake.zram.is_swap


def test_sysfs_pin_of_a_bracketed_choice(device: AdbDevice, fake: FakeDevice) -> None:
    with PinnedState(device) as state:
        state.apply([sysfs(THP, "always")])
        assert values(fake)[0] == "[always] madvise never"
    assert values(fake)[0] == BEFORE[0]


def test_restore_may_be_called_twice_and_apply_again(device: AdbDevice, fake: FakeDevice) -> None:
    state = PinnedState(device)
    state.apply([swappiness(100)])
    state.apply([page_cluster(0)])
    state.restore()
    assert values(fake) == BEFORE
    fake.files.write(SWAPPINESS, b"90")
    state.restore()
    assert values(fake)[1] == "90"


def test_algorithm_is_put_back_on_an_empty_zram(device: AdbDevice, fake: FakeDevice) -> None:
    fake.zram.algorithm = "lz4"
    with PinnedState(device) as state:
        state.apply([ZramPin(64, "zstd")])
    assert fake.files.read(ALGORITHM).decode().split() == ["lzo", "lzo-rle", "[lz4]", "zstd"]
