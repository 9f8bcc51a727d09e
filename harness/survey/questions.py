"""What a survey reads without changing anything: commands and files, by item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harness.survey.pseudonyms import Kind


@dataclass(frozen=True)
class Question:
    """One item: shell texts, then globs of files. ``expected_s`` is for the estimate only.

    ``from_line``: of each command's output only what follows the first line that begins so is kept.
    """

    name: str
    what: str
    commands: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    deadline_s: float = 30.0
    expected_s: float = 1.0
    from_line: str = ""


_MEMORY_PROPERTIES: Final = (
    "zram|swap|mmd|lmk|lru_gen|compact|freezer|low_ram|thermal|perfetto|traced|qemu|boot.hardware"
)
_CPU: Final = "/sys/devices/system/cpu"
_MM: Final = "/sys/kernel/mm"

#: In the order asked: what explains the rest comes first.
QUESTIONS: Final = (
    Question(
        "properties",
        "system properties, those of memory once more by themselves",
        ("getprop", f"getprop | grep -E '{_MEMORY_PROPERTIES}'"),
    ),
    Question(
        "kernel",
        "release, command line, boot configuration, page size, who is asking, SELinux",
        (
            "uname -r",
            "uname -v",
            "uname -m",
            "getconf PAGESIZE",
            "id -u",
            "id",
            "getenforce",
            "command -v su",
            "su -v",
        ),
        ("/proc/version", "/proc/cmdline", "/proc/bootconfig"),
    ),
    Question(
        "kernel-config",
        "the configuration the kernel was built with",
        ("zcat /proc/config.gz",),
        expected_s=2,
    ),
    Question(
        "modules",
        "loaded modules; srcversion and build id of those that make up zram, or hook into reclaim",
        (
            "lsmod",
            "ls /sys/module",
            *(
                f"od -An -v -tx1 /sys/module/{name}/notes/.note.gnu.build-id"
                for name in ("zram", "zsmalloc")
            ),
        ),
        (
            "/proc/modules",
            *(
                f"/sys/module/{name}/{file}"
                for name in ("*zram*", "*zsmalloc*", "*zcomp*", "*hybridswap*", "*kcompress*")
                for file in ("srcversion", "version", "taint", "refcnt", "parameters/*")
            ),
        ),
    ),
    Question(
        "zram",
        "swaps, the attributes of every zram device, and the loop devices behind them",
        ("cat /proc/swaps", "losetup -a", "ls /sys/block"),
        ("/sys/block/zram*/*",),
    ),
    Question(
        "memory",
        "sizes, counters, pressure, watermarks",
        (),
        ("/proc/meminfo", "/proc/vmstat", "/proc/zoneinfo", "/proc/pressure/*"),
    ),
    Question(
        "vm",
        "settings of memory management: sysctls, MGLRU, huge pages by size",
        (f"ls {_MM}",),
        (
            "/proc/sys/vm/*",
            f"{_MM}/lru_gen/*",
            f"{_MM}/transparent_hugepage/*",
            f"{_MM}/transparent_hugepage/hugepages-*/*",
            f"{_MM}/transparent_hugepage/khugepaged/*",
            f"{_MM}/swap/*",
            f"{_MM}/ksm/run",
        ),
    ),
    Question(
        "processes",
        "all processes and kernel threads",
        ("ps -A", "cat /proc/[0-9]*/stat 2>/dev/null; true", "cat /proc/2/schedstat"),
        expected_s=2,
    ),
    Question(
        "cpus",
        "clusters, frequencies and limits, and who else may set limits",
        (
            f"ls {_CPU}/cpufreq",
            "ls /vendor/etc/powerhint.json",
            "getprop | grep -iE 'power.*hal|powerhint|android.hardware.power'",
        ),
        (
            f"{_CPU}/online",
            f"{_CPU}/present",
            f"{_CPU}/isolated",
            f"{_CPU}/cpu[0-9]*/cpu_capacity",
            f"{_CPU}/cpufreq/policy*/*",
            f"{_CPU}/cpufreq/policy*/stats/time_in_state",
            "/sys/power/cpufreq_*",
        ),
    ),
    Question(
        "thermal",
        "the thermal service with thresholds and cooling devices; zones and cooling devices of the kernel",
        ("dumpsys thermalservice",),
        (
            "/sys/class/thermal/thermal_zone*/type",
            "/sys/class/thermal/thermal_zone*/temp",
            "/sys/class/thermal/cooling_device*/type",
            "/sys/class/thermal/cooling_device*/cur_state",
            "/sys/class/thermal/cooling_device*/max_state",
        ),
        expected_s=4,
    ),
    Question("battery", "level, temperature, power sources", ("dumpsys battery",)),
    Question("power", "wakefulness, screen, power saving", ("dumpsys power",), expected_s=2),
    Question(
        "meminfo",
        "Android's own account of memory, without its list of processes",
        ("dumpsys meminfo",),
        deadline_s=120.0,
        expected_s=15,
        from_line="Total RAM:",
    ),
    Question(
        "flags",
        "flags that a server may set: app compaction and freezer, lmkd, MGLRU; the activity manager's",
        (
            *(
                f"device_config list {space}"
                for space in (
                    "activity_manager",
                    "activity_manager_native_boot",
                    "lmkd_native",
                    "mglru_native",
                    "mmd_native",
                )
            ),
            "device_config get activity_manager use_compaction",
            "device_config get mglru_native lru_gen_config",
            "settings get global cached_apps_freezer",
            "dumpsys activity settings",
        ),
        expected_s=4,
    ),
    Question(
        "kills",
        "the latest kills that the event log holds",
        ("logcat -d -b events -v epoch -t 200 am_kill:I killinfo:I '*:S'",),
        expected_s=2,
    ),
    Question(
        "recorder",
        "Perfetto's version, options and producers; events that tracefs lists",
        (
            "perfetto --version",
            "perfetto --help",
            "perfetto --query",
            "ls /sys/kernel/tracing/events/vmscan",
            "ls /sys/kernel/tracing/events",
        ),
        expected_s=2,
    ),
)

#: Asked only to know what must not be written. The whole answer is a value of that kind, ...
IDENTITIES: Final[tuple[tuple[Kind, str], ...]] = (
    ("id", "settings get secure android_id"),
    ("name", "settings get global device_name"),
    ("name", "settings get secure bluetooth_name"),
    ("mac", "settings get secure bluetooth_address"),
    ("mac", "cat /sys/class/net/wlan0/address"),
)
#: ... or values stand in it.
IDENTIFYING: Final = (
    "getprop",
    "cat /proc/cmdline /proc/bootconfig 2>/dev/null; true",
    "cmd wifi status",
    "cmd wifi list-networks",
    "dumpsys account",
    "pm list users",
)
