"""What the shell (uid 2000) may see, by API level: SELinux labels and the rules for them.

Sources, in system/sepolicy of each release (prebuilts/api/LEVEL): private/genfs_contexts for the
labels of files, public/shell.te, private/shell.te, public/domain.te and private/traced_probes.te
for what the domains ``shell`` and ``traced_probes`` may do. File modes of tracefs:
frameworks/native/cmds/atrace/atrace.rc.

- Folders of procfs and sysfs can be listed (``domain proc:dir``, ``shell sysfs:dir``), but a file
  with a label that the shell has no rule for cannot even be stat'ed: ``test -e`` says no of a
  file that is there.
- ``/proc/sys`` files have the label ``proc`` unless named, and module parameters ``sysfs``: neither
  is open. ``/sys/devices/system/cpu`` and transparent_hugepage are, to every domain.
- tracefs folders can all be listed; only events with a genfscon line of their own are open on
  a user build, for the shell and for Perfetto's traced_probes alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Literal

How = Literal["stat", "read", "list", "write"]

TRACEFS: Final = "/sys/kernel/tracing"
_TRACEFS_ROOTS: Final = (TRACEFS, "/sys/kernel/debug/tracing")

#: ``/proc/PID`` has the label of the process's domain: ``allow shell domain:file { open read getattr }``.
_OPEN: Final = (
    "/proc/[0-9]*/*",
    "/proc/self/*",
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/interrupts",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/modules",
    "/proc/mounts",
    "/proc/stat",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/kernel/random/*",
    "/proc/uptime",
    "/proc/version",
    "/proc/zoneinfo",
    "/sys/devices/system/cpu/*",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/kernel/mm/transparent_hugepage/hugepages-*/enabled",
)

#: Path -> first API level at which the shell may read it.
_OPEN_SINCE: Final = {
    "/proc/vmstat": 30,
    "/sys/kernel/mm/lru_gen/enabled": 36,
}

#: Their folders have a label that the shell may not even search.
_CLOSED_FOLDERS: Final = ("/sys/block/zram*", "/sys/fs/pstore", "/sys/kernel/debug")

_EVENTS_29: Final = frozenset(
    (
        "sched/sched_switch",
        "sched/sched_wakeup",
        "sched/sched_blocked_reason",
        "sched/sched_cpu_hotplug",
        "sched/sched_process_exit",
        "power/cpu_frequency",
        "power/cpu_idle",
        "power/cpu_frequency_limits",
        "power/suspend_resume",
        "vmscan/mm_vmscan_direct_reclaim_begin",
        "vmscan/mm_vmscan_direct_reclaim_end",
        "vmscan/mm_vmscan_kswapd_wake",
        "vmscan/mm_vmscan_kswapd_sleep",
        "lowmemorykiller/lowmemory_kill",
        "kmem/rss_stat",
        "mm_event/mm_event_record",
        "oom/oom_score_adj_update",
        "task/task_rename",
        "task/task_newtask",
        "ftrace/print",
    )
)
_EVENTS_31: Final = _EVENTS_29 | {
    "sched/sched_wakeup_new",
    "sched/sched_waking",
    "sched/sched_process_free",
    "sched/sched_pi_setprio",
    "oom/mark_victim",
}


#: What atrace.rc makes 0666. Release by release it is not the same list as the policy's.
_MODES_29: Final = (_EVENTS_29 - {"mm_event/mm_event_record"}) | {
    "sched/sched_waking",
    "sched/sched_pi_setprio",
}
_MODES_31: Final = _MODES_29 | {
    "sched/sched_wakeup_new",
    "oom/mark_victim",
    "mm_event/mm_event_record",
}
_MODES_33: Final = _MODES_31 | {"sched/sched_process_free"}


def labelled_events(api: int) -> frozenset[str]:
    """ftrace events (``group/name``) that the policy of a user build opens (genfs_contexts)."""
    return _EVENTS_31 if api >= 31 else _EVENTS_29


def writable_events(api: int) -> frozenset[str]:
    """ftrace events whose files are open to all by their mode (atrace.rc)."""
    return _MODES_33 if api >= 33 else _MODES_31 if api >= 31 else _MODES_29


def probes_may_read_pressure(api: int) -> bool:
    """Whether traced_probes may read /proc/pressure, on every build.

    Source: private/traced_probes.te has no proc_pressure_* at level 34.0, and all three at 202404.
    """
    return api >= 35


@dataclass(frozen=True)
class Policy:
    """The rules of one build for uid 2000; root is asked nothing.

    An event is open where its label and its mode both are. A userdebug build opens every label
    of tracefs (``debugfs_tracing_debug``); the modes still keep uid 2000 out of what is root's,
    0640 (tracefs' TRACE_MODE_WRITE), and traced_probes too: it runs as nobody (perfetto.rc).
    """

    api: int
    debuggable: bool

    def allows(self, path: str, how: How) -> bool:
        """Whether the shell may do that; what this module has no rule for is open."""
        for folder in _CLOSED_FOLDERS:
            if _is_or_below(path, folder):
                return False
        root = next((r for r in _TRACEFS_ROOTS if path == r or path.startswith(r + "/")), None)
        if root is not None:
            return self._tracefs(path[len(root) :], how)
        if not path.startswith(("/proc/", "/sys/")):
            return True
        if how == "list":
            return True
        if how == "write":
            return False
        since = _OPEN_SINCE.get(path)
        if since is not None:
            return self.api >= since
        return any(fnmatchcase(path, pattern) for pattern in _OPEN)

    def _tracefs(self, rest: str, how: How) -> bool:
        if how == "list":
            return True
        parts = rest.strip("/").split("/")
        if parts[0] == "events" and len(parts) >= 4:
            event = "/".join(parts[1:3])
            by_label = self.debuggable or event in labelled_events(self.api)
            return by_label and event in writable_events(self.api)
        return parts[0] in ("trace", "trace_clock", "tracing_on", "buffer_size_kb")


def _is_or_below(path: str, pattern: str) -> bool:
    depth = pattern.count("/") + 1
    head = "/".join(path.split("/")[:depth])
    return fnmatchcase(head, pattern)
