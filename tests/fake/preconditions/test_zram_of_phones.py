"""zram as phones have it: with a backing device, limits, pressure, and others who set up swap."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from foundation.errors import NotReady, StateError
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.preconditions.block_preconditions import PhonePreconditions
from harness.device.preconditions.checks import EmptySwap
from harness.device.preconditions.memory_pins import SizedHugePages, thp_never
from harness.device.preconditions.pinned import PinnedState, left_behind, undo_left
from harness.device.preconditions.records import MmdSettings
from harness.device.preconditions.zram import ZramPin
from tests.fake.preconditions.held import held
from tests.stand_ins.device import FakeDevice, SwapSetup
from tests.stand_ins.device.android import GOOGLE, AndroidPhone, android_phone
from tests.stand_ins.device.android.controls import Controls
from workloads.phone_settings import PhoneSettings
from workloads.profile import Profile, load_profile

MIB = 1 << 20
LOOP = "/dev/block/loop29"
SIZED = "/sys/kernel/mm/transparent_hugepage/hugepages-{}kB/enabled"


@pytest.fixture
def pixel(adb: AdbServer) -> Iterator[AndroidPhone]:
    """Stock, with root, of a release that has mmd and a kernel with sized huge pages."""
    with android_phone(36, "userdebug", GOOGLE, root=True) as phone:
        Controls(phone).install()
        yield phone
        adb.disconnect(phone.serial)


@pytest.fixture
def pixel_device(adb: AdbServer, pixel: AndroidPhone) -> AdbDevice:
    return AdbDevice(adb, adb.connect(pixel.serial))


def profile() -> Profile:
    found = load_profile("phone-like", {"device": {"zram_mb": 2048, "zram_algorithm": "lz4"}})
    return replace(found, phone=PhoneSettings())


def swap_of(fake: FakeDevice) -> tuple[object, ...]:
    zram = fake.zram
    return zram.disksize, zram.algorithm, zram.swap_priority, zram.backing


def block(device: AdbDevice, *during: Callable[[], object], reset_backed: bool = False) -> list[str]:
    """Preconditions of one block, and what was said."""
    said: list[str] = []
    with PinnedState(device) as state:
        PhonePreconditions(device, profile(), reset_backed_zram=reset_backed, say=said.append).establish(
            state
        )
        for happens in during:
            happens()
        assert state.drifted() == []
    return said


def test_a_zram_with_a_backing_device_is_emptied_and_kept(
    pixel: AndroidPhone, pixel_device: AdbDevice
) -> None:
    pixel.zram.used_kb = 700_000
    before = swap_of(pixel)
    assert before == (GOOGLE.swap_mb * MIB, "lz77eh", -2, LOOP)

    def empty() -> None:
        assert swap_of(pixel) == before
        assert pixel.zram.used_kb == 0

    (line,) = block(pixel_device, empty)
    assert line == (
        "zram0 is only emptied, and kept as found (3072 MiB, lz77eh; the profile asks for 2048 MiB, lz4):"
        " a reset would lose its backing device /dev/block/loop29 until the phone restarts;"
        " --reset-backed-zram allows that"
    )
    assert (swap_of(pixel), pixel.zram.resets) == (before, 0)
    assert left_behind(pixel_device.serial) == []


@pytest.mark.parametrize("takes_empty", [False, True], ids=["EINVAL", "older kernel"])
def test_with_leave_it_is_rebuilt_without_its_backing_device(
    pixel: AndroidPhone, pixel_device: AdbDevice, takes_empty: bool
) -> None:
    pixel.zram.takes_empty_backing = takes_empty

    def asked_for() -> None:
        assert swap_of(pixel) == (2048 * MIB, "lz4", -2, "none")

    for _ in range(2):
        assert block(pixel_device, asked_for, reset_backed=True) == []
        assert swap_of(pixel) == (GOOGLE.swap_mb * MIB, "lz77eh", -2, "none")
        assert left_behind(pixel_device.serial) == []


def test_a_backing_device_that_stays_is_put_back(device: AdbDevice, fake: FakeDevice) -> None:
    """A partition, or a loop device that does not clear itself."""
    path = fake.zram.attach_loop(size_mb=512, autoclear=False)
    fake.files.write("/sys/block/zram0/backing_dev", path.encode())
    fake.zram.setup(size_mb=64, algorithm="lz4", priority=5)
    before = swap_of(fake)
    with PinnedState(device) as state:
        state.apply([ZramPin(32, "zstd", reset_backed=True)])
        assert fake.zram.backing == "none"
    assert swap_of(fake) == before


def test_no_reset_of_a_backed_zram_by_another_way(pixel: AndroidPhone, pixel_device: AdbDevice) -> None:
    before = swap_of(pixel)
    with (
        pytest.raises(StateError, match="has a backing device, /dev/block/loop29, which a"),
        PinnedState(pixel_device) as state,
    ):
        state.apply([ZramPin(64, "lz4")])
    assert swap_of(pixel) == before


def test_limits_and_recompression_come_back(device: AdbDevice, fake: FakeDevice) -> None:
    fake.zram.set_up(SwapSetup(64, "lz4", 32767, mem_limit=48 * MIB, recompression="zstd"))
    fake.zram.writeback_limits |= {"writeback_limit": "300", "writeback_limit_enable": "1"}
    with PinnedState(device) as state:
        state.apply([ZramPin(32, "zstd")])
        assert (fake.zram.mem_limit, fake.zram.recompression) == (0, None)
        (row,) = state.record()
        assert str(row["before"]).endswith("mem_limit=50331648 recompression=1:zstd writeback_limit=300")
    assert swap_of(fake) == (64 * MIB, "lz4", 32767, "none")
    assert (fake.zram.mem_limit, fake.zram.recompression) == (48 * MIB, "zstd")


def test_what_cannot_be_had_again_is_replaced_by_the_next_best(device: AdbDevice, fake: FakeDevice) -> None:
    fake.zram.setup(size_mb=64, algorithm="lz4", priority=5)
    fewer = ("lzo-rle", "zstd")
    with pytest.raises(StateError) as caught:
        held(device, [ZramPin(32, "zstd")], lambda: setattr(fake.zram, "algorithms", fewer))
    assert swap_of(fake) == (64 * MIB, "lzo-rle", 5, "none")
    said = str(caught.value)
    assert "comp_algorithm: 'lz4' was refused" in said
    assert "it is swap again with 64 MiB, lzo-rle, and a restart brings back the rest" in said
    # The next run has nothing to try again.
    assert undo_left(device) == []


def test_a_zram_that_cannot_even_be_reset_is_swap_again(device: AdbDevice, fake: FakeDevice) -> None:
    fake.zram.setup(size_mb=64, algorithm="lz4", priority=5)
    with pytest.raises(StateError, match=r"reset: '1' was refused.*it is swap again with 32 MiB, zstd"):
        held(device, [ZramPin(32, "zstd")], lambda: setattr(fake.zram, "opened_by_other", True))
    assert swap_of(fake) == (32 * MIB, "zstd", 5, "none")


def test_a_zram_held_by_another_when_the_block_begins(device: AdbDevice, fake: FakeDevice) -> None:
    fake.zram.setup(size_mb=64, algorithm="lz4", priority=5)
    fake.zram.opened_by_other = True
    with pytest.raises(NotReady, match="reset: '1' was refused"), PinnedState(device) as state:
        state.apply([ZramPin(32, "zstd")])
    assert swap_of(fake) == (64 * MIB, "lz4", 5, "none")


def test_no_swap_at_all_is_one_line(device: AdbDevice, fake: FakeDevice) -> None:
    fake.zram.setup(size_mb=64, algorithm="lz4", priority=5)
    with pytest.raises(StateError) as caught:
        held(device, [ZramPin(32, "zstd")], lambda: setattr(fake.zram, "swapon_error", errno.EPERM))
    said = str(caught.value)
    assert "zram0 (was disksize=67108864 algorithm=lz4 swap=5" in said
    assert said.endswith("the device has no swap now -> set them by hand, or restart the device")
    assert "\n" not in said
    fake.zram.swapon_error = None
    assert undo_left(device) == ["zram0: disksize=67108864 algorithm=lz4 swap=5 backing=none"]


@pytest.mark.parametrize("backed", [False, True])
def test_pages_that_do_not_fit_cost_the_block(
    pixel: AndroidPhone, pixel_device: AdbDevice, backed: bool
) -> None:
    if not backed:
        pixel.zram.boot()
        pixel.zram.setup(size_mb=64, algorithm="lz4", priority=5)
    before = swap_of(pixel)
    pixel.zram.swapoff_error = errno.ENOMEM
    with pytest.raises(NotReady, match=r"swapoff .*Cannot allocate memory"):
        block(pixel_device)
    assert swap_of(pixel) == before
    assert left_behind(pixel_device.serial) == []


def test_another_program_that_sets_zram_up_in_between(device: AdbDevice, fake: FakeDevice) -> None:
    """init or mmd between the suite's reset and its size: EBUSY, and theirs stays."""
    fake.zram.setup(size_mb=64, algorithm="lz4", priority=5)

    def other(text: str) -> None:
        if "comp_algorithm" in text and "cat > " in text and fake.zram.resets == 1:
            fake.zram.resets += 1
            fake.zram.setup(size_mb=64, algorithm="lz4", priority=5)

    fake.on_text = other
    with (
        pytest.raises(NotReady, match=r"'zstd' was refused: .*busy -> find what else sets up zram"),
        PinnedState(device) as state,
    ):
        state.apply([ZramPin(32, "zstd")])
    assert swap_of(fake) == (64 * MIB, "lz4", 5, "none")


@pytest.mark.parametrize(("last_kb", "fits"), [(150_000, True), (160_000, False)])
def test_swap_that_comes_back_within_seconds(
    pixel: AndroidPhone,
    pixel_device: AdbDevice,
    monkeypatch: pytest.MonkeyPatch,
    last_kb: int,
    fits: bool,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(AdbDevice, "sleep", lambda self, dur_s: slept.append(dur_s))
    # The first readings are those of the pin.
    pixel.zram.returning_kb = (0, 0, 40_000, last_kb)
    with PinnedState(pixel_device) as state:
        conditions = PhonePreconditions(pixel_device, profile())
        if fits:
            conditions.establish(state)
        else:
            with pytest.raises(NotReady, match="wanted at most 5% of the swap, read back"):
                conditions.establish(state)
        rows = {str(row["name"]): str(row["before"]) for row in state.record()}
    readings = rows["swap in use at the start"]
    assert readings.endswith(f"{last_kb} of 3145724 kB")
    assert len(readings.split(", ")) == 3
    assert slept == [2.0, 2.0]


def test_other_swap_counts(device: AdbDevice, fake: FakeDevice) -> None:
    fake.zram.setup(size_mb=1, algorithm="zstd", used_kb=512)
    assert EmptySwap().read(device) == "512 of 1020 kB"


def test_huge_pages_of_every_size_are_off(pixel: AndroidPhone, pixel_device: AdbDevice) -> None:
    pixel.files.write(SIZED.format(64), b"always")
    sizes = (16, 64, 2048)

    def chosen() -> list[str]:
        words = [pixel.files.read(SIZED.format(size)).decode().split() for size in sizes]
        return [word.strip("[]") for line in words for word in line if word.startswith("[")]

    with PinnedState(pixel_device) as state:
        state.apply([thp_never(), SizedHugePages()])
        assert chosen() == ["never", "never", "inherit"]
        assert state.record()[1]["before"] == "64kB=always"
        pixel.files.write(SIZED.format(16), b"always")
        assert state.drifted() == ["transparent_hugepage by size: set never, now 16kB=always"]
    assert chosen() == ["never", "always", "inherit"]


def test_kernel_without_sized_huge_pages(device: AdbDevice) -> None:
    with PinnedState(device) as state:
        state.apply([SizedHugePages()])
        assert state.record()[0]["before"] == "never"


def test_mmd_is_recorded_and_named_where_it_manages_zram(
    pixel: AndroidPhone, pixel_device: AdbDevice
) -> None:
    assert MmdSettings().read(pixel_device) == "none"
    pixel.properties |= {
        "init.svc.mmd": "running",
        "mmd.enabled_aconfig": "true",
        "mmd.zram.enabled": "true",
        "mmd.zram.recompression.enabled": "true",
        "mm.zram.maintenance.first_delay_seconds": "3600",
        "mmdx": "other",
    }
    assert MmdSettings().read(pixel_device) == (
        "init.svc.mmd=running mm.zram.maintenance.first_delay_seconds=3600 mmd.enabled_aconfig=true"
        " mmd.zram.enabled=true mmd.zram.recompression.enabled=true"
    )
    pixel.zram.boot()
    pixel.zram.setup(size_mb=64, algorithm="lz4")
    (line,) = block(pixel_device)
    assert line.startswith("mmd manages this phone's zram")
