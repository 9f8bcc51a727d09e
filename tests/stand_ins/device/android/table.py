"""The table of docs/phones.md: what doctor finds on each fake phone, with and without root.

``python -m tests.stand_ins.device.android.table`` prints it.
"""

from __future__ import annotations

from typing import Final

from analysis.metrics import PRIMARIES, catalogue
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.doctor.command import examine
from harness.doctor.measurable import by_family
from tests.stand_ins.device.android.phone import Build, android_phone
from tests.stand_ins.device.android.versions import VERSIONS

#: Who asks -> build and whether adbd runs as root.
_ACCESS: Final[dict[str, tuple[Build, bool]]] = {"user": ("user", False), "root": ("userdebug", True)}


def phones_table(server: AdbServer) -> str:
    """Markdown, a row for each API level and access."""
    rows = []
    families: list[str] = []
    for api, version in VERSIONS.items():
        for access, (build, root) in _ACCESS.items():
            with android_phone(api, build, root=root) as phone:
                _, found = examine(AdbDevice(server, server.connect(phone.serial)), catalogue())
                server.disconnect(phone.serial)
            shown = by_family([one for one in found if not one.heavy and one.family != "window"])
            families = [row.family for row in shown]
            known = {one.metric for one in found if one.ok}
            decide = f"{len(known & set(PRIMARIES))} of {len(PRIMARIES)}"
            rows.append([f"{version.release} (API {api})", access, *(row.answer for row in shown), decide])
    head = ["Android", "shell", *families, "metrics that decide"]
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    with AdbServer.start() as started:
        print(phones_table(started), end="")
