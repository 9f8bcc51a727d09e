"""A phone of a given Android version, build type, vendor and kernel, put together from tables.

    with android_phone(api=33, build="user", vendor=SAMSUNG) as phone: ...

is a `FakeDevice` (tests/stand_ins/device) on a real socket, so that the real adb server and the
suite's own device talk to it. What it answers comes from the sources of Android, and each
table names the file that it rests on; nothing was recorded from a phone.

| table | what is in it |
|---|---|
| `versions.VERSIONS` | API level -> release, Perfetto, what changed in am, dumpsys and logcat |
| `policy` | what uid 2000 may stat, read and list, and which ftrace events are open, by API level |
| `vendors` | names, properties, CPU clusters and governors, thermal zones |
| `kernels` | release, ftrace events, threads, vmstat keys, switches; `kcompressd()` patches one |

To add a command: put a program into ``phone.programs`` (see tests/stand_ins/device/programs.py), or
a service of dumpsys into ``phone.services``: a function of the phone and the words after the
service's name that returns text. To add a file: ``phone.files.put(path, node)``; whether the
shell may read it is the policy's matter, so put its label there. What changes while a test
runs (battery, thermal status, screen, settings, apps) is in ``phone.state``.
"""

from __future__ import annotations

from tests.stand_ins.device.android.kernels import Kernel, kcompressd, stock
from tests.stand_ins.device.android.phone import AndroidPhone, android_phone
from tests.stand_ins.device.android.vendors import (
    CUTTLEFISH,
    EMULATOR,
    GOOGLE,
    MEDIATEK,
    QUALCOMM,
    SAMSUNG,
    VENDORS,
    Vendor,
)
from tests.stand_ins.device.android.versions import VERSIONS, Version

__all__ = [
    "CUTTLEFISH",
    "EMULATOR",
    "GOOGLE",
    "MEDIATEK",
    "QUALCOMM",
    "SAMSUNG",
    "VENDORS",
    "VERSIONS",
    "AndroidPhone",
    "Kernel",
    "Vendor",
    "Version",
    "android_phone",
    "kcompressd",
    "stock",
]
