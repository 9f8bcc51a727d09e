"""Which Perfetto a device has, and what it supports.

Perfetto's versions and their fields: its CHANGELOG and the history of
protos/perfetto/config/perfetto_config.proto. Versions of Android: ``perfetto --version`` came with
Android 12, ``--background-wait`` with Android 13 (src/perfetto_cmd/perfetto_cmd.cc).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device

#: Stands for the version of a Perfetto that does not print one.
OLD_PERFETTO: Final = "Perfetto of Android 11 or older"

#: First version of Perfetto whose service polls PSI.
PSI_SINCE: Final = 41

#: First version of Perfetto with ``write_flush_mode``.
WRITE_FLUSH_MODE_SINCE: Final = 54

#: API levels. Before 30 an empty list of counters polls none of them; compact scheduling came with 30.
EMPTY_MEANS_ALL_SINCE_API: Final = 30
COMPACT_SCHED_SINCE_API: Final = 30

_PROBES: Final = "perfetto.traced_probes"
_VERSION: Final = re.compile(r"\bv(\d+)\.(\d+)")


@dataclass(frozen=True)
class PerfettoService:
    """A device's Perfetto. ``version`` None: it prints none and is older than Android 12.

    ``text`` is its version line; ``api`` the device's API level, None if unknown;
    ``waits``: it has ``--background-wait``, which returns when the data sources run.
    """

    text: str
    version: tuple[int, int] | None
    api: int | None
    waits: bool

    def has(self, since: int) -> bool:
        """Whether it is Perfetto ``since`` or newer; False for an unknown version."""
        return self.version is not None and self.version[0] >= since

    def android(self, since_api: int) -> bool:
        """Whether it came with API level ``since_api`` or a newer one."""
        if self.api is not None:
            return self.api >= since_api
        # A Perfetto that prints its version came with Android 12 or newer.
        return self.version is not None and since_api <= 31


def read_service(device: Device) -> PerfettoService | None:
    """The device's Perfetto, or None if it has none. Needs no root, changes nothing."""
    answers = ask_all(
        device,
        {
            "version": "perfetto --version",
            "help": "perfetto --help",
            "api": "getprop ro.build.version.sdk",
        },
    )
    version, usage = answers["version"], answers["help"].text
    has_version = version.ok and bool(version.text)
    if not has_version and "--background" not in version.text + usage:
        return None
    text = version.text.splitlines()[0] if has_version else OLD_PERFETTO
    match = _VERSION.search(text)
    api = answers["api"].text
    return PerfettoService(
        text=text,
        version=(int(match[1]), int(match[2])) if match else None,
        api=int(api) if api.isdigit() else None,
        waits="--background-wait" in usage,
    )


def probes_connection(device: Device) -> str | None:
    """The row of ``traced_probes`` in the service's list of producers; None if it shows none.

    Its number counts the connections, so a changed row means that ``traced_probes`` has ended and
    started again: what it recorded until then is incomplete. Needs no root.
    """
    answer = device.shell(["perfetto", "--query"], check=False)
    rows = (line.split() for line in answer.stdout.splitlines())
    found = next((row for row in rows if row and _PROBES in row and row[0].isdigit()), None)
    return " ".join(found) if found and answer.exit_status == 0 else None
