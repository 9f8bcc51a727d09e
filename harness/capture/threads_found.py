"""The threads in /proc, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: One grep over all threads: one process on the device instead of one for each thread.
PROC_SCRIPT: Final = (
    "grep -hE '^(Name|Tgid|Pid|PPid|Uid):' /proc/[0-9]*/task/[0-9]*/status 2>/dev/null; true"
)

_KTHREADD: Final = 2


@dataclass(frozen=True)
class Thread:
    """One task of the kernel; ``tid == tgid`` for the main thread of a process."""

    tid: int
    tgid: int
    ppid: int
    comm: str
    uid: int

    @property
    def is_kernel(self) -> bool:
        """Whether it is kthreadd or one of its children."""
        return self.tgid == _KTHREADD or self.ppid == _KTHREADD


def parse_status(text: str) -> list[Thread]:
    """Read the output of `PROC_SCRIPT`; skips a thread that ended during the read."""
    threads: list[Thread] = []
    fields: dict[str, str] = {}
    for line in [*text.splitlines(), "Name:"]:
        key, _, value = line.partition(":")
        if key == "Name":
            if {"Name", "Tgid", "Pid", "PPid", "Uid"} <= fields.keys():
                threads.append(
                    Thread(
                        tid=int(fields["Pid"]),
                        tgid=int(fields["Tgid"]),
                        ppid=int(fields["PPid"]),
                        comm=fields["Name"],
                        uid=int(fields["Uid"].split()[0]),
                    )
                )
            fields = {}
        fields[key] = value.strip()
    return threads
