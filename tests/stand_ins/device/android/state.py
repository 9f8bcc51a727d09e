"""What of a phone changes while a test runs."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class PhoneState:
    """``zones`` are temperatures in degrees Celsius by the type of the thermal zone; ``skin`` names that of
    the case, which the thermal HAL reports on every phone. ``cooling`` are states of the CPUs' cooling
    devices by name, above 0 while they limit frequencies; empty where the HAL lists none.

    ``thermal_status`` is 0 (none) to 6 (shutdown), android.os.Temperature; ``battery_dc`` is in
    tenths of a degree, as BatteryManager.EXTRA_TEMPERATURE; ``plugged`` is AC, USB, Wireless or
    None. ``settings`` maps a namespace (global, system, secure) to keys and values, ``flags`` one of
    device_config; app compaction is on where use_compaction is not set (CachedAppOptimizer.java,
    DEFAULT_USE_COMPACTION of current releases). ``security_settings`` is MIUI's switch "USB debugging
    (Security settings)": without it the shell may neither inject input nor write settings. ``events``
    are lines of the event log, ``exits`` records of processes that ended.
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
    flags: dict[str, dict[str, str]] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)
    cooling: dict[str, int] = field(default_factory=dict)
    skin: str = field(init=False)

    def __post_init__(self) -> None:
        self.skin = next((zone for zone in self.zones if "SKIN" in zone), "SKIN")
        self.zones[self.skin] = 31.0

    @property
    def compacts_apps(self) -> bool:
        """Whether ActivityManager pages cached apps out."""
        return self.flags.get("activity_manager", {}).get("use_compaction", "true") == "true"

    @property
    def freezes_apps(self) -> bool:
        """Whether ActivityManager freezes cached apps."""
        return self.settings["global"].get("cached_apps_freezer") != "disabled"


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
