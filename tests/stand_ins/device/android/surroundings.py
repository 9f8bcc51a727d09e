"""What acts on a phone beside its kernel, put on a stand-in by `install`.

Shapes: "Temperature static thresholds from HAL" of ThermalManagerService.java (HIDL's own text before
Android 14), and CoolingDevice there; DeviceConfigService.java (get prints null for what nobody set).
Values: Pixel 8's VIRTUAL-SKIN from 39 C and its ODPM sensor from 37 C
(LineageOS/android_device_google_shusky, thermal/thermal_info_config_shiba.json), a Samsung's skin from 36 C
with no cooling device listed (a dump of one); lz77eh and MGLRU switched off (GrapheneOS/device_google_zuma,
conf/init.zuma.rc); loop devices behind zram (fs_mgr.cpp, PrepareZramBackingDevice); mmd (system/memory/mmd,
and its test in fs_mgr.cpp); Cuttlefish's names (device/google/cuttlefish).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tests.stand_ins.device.programs import fixed

if TYPE_CHECKING:
    from tests.stand_ins.device.android.phone import AndroidPhone
    from tests.stand_ins.device.tree_shell import Call

PIXEL_SKIN = {"VIRTUAL-SKIN": (39.0, 43.0, 45.0), "VIRTUAL-SKIN-CPU-LIGHT-ODPM": (37.0,)}
SAMSUNG_SKIN = {"SKIN": (36.0, 38.0, 40.0)}
_LEVELS = 7


def install(
    phone: AndroidPhone,
    *,
    skin_limits: Mapping[str, Sequence[float]] | None = None,
    cooling: Mapping[str, int] | None = None,
    properties: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
    page_size: int = 4096,
    backing: str | None = None,
    su_version: str | None = None,
    files: Mapping[str, str] | None = None,
) -> None:
    """Change ``phone``; what is not given stays as it is.

    ``flags`` are ``namespace/name`` of device_config.
    """
    thermal = phone.services["thermalservice"]

    def hot(values: Sequence[float]) -> str:
        padded = ["NaN", *map(str, values), *["NaN"] * (_LEVELS - 1 - len(values))]
        return f"[{', '.join(padded)}]"

    def thermalservice(phone: AndroidPhone, words: Sequence[str]) -> str:
        devices = "".join(
            f"\tCoolingDevice{{mValue={value}, mType=2, mName={name}}}\n"
            for name, value in (cooling or {}).items()
        )
        rows = [
            f"\tTemperatureThreshold{{mType=3, mName={name}, mHotThrottlingThresholds={hot(values)},"
            f" mColdThrottlingThresholds={hot(())}}}\n"
            if phone.android.api >= 34
            else f"\t{{.type = SKIN, .name = {name}, .hotThrottlingThresholds = {hot(values)},"
            f" .coldThrottlingThresholds = {hot(())}, .vrThrottlingThreshold = NaN}}\n"
            for name, values in (skin_limits or {}).items()
        ]
        head = "Temperature static thresholds from HAL:\n" if rows else ""
        return f"{thermal(phone, words)}{devices}{head}{''.join(rows)}"

    def device_config(call: Call) -> int:
        if call.argv[1] == "get":
            call.io.out(f"{(flags or {}).get('/'.join(call.argv[2:4]), 'null')}\n".encode())
        return 0

    phone.services["thermalservice"] = thermalservice
    phone.properties |= properties or {}
    phone.programs["device_config"] = device_config
    phone.programs["getconf"] = fixed(lambda: f"{page_size}\n")
    for path, text in (files or {}).items():
        phone.files.put(path, text)
    if backing is not None:
        phone.zram.backing = backing
    if su_version is not None:
        su = phone.programs["su"]

        def versioned(call: Call) -> int:
            if call.argv[1:] == ["-v"]:
                call.io.out(f"{su_version}\n".encode())
                return 0
            return su(call)

        phone.programs["su"] = versioned
