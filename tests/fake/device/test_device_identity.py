"""Reading a kernel's identity from a device, and proving it."""

from __future__ import annotations

import os
import struct
from dataclasses import replace

import pytest

from foundation.contract.device import Expectation
from foundation.errors import ModuleLoadFailed, WrongKernel
from harness.device.adb.adb_device import AdbDevice
from harness.device.identity import counter_moved, prove, read_identity
from tests.stand_ins.device import Attribute, FakeDevice
from tests.stand_ins.device.programs import fixed

_ZRAM_NOTES = "/sys/module/zram/notes/.note.gnu.build-id"
_THREADS = "/sys/module/zram/parameters/kcompressd_threads"
_DONE = "/sys/kernel/zram_kcompressd/done"


def _note(build_id: bytes) -> bytes:
    return struct.pack("<III", 4, len(build_id), 3) + b"GNU\0" + build_id


@pytest.fixture
def patched(fake: FakeDevice) -> FakeDevice:
    """A device that runs the variant of `_WANTED`."""
    fake.files.put("/sys/kernel/notes", struct.pack("<III", 6, 4, 0x101) + b"Linux\0\0\0" + b"\1\2\3\4")
    fake.files.put(_ZRAM_NOTES, _note(bytes.fromhex("ab" * 20)))
    fake.files.put(_THREADS, "1\n")
    fake.files.put(_DONE, "0\n")
    fake.add_thread("kcompressd:0")
    fake.add_thread("kworker/0:1")
    fake.add_thread("kcompressd:9", parent=1)
    return fake


_WANTED = Expectation(
    release="6.6.30-android15-8-g0123456789ab",
    build_ids={"zram": "AB" * 20},
    compression_thread=True,
    live_counter=_DONE,
    parameters={_THREADS: "1"},
)


def test_what_is_read(device: AdbDevice, patched: FakeDevice) -> None:
    before = len(patched.commands)
    identity = read_identity(device, _WANTED)
    assert len(patched.commands) == before + 1
    assert identity.release == _WANTED.release
    assert identity.modules == ("zram", "zsmalloc")
    assert identity.build_ids == {"zram": "ab" * 20}
    assert identity.thread_names == ("kcompressd:0", "kswapd0")
    assert identity.parameters == {_THREADS: "1"}
    assert identity.live_count == 0
    assert identity.unavailable == {"build id of vmlinux": "no build id in its notes"}
    assert identity.to_json()["boot_id"] == identity.boot_id != ""
    prove(identity, _WANTED, device=device.serial)


def test_the_page_size_is_read_and_proved(device: AdbDevice, patched: FakeDevice) -> None:
    assert read_identity(device, _WANTED).page_size_bytes == 4096
    patched.programs["getconf"] = fixed(lambda: "16384\n")
    identity = read_identity(device, _WANTED)
    assert identity.page_size_bytes == 16384
    prove(identity, replace(_WANTED, page_size_bytes=16384))
    with pytest.raises(WrongKernel, match=r"page size is 16384 bytes, expected 4096 bytes"):
        prove(identity, replace(_WANTED, page_size_bytes=4096))


def test_a_device_without_getconf_tells_its_page_size_elsewhere(
    device: AdbDevice, patched: FakeDevice
) -> None:
    del patched.programs["getconf"]
    patched.programs["grep"] = fixed(lambda: "KernelPageSize:       16 kB\n")
    assert read_identity(device, _WANTED).page_size_bytes == 16384
    del patched.programs["grep"]
    identity = read_identity(device, _WANTED)
    assert identity.page_size_bytes is None
    prove(identity, _WANTED)
    with pytest.raises(WrongKernel, match=r"page size cannot be read \(printed .*not found"):
        prove(identity, replace(_WANTED, page_size_bytes=4096))


def test_all_differences_at_once(device: AdbDevice, patched: FakeDevice) -> None:
    wanted = Expectation(
        release="6.6.31",
        build_ids={"zram": "cd" * 20, "vmlinux": "01" * 20},
        compression_thread=False,
        live_counter="/sys/kernel/nothing",
        parameters={_THREADS: "4", "/sys/missing": "1"},
    )
    with pytest.raises(WrongKernel) as caught:
        prove(read_identity(device, wanted), wanted, device=device.serial)
    said = str(caught.value)
    assert said.startswith(f"[{device.serial}] the running kernel is not the variant: ")
    for part in (
        "release is 6.6.30-android15-8-g0123456789ab, expected 6.6.31",
        f"build id of zram is {'ab' * 20}, expected {'cd' * 20}",
        "build id of vmlinux cannot be read (no build id in its notes)",
        "a compression thread runs (kcompressd:0), expected none",
        f"{_THREADS} is 1, expected 4",
        "/sys/missing cannot be read (cat: /sys/missing: No such file or directory)",
        "/sys/kernel/nothing cannot be read (cat: /sys/kernel/nothing: No such file or directory)",
    ):
        assert part in said
    assert "\n" not in said


def test_missing_thread(device: AdbDevice) -> None:
    wanted = Expectation(compression_thread=True)
    with pytest.raises(WrongKernel, match=r"no compression thread runs \(reclaim threads seen: kswapd0\)"):
        prove(read_identity(device, wanted), wanted)


def test_refused_module_is_a_module_error(device: AdbDevice, patched: FakeDevice) -> None:
    patched.properties["suite.module_error"] = "zram.ko: Exec format error"
    with pytest.raises(ModuleLoadFailed, match=r"refused a module: zram\.ko: Exec format error") as caught:
        prove(read_identity(device, _WANTED), _WANTED)
    assert caught.value.log == "zram.ko: Exec format error"


def test_live_counter(device: AdbDevice, patched: FakeDevice) -> None:
    before = read_identity(device, _WANTED)
    assert not counter_moved(before, read_identity(device, _WANTED))
    patched.files.put(_DONE, "17\n")
    after = read_identity(device, _WANTED)
    assert counter_moved(before, after)
    assert not counter_moved(after, before)
    patched.restart()
    assert device.reconnect(deadline_s=30)
    assert not counter_moved(before, read_identity(device, _WANTED))


def test_counter_that_is_no_number(device: AdbDevice, patched: FakeDevice) -> None:
    patched.files.put(_DONE, "many\n")
    identity = read_identity(device, _WANTED)
    assert identity.live_count is None
    with pytest.raises(WrongKernel, match="holds 'many', not a number"):
        prove(identity, _WANTED)


def test_flags_and_choices_mean_what_the_kernel_means(device: AdbDevice, patched: FakeDevice) -> None:
    patched.files.put("/sys/a", Attribute(lambda: "Y"))
    patched.files.put("/sys/b", Attribute(lambda: "always [madvise] never"))
    wanted = Expectation(parameters={"/sys/a": "1", "/sys/b": "madvise"})
    prove(read_identity(device, wanted), wanted)


def test_this_machines_kernel_through_its_own_shell(host_device: AdbDevice) -> None:
    identity = read_identity(host_device, Expectation(live_counter="/proc/sys/vm/swappiness"))
    assert identity.release == os.uname().release
    assert identity.version == os.uname().version
    assert identity.live_count is not None
    prove(identity, Expectation(release=os.uname().release))
