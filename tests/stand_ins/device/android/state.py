"""What of a phone changes while a test runs."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class PhoneState:
    """``zones`` are temperatures in degrees Celsius by the type of the thermal zone.

    ``thermal_status`` is 0 (none) to 6 (shutdown), android.os.Temperature; ``battery_dc`` is in
    tenths of a degree, as BatteryManager.EXTRA_TEMPERATURE; ``plugged`` is AC, USB, Wireless or
    None. ``settings`` maps a namespace (global, system, secure) to keys and values. ``events``
    are lines of the event log, ``security_settings`` is MIUI's switch "USB debugging (Security settings)":
    without it the shell may neither inject input nor write settings. ``exits`` records of processes
    that ended.
    """

    zones: dict[str, float]
    battery_percent: int = 87
    battery_dc: int = 294
    plugged: str | None = "USB"
    thermal_status: int = 0
    awake: bool = True
    security_settings: bool = True
    settings: dict[str, dict[str, str]] = field(
        default_factory=lambda: {
            "global": {
                "airplane_mode_on": "0",
                "window_animation_scale": "1.0",
                "transition_animation_scale": "1.0",
                "animator_duration_scale": "1.0",
                "stay_on_while_plugged_in": "0",
            },
            "system": {"screen_brightness": "102", "screen_off_timeout": "60000"},
            "secure": {},
        }
    )
    events: list[str] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Exit:
    """A process that ended; ``reason`` and ``importance`` are ApplicationExitInfo's and
    ActivityManager's numbers. ``when`` is ``YYYY-MM-DD HH:MM:SS.mmm``."""

    package: str
    pid: int
    reason: int
    importance: int
    when: str
    subreason: int = 0
    uid: int = 10123
    status: int = 9
    description: str = "null"
