"""The assembly: one phone out of the tables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Literal

from tests.stand_ins.device.android import framework
from tests.stand_ins.device.android.kernels import Kernel, Parameter, stock
from tests.stand_ins.device.android.policy import TRACEFS, Policy, writable_events
from tests.stand_ins.device.android.state import PhoneState
from tests.stand_ins.device.android.vendors import GOOGLE, Vendor
from tests.stand_ins.device.android.versions import VERSIONS, Version
from tests.stand_ins.device.daemon import FakeDevice
from tests.stand_ins.device.tree import Attribute, Node, choice, number, refuse
from tests.stand_ins.device.zram_model import SwapSetup

Build = Literal["user", "userdebug"]
#: Text of one dumpsys service, given the words after its name.
Service = Callable[["AndroidPhone", Sequence[str]], str]

_EINVAL: Final = 22


def android_phone(
    api: int = 34,
    build: Build = "user",
    vendor: Vendor = GOOGLE,
    *,
    kernel: Kernel | None = None,
    root: bool = False,
    su: str | None = None,
) -> AndroidPhone:
    """A phone, not yet listening: use it as a context manager, or `start` it.

    ``kernel`` is `kernels.stock` of that level unless given. ``root``: adbd runs as root
    (after ``adb root``). ``su`` as in `FakeDevice`; a userdebug build has AOSP's.
    """
    if su is None and build == "userdebug":
        su = "aosp"
    return AndroidPhone(VERSIONS[api], build, vendor, kernel or stock(api), root=root, su=su)


class AndroidPhone(FakeDevice):
    """A `FakeDevice` with Android's properties, files, rules and framework.

    ``services`` maps names of dumpsys services to what they print; ``state`` is what a test
    changes while it runs. ``swap_after_texts``: boots from now on set up swap only after so many shell
    texts, as init does at some time after ``sys.boot_completed=1``; 0: before the first one.
    """

    def __init__(
        self, version: Version, build: Build, vendor: Vendor, kernel: Kernel, *, root: bool, su: str | None
    ) -> None:
        self.android = version
        self.build = build
        self.vendor = vendor
        self.kernel = kernel
        self.state = PhoneState(zones={zone: 31.0 + n for n, zone in enumerate(vendor.thermal_zones)})
        #: The phone's own swap, and after how many shell texts of a boot init sets it up.
        self.swap = SwapSetup(
            vendor.swap_mb, vendor.algorithm, vendor.swap_priority, backing_mb=vendor.backing_mb
        )
        self.swap_after_texts = 0
        self._texts_until_swap = 0
        debuggable = build == "userdebug"
        super().__init__(root=root, su=su, adb_root=debuggable)
        self.on_text = self._text_comes
        self.release, self.version = kernel.release, kernel.version
        self.kernel_log = f"[    0.000000] Linux version {kernel.release}\n"
        self.files.guard = Policy(version.api, debuggable).allows
        self.properties = self._properties()
        self.services: dict[str, Service] = dict(framework.SERVICES)
        self.programs |= framework.programs(self)
        if su is None:
            del self.programs["su"]

    @property
    def fingerprint(self) -> str:
        """``ro.build.fingerprint``: brand/product/device:release/id/incremental:type/keys."""
        keys = "release-keys" if self.build == "user" else "dev-keys"
        v, a = self.vendor, self.android
        name = f"{a.build_id}/{10_000_000 + a.api}"
        return f"{v.brand}/{v.product}/{v.device}:{a.release}/{name}:{self.build}/{keys}"

    def _properties(self) -> dict[str, str]:
        """Source: build/make/core/sysprop.mk, build/make/tools/buildinfo.sh, init's ro.boot.*."""
        v, a = self.vendor, self.android
        found = {
            "init.svc.traced": "running",
            "init.svc.traced_probes": "running",
            "persist.traced.enable": "1",
            "ro.board.platform": v.hardware,
            "ro.boot.bootreason": "reboot",
            "ro.boot.hardware": v.hardware,
            "ro.boot.verifiedbootstate": "green" if self.build == "user" else "orange",
            "ro.build.fingerprint": self.fingerprint,
            "ro.build.id": a.build_id,
            "ro.build.type": self.build,
            "ro.build.version.release": a.release,
            "ro.build.version.sdk": str(a.api),
            "ro.build.version.security_patch": a.security_patch,
            "ro.config.low_ram": "false",
            "ro.debuggable": str(int(self.build == "userdebug")),
            "ro.hardware": v.hardware,
            "ro.product.brand": v.brand,
            "ro.product.cpu.abi": "arm64-v8a",
            "ro.product.device": v.device,
            "ro.product.manufacturer": v.manufacturer,
            "ro.product.model": v.model,
            "ro.product.name": v.product,
            "ro.secure": "1",
            "sys.boot.reason": "reboot",
            "sys.boot_completed": "1",
        }
        if a.api >= 31:
            found |= {"ro.soc.manufacturer": v.soc_manufacturer, "ro.soc.model": v.soc_model}
        return found

    def _boot(self) -> None:
        if not self.files.glob("/proc/[0-9]*/stat"):
            for comm in (self.vendor.kswapd, *self.vendor.threads, *self.kernel.threads):
                self.add_thread(comm)
        super()._boot()
        self._memory_files()
        self._cpu_files()
        self._tracefs()
        self.files.put("/proc/2/schedstat", "9000000 1000000 300\n")
        for path, parameter in self.kernel.parameters.items():
            self.files.put(path, _node(parameter))

    def add_thread(self, comm: str, *, parent: int = 2) -> int:
        pid = super().add_thread(comm, parent=parent)
        self.files.put(f"/proc/{pid}/comm", f"{comm}\n")
        # sched_info.run_delay and pcount of fs/proc/base.c: run ns, wait ns, timeslices.
        self.files.put(f"/proc/{pid}/schedstat", "1200000000 34000000 5600\n")
        return pid

    def _memory_files(self) -> None:
        files, kernel = self.files, self.kernel
        files.put(
            "/proc/meminfo",
            f"MemTotal:       {self.vendor.mem_total_kb:8d} kB\n"
            f"MemFree:        {self.vendor.mem_total_kb // 20:8d} kB\n"
            f"MemAvailable:   {self.vendor.mem_total_kb // 3:8d} kB\n",
        )
        files.put("/proc/version", f"Linux version {kernel.release}\n")
        files.put("/proc/vmstat", "".join(f"{key} {1000 + n}\n" for n, key in enumerate(kernel.vmstat)))
        for resource in ("memory", "io", "cpu"):
            files.put(f"/proc/pressure/{resource}", Attribute(self._pressure, size=0))
        files.put("/proc/sys/vm/swappiness", number(100, 0, 200))
        files.put("/proc/sys/vm/page-cluster", number(0, 0, 10))
        files.remove("/sys/kernel/mm/lru_gen")
        if kernel.lru_gen is not None:
            files.put("/sys/kernel/mm/lru_gen/enabled", Node(f"{kernel.lru_gen}\n".encode()))
        files.put(
            "/sys/kernel/mm/transparent_hugepage/enabled", choice("never", ("always", "madvise", "never"))
        )
        if self.vendor.algorithm not in self.zram.algorithms:
            self.zram.algorithms = (*self.zram.algorithms, self.vendor.algorithm)
        if kernel.has_sized_huge_pages:
            for size_kb in (16, 64, 2048):
                files.put(
                    f"/sys/kernel/mm/transparent_hugepage/hugepages-{size_kb}kB/enabled",
                    # The size of a page middle directory follows the global switch (huge_memory.c).
                    choice(
                        "inherit" if size_kb == 2048 else "never", ("always", "inherit", "madvise", "never")
                    ),
                )
        self.without_swap(self.swap_after_texts)

    def without_swap(self, texts: int) -> None:
        """No swap until so many shell texts have come."""
        self.zram.boot()
        self._texts_until_swap = texts
        if not texts:
            self.zram.set_up(self.swap)

    def _text_comes(self, text: str) -> None:
        if self._texts_until_swap:
            self._texts_until_swap -= 1
            if not self._texts_until_swap:
                self.init_sets_up_swap()

    def init_sets_up_swap(self) -> None:
        """What init does on ``sys.boot_completed=1``, be that early or late.

        Source: swapon_all of hardware/google/pixel mm/pixel-mm-gki.rc, ``exec mmd --setup-zram`` of
        system/memory/mmd mmd.rc. fs_mgr (fs_mgr_swapon_all) only logs what is refused: on a zram that is
        in use by then it changes nothing, and does not come again.
        """
        with contextlib.suppress(OSError):
            self.zram.set_up(self.swap)

    def _pressure(self) -> str:
        """Source: kernel/sched/psi.c, psi_show; totals in us."""
        zero = "avg10=0.00 avg60=0.00 avg300=0.00"
        return f"some {zero} total=8123456\nfull {zero} total=2345678"

    def _cpu_files(self) -> None:
        """Source: Documentation/admin-guide/pm/cpufreq.rst."""
        files = self.files
        count = sum(len(cluster.cpus) for cluster in self.vendor.clusters)
        files.put("/sys/devices/system/cpu/online", f"0-{count - 1}\n")
        for cluster in self.vendor.clusters:
            policy = f"/sys/devices/system/cpu/cpufreq/policy{cluster.cpus[0]}"
            files.put(f"{policy}/related_cpus", " ".join(map(str, cluster.cpus)) + "\n")
            files.put(f"{policy}/scaling_governor", choice_of(cluster.governor))
            files.put(
                f"{policy}/scaling_available_governors", f"{cluster.governor} performance powersave\n"
            )
            files.put(f"{policy}/scaling_min_freq", number(cluster.min_khz, 0, cluster.max_khz))
            files.put(f"{policy}/scaling_max_freq", number(cluster.max_khz, 0, cluster.max_khz))
            files.put(f"{policy}/cpuinfo_min_freq", f"{cluster.min_khz}\n")
            files.put(f"{policy}/cpuinfo_max_freq", f"{cluster.max_khz}\n")
            files.put(f"{policy}/scaling_cur_freq", f"{cluster.min_khz}\n")
        for index, zone in enumerate(self.vendor.thermal_zones):
            base = f"/sys/class/thermal/thermal_zone{index}"
            files.put(f"{base}/type", f"{zone}\n")
            files.put(f"{base}/temp", Attribute(partial(self._millidegrees, zone)))

    def _millidegrees(self, zone: str) -> str:
        return str(round(self.state.zones[zone] * 1000))

    def _tracefs(self) -> None:
        """Modes: tracefs gives files 0640, atrace.rc opens some (0666)."""
        open_ones = writable_events(self.android.api)
        for event in self.kernel.events:
            mode = 0o666 if event in open_ones else 0o640
            for name in ("enable", "format"):
                self.files.put(f"{TRACEFS}/events/{event}/{name}", Node(b"0\n", mode))
        for name in ("trace", "trace_clock", "tracing_on", "buffer_size_kb"):
            self.files.put(f"{TRACEFS}/{name}", Node(b"0\n", 0o666))
        self.files.make_folder(f"{TRACEFS}/instances")
        if self.kernel.kprobes:
            self.files.put(f"{TRACEFS}/kprobe_events", Node(b"", 0o640))
        self.files.make_folder("/data/misc/perfetto-traces")


def choice_of(word: str) -> Attribute:
    """A governor: one word, set to another of the list that is always there."""
    held = [word]

    def store(text: str) -> None:
        if text not in (word, "performance", "powersave"):
            raise refuse(_EINVAL)
        held[0] = text

    return Attribute(lambda: held[0], store)


def _node(parameter: Parameter) -> Node:
    if not parameter.writable:
        return Attribute(lambda: parameter.value)
    if parameter.value in ("Y", "N"):
        return _flag(parameter.value)
    return number(int(parameter.value), parameter.low, parameter.high)


def _flag(value: str) -> Attribute:
    """A boolean module parameter. Source: kernel/params.c, param_set_bool."""
    words = {"Y": "Y", "y": "Y", "1": "Y", "N": "N", "n": "N", "0": "N"}
    held = [value]

    def store(text: str) -> None:
        if text not in words:
            raise refuse(_EINVAL)
        held[0] = words[text]

    return Attribute(lambda: held[0], store)
