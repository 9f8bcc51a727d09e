"""Which Perfetto a device has, and what it supports.

Perfetto's versions and their fields: its CHANGELOG and the history of
protos/perfetto/config/perfetto_config.proto. Android 10 has the state of May 2019, Android 11 that of July
2020. Quarterly releases of one Android bring newer ones, so what a service refuses is asked, not only
looked up. Versions of Android: ``perfetto --version`` came with
Android 12, ``--background-wait`` with Android 13 (src/perfetto_cmd/perfetto_cmd.cc).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device

#: Stands for the version of a Perfetto that does not print one.
OLD_PERFETTO: Final = "Perfetto of Android 11 or older"

#: Fields of a TraceConfig that the suite can do without -> the first API level, or the first version of
#: Perfetto, whose service knows them.
_FIELD_SINCE_API: Final = {
    "compact_sched": 30,
    "data_source_stop_timeout_ms": 30,
    "snapshot_interval_ms": 30,
}
_FIELD_SINCE: Final = {"psi_period_ms": 41, "write_flush_mode": 54}

#: From this API level on ``traced_probes`` may read /proc/pressure on every build, the shell only as root
#: (system/sepolicy prebuilts/api/202404, private/traced_probes.te).
_PSI_OPEN_SINCE_API: Final = 35

#: An API level: before it, an empty list of counters polls none of them.
EMPTY_MEANS_ALL_SINCE_API: Final = 30

_PROBES: Final = "perfetto.traced_probes"
_VERSION: Final = re.compile(r"\bv(\d+)\.(\d+)")
#: What the parser of config texts says, since Android 10 (text_to_proto.cc, before pbtxt_to_pb.cc).
_NO_FIELD: Final = re.compile(r'No field named "(\w+)"')
_INVALID: Final = "config is invalid"


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


def known_fields(service: PerfettoService) -> frozenset[str]:
    """Those fields that the suite can do without and that ``service`` should know."""
    by_api = {field for field, since in _FIELD_SINCE_API.items() if service.android(since)}
    return frozenset(by_api | {field for field, since in _FIELD_SINCE.items() if service.has(since)})


def fields_refused(output: str, used: Collection[str]) -> frozenset[str]:
    """Which of the ``used`` fields to leave out after ``perfetto`` has ended with this output.

    Those that it names; all if it refuses the config for another reason; none if it does not.
    """
    named = frozenset(_NO_FIELD.findall(output)) & frozenset(used)
    refuses = _INVALID in output or _NO_FIELD.search(output) is not None
    return named or (frozenset(used) if refuses else frozenset())


def version_of(text: str) -> tuple[int, int] | None:
    """The version in a line such as ``Perfetto v49.0 (N/A)``."""
    match = _VERSION.search(text)
    return (int(match[1]), int(match[2])) if match else None


def polls_psi(text: str, api: int | None) -> bool:
    """Whether the service of this version line reads PSI on any build, though the shell may not."""
    version = version_of(text)
    return (
        version is not None
        and version[0] >= _FIELD_SINCE["psi_period_ms"]
        and (api or 0) >= _PSI_OPEN_SINCE_API
    )


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
    api = answers["api"].text
    return PerfettoService(
        text=text,
        version=version_of(text),
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
