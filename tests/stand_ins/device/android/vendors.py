"""Three makers' phones and one of Qualcomm's chips: names, clusters, governors, thermal zones.

Names of properties: bionic/libc and build/make/core/sysprop.mk (ro.build.*, ro.product.*), and
ro.soc.* of the Compatibility Definition (API 31). Clusters are the public specifications of
the chips; a cpufreq policy is named after its first CPU (kernel: drivers/cpufreq/cpufreq.c).
Pixels since the 6 have ``zram_backingdev_size=512M`` (hardware/google/pixel, mm/fstab.zram.*).
``lru_gen`` is what init leaves of the kernel's multi-generational LRU: a Pixel 8 switches it off at
early-init (device/google/zuma, conf/init.zuma.rc).
``zram`` is what the vendor calls its zram module, ``compressors`` what uses it: Pixels load zram_gs,
zcomp_cpu and zcomp_eh (their modules.load; Emerald Hill compresses, as lz77eh), Samsung vendor_zram with
zram.ko blocklisted.
Types of thermal zones are those of the vendors' public kernel trees and thermal configs.
Types of thermal zones are those of the vendors' public kernel trees and thermal configs. The thermal
HAL of AOSP lists the CPUs' cooling devices; Samsung's list is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Cluster:
    """CPUs of one cpufreq policy, frequencies in kHz."""

    cpus: tuple[int, ...]
    governor: str
    min_khz: int
    max_khz: int


@dataclass(frozen=True)
class Vendor:
    """A model.

    ``thermal_zones`` are types in order of their numbers. ``android_suffix`` is what stands in
    ``uname -r`` after the kernel's own version. ``swap_priority`` None: the kernel's own, which is
    negative; others give 32767 to swapon.
    """

    name: str
    brand: str
    manufacturer: str
    model: str
    device: str
    product: str
    hardware: str
    soc_manufacturer: str
    soc_model: str
    clusters: tuple[Cluster, ...]
    thermal_zones: tuple[str, ...]
    mem_total_kb: int
    swap_mb: int
    algorithm: str
    android_suffix: str
    swap_priority: int | None = None
    backing_mb: int = 0
    kswapd: str = "kswapd0"
    threads: tuple[str, ...] = ()
    lru_gen: str | None = None
    zram: str = "zram"
    compressors: tuple[str, ...] = ()
    lists_cooling: bool = True


GOOGLE: Final = Vendor(
    name="google",
    brand="google",
    manufacturer="Google",
    model="Pixel 8",
    device="shiba",
    product="shiba",
    hardware="shiba",
    soc_manufacturer="Google",
    soc_model="Tensor G3",
    clusters=(
        Cluster((0, 1, 2, 3), "sched_pixel", 324000, 1704000),
        Cluster((4, 5, 6, 7), "sched_pixel", 402000, 2367000),
        Cluster((8,), "sched_pixel", 500000, 2914000),
    ),
    thermal_zones=("BIG", "MID", "LITTLE", "G3D", "ISP", "TPU", "battery", "VIRTUAL-SKIN"),
    mem_total_kb=7844352,
    swap_mb=3072,
    algorithm="lz77eh",
    android_suffix="",
    backing_mb=512,
    lru_gen="0x0000",
    zram="zram_gs",
    compressors=("zcomp_cpu", "zcomp_eh"),
)

SAMSUNG: Final = Vendor(
    name="samsung",
    brand="samsung",
    manufacturer="samsung",
    model="SM-S901B",
    device="r0s",
    product="r0sxxx",
    hardware="s5e9925",
    soc_manufacturer="Samsung",
    soc_model="s5e9925",
    clusters=(
        Cluster((0, 1, 2, 3), "energy_aware", 400000, 1824000),
        Cluster((4, 5, 6), "energy_aware", 672000, 2515000),
        Cluster((7,), "energy_aware", 672000, 2803000),
    ),
    thermal_zones=("BIG", "MID", "LITTLE", "G3D", "ISP", "NPU", "battery", "ac"),
    mem_total_kb=7457792,
    swap_mb=4096,
    algorithm="lz4",
    android_suffix="-S901BXXU8DWKE",
    threads=("zram0_wbd",),
    zram="vendor_zram",
    lists_cooling=False,
)

QUALCOMM: Final = Vendor(
    name="qualcomm",
    brand="OnePlus",
    manufacturer="OnePlus",
    model="CPH2449",
    device="OP594DL1",
    product="CPH2449EEA",
    hardware="qcom",
    soc_manufacturer="QTI",
    soc_model="SM8550",
    clusters=(
        Cluster((0, 1, 2), "walt", 307200, 2016000),
        Cluster((3, 4, 5, 6), "walt", 499200, 2803200),
        Cluster((7,), "walt", 595200, 3187200),
    ),
    thermal_zones=("cpu-0-0-0", "cpu-1-0-0", "cpuss-0", "gpuss-0", "ddr", "pm8550-tz", "battery"),
    mem_total_kb=11534336,
    swap_mb=8192,
    algorithm="lz4",
    android_suffix="-o-gf8c6f0b1c5d2",
    swap_priority=32767,
    threads=("hybridswapd0",),
)

MEDIATEK: Final = Vendor(
    name="mediatek",
    brand="Redmi",
    manufacturer="Xiaomi",
    model="23013RK75C",
    device="rembrandt",
    product="rembrandt",
    hardware="mt6985",
    soc_manufacturer="Mediatek",
    soc_model="MT6985",
    clusters=(
        Cluster((0, 1, 2, 3), "sugov_ext", 339000, 2000000),
        Cluster((4, 5, 6), "sugov_ext", 622000, 2850000),
        Cluster((7,), "sugov_ext", 798000, 3050000),
    ),
    thermal_zones=("soc_max", "cpu-big-core1-1", "cpu-little-core0", "gpu1", "ap_ntc", "battery"),
    mem_total_kb=7995392,
    swap_mb=6144,
    algorithm="lzo-rle",
    android_suffix="-mtk-g3e5d1a8b7c90",
    kswapd="kswapd0:0",
)

#: The Android emulator. Source: external/qemu (kernel parameters androidboot.hardware, androidboot.qemu).
EMULATOR: Final = Vendor(
    name="emulator",
    brand="google",
    manufacturer="Google",
    model="sdk_gphone64_x86_64",
    device="emu64xa",
    product="sdk_gphone64_x86_64",
    hardware="ranchu",
    soc_manufacturer="AOSP",
    soc_model="ranchu",
    clusters=(),
    thermal_zones=(),
    mem_total_kb=2026532,
    swap_mb=1536,
    algorithm="lz4",
    android_suffix="",
)

#: Source: device/google/cuttlefish (androidboot.hardware=cutf_cvm).
CUTTLEFISH: Final = Vendor(
    name="cuttlefish",
    brand="generic",
    manufacturer="Google",
    model="Cuttlefish x86_64 phone",
    device="vsoc_x86_64",
    product="aosp_cf_x86_64_phone",
    hardware="cutf_cvm",
    soc_manufacturer="Google",
    soc_model="cutf_cvm",
    clusters=(),
    thermal_zones=(),
    mem_total_kb=4032880,
    swap_mb=3024,
    algorithm="lz4",
    android_suffix="",
)

VENDORS: Final = {vendor.name: vendor for vendor in (GOOGLE, SAMSUNG, QUALCOMM, MEDIATEK)}
