"""A fake phone with a bootloader: what it runs is what its slots hold, or what was sent to boot."""

from __future__ import annotations

import hashlib
import threading
import time
import zlib
from types import TracebackType
from typing import Self

from tests.stand_ins.bootloader.daemon import Bootloader, Leave, Mode
from tests.stand_ins.bootloader.images import (
    FakeKernel,
    boot_image,
    dtbo_image,
    fate_of,
    init_boot_image,
    vbmeta_image,
    vendor_boot_image,
)
from tests.stand_ins.device import FakeDevice, modules
from tests.stand_ins.device.tree_shell import Call

OWN = FakeKernel("6.6.30-android15-8-g0123456789ab")
PANIC = "[    3.141592] Kernel panic - not syncing: the kernel under test\n"


class FlashablePhone:
    """`android` on adb while it runs, `bootloader` on fastboot while it is there; never both.

    ``changes`` notes every place it went to. Android is up ``down_s`` after it was left. One of
    Samsung's has a download mode instead of a bootloader that speaks fastboot: it shows up nowhere
    until a person restarts it (androiddrivers.net, Samsung Odin).
    """

    def __init__(self, *, slots: bool = True, root: bool = True, down_s: float = 0.03) -> None:
        self.android = FakeDevice(root=root)
        self.bootloader = Bootloader(slots=slots)
        self.down_s = down_s
        self.serialno = self.bootloader.serial
        self.maker = "Google"
        self.kernel = OWN
        self.changes: list[str] = []
        self.running_slot = self.bootloader.storage.active
        self._over = False
        self._last_words = ""
        self._lock = threading.Lock()
        self.bootloader.on_leave = self._left_bootloader
        self.android.on_reboot = self._left_android
        self.android.programs |= {"uname": self._uname, "head": self._head, "sha256sum": _sha256sum}
        self._fill()
        self._run(OWN, self.running_slot)

    def _fill(self) -> None:
        content = {
            "boot": boot_image(OWN),
            "init_boot": init_boot_image(),
            "vendor_boot": vendor_boot_image(),
            "dtbo": dtbo_image(),
            "vbmeta": vbmeta_image(),
            "system": b"system of the factory",
            "vendor": b"vendor of the factory",
            "vendor_dlkm": b"modules of the factory",
        }
        storage = self.bootloader.storage
        for partition in storage.content:
            storage.content[partition] = content[storage.base(partition)]

    @property
    def place(self) -> str:
        return self.changes[-1] if self.changes else "android"

    def flashed(self, partition: str) -> bytes:
        return self.bootloader.storage.content[partition]

    def panic(self) -> None:
        """The kernel that runs dies, and the phone starts what its active slot holds."""
        self._crash(PANIC)
        threading.Thread(target=self._boot_slot, daemon=True).start()

    def __enter__(self) -> Self:
        self.android.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._over = True
        self.bootloader.stop()
        self.android.__exit__(kind, error, trace)

    # Where it goes.

    def _left_android(self, to: str) -> None:
        self.android.properties["sys.boot.reason"] = "reboot,adb"
        self._down()
        if to == "":
            self._boot_slot()
        else:
            self._enter("fastbootd" if to == "fastboot" else "bootloader")

    def _left_bootloader(self, leave: Leave) -> None:
        if leave.image is not None:
            self._start(fate_of(leave.image), self.bootloader.storage.active, ram=True)
        elif leave.to == "android":
            self._boot_slot()
        else:
            self._enter(leave.to)

    def _enter(self, mode: Mode) -> None:
        self.changes.append(mode)
        if not self.bootloader.faults.appears or self.maker == "samsung":
            return
        time.sleep(self.down_s)
        with self._lock:
            if not self._over:
                self.bootloader.start(mode)

    def _boot_slot(self) -> None:
        """As a bootloader does: a slot that does not start is tried again, then given up."""
        storage = self.bootloader.storage
        if not storage.slots:
            self._start(fate_of(storage.content["boot"]), "", ram=False)
            return
        slot = self.bootloader.faults.boots_slot or storage.active
        kernel = fate_of(storage.of_slot("boot", slot))
        mounts = storage.has_system(slot)
        if kernel is not None and mounts and kernel.fate in ("boots", "hangs", "no-android"):
            storage.slots[slot].successful = kernel.fate == "boots"
            self._start(kernel, slot, ram=False)
            return
        storage.slots[slot].retries = 0
        storage.slots[slot].unbootable = True
        self._crash(PANIC)
        other = "b" if slot == "a" else "a"
        if storage.slots[other].unbootable:
            self._enter("bootloader")
            return
        storage.active = other
        self.bootloader.faults.boots_slot = None
        self._boot_slot()

    def _start(self, kernel: FakeKernel | None, slot: str, *, ram: bool) -> None:
        if kernel is None or kernel.fate == "to-bootloader":
            self._enter("bootloader")
        elif kernel.fate == "hangs":
            self.changes.append("hung")
        elif kernel.fate == "panics" and ram:
            self._crash(PANIC)
            self._boot_slot()
        elif kernel.fate == "panics":
            self._enter("bootloader")
        else:
            self._run(kernel, slot)
            self.changes.append(f"android:{slot}:{kernel.release}")
            with self._lock:
                if not self._over:
                    self.android.restart(down_s=self.down_s)

    def _down(self) -> None:
        self.android.vanish()
        self.android.processes.end_all()

    def _crash(self, said: str) -> None:
        self._down()
        self.android.properties["sys.boot.reason"] = "kernel_panic"
        self._last_words = said

    # What it says once it runs.

    def _run(self, kernel: FakeKernel, slot: str) -> None:
        self.kernel, self.running_slot = kernel, slot
        # The console of the boot before this one, whichever way that ended.
        self.android.files.put("/sys/fs/pstore/console-ramoops-0", self._last_words)
        self._last_words = f"[    0.000000] {kernel.banner().decode().rstrip()}\n"
        self.android.release = kernel.release
        self.android.kernel_log = f"[    0.000000] {kernel.banner().decode().rstrip()}\n"
        self.android.files.put("/sys/kernel/notes", kernel.note)
        # zram.ko comes from the slot's partition of modules, also if the kernel came over fastboot boot.
        dlkm = self.bootloader.storage.content[f"vendor_dlkm_{slot}" if slot else "vendor_dlkm"]
        self.android.modules = modules.pair(of=zlib.crc32(dlkm))
        modules.install(self.android.files, self.android.modules)
        self.android.properties |= {
            "sys.boot_completed": "0" if kernel.fate == "no-android" else "1",
            "ro.serialno": self.serialno,
            "ro.product.manufacturer": self.maker,
            "ro.virtual_ab.enabled": "" if self.bootloader.update_status is None else "true",
            "ro.boot.slot_suffix": f"_{slot}" if slot else "",
            "ro.boot.veritymode": "enforcing",
            "ro.boot.verifiedbootstate": "orange",
            "ro.build.fingerprint": "fake/fakephone/fakephone:15/AP1A/1:userdebug/dev-keys",
        }

    def _uname(self, call: Call) -> int:
        answers = {"-r": self.kernel.release, "-v": self.kernel.version, "-m": "aarch64"}
        call.io.out(f"{answers[call.argv[1]]}\n".encode())
        return 0

    def _head(self, call: Call) -> int:
        """``head -c SIZE /dev/block/.../PARTITION``, for root."""
        size, path = int(call.argv[2]), call.argv[3]
        content = self.bootloader.storage.content.get(path.rpartition("/")[2])
        if not call.root or content is None:
            call.io.fail(f"head: {path}: Permission denied")
            return 1
        call.io.out(content.ljust(size, b"\0")[:size])
        return 0


def _sha256sum(call: Call) -> int:
    """Of its input, or of one file."""
    content = b""
    if len(call.argv) > 1:
        content = call.shell.tree.read(call.argv[1])
    else:
        while data := call.io.stdin():
            content += data
    call.io.out(f"{hashlib.sha256(content).hexdigest()}  {call.argv[-1]}\n".encode())
    return 0
