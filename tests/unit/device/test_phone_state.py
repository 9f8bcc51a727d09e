"""Battery and thermal status, in the shapes that Android prints them."""

from __future__ import annotations

from harness.device.phone_state import (
    Battery,
    parse_battery,
    parse_cpu_cooling,
    parse_hottest,
    parse_skin,
    parse_thermal_status,
)

BATTERY = """Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  Max charging current: 500000
  status: 2
  level: 87
  scale: 100
  temperature: 295
  Capacity level: 3
"""
THERMAL = """IsStatusOverride: false
Thermal Status: 2
Cached temperatures:
\tTemperature{mValue=99.0, mType=0, mName=CPU0, mStatus=0}
HAL Ready: true
Current temperatures from HAL:
\tTemperature{mValue=36.5, mType=0, mName=CPU0, mStatus=0}
\tTemperature{mValue=31.2, mType=3, mName=skin, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=6, mType=2, mName=thermal-cpufreq-2}
\tCoolingDevice{mValue=0, mType=2, mName=thermal-cpufreq-0}
\tCoolingDevice{mValue=3, mType=1, mName=fcc}
Temperature static thresholds from HAL:
"""


def test_a_battery() -> None:
    assert parse_battery(BATTERY) == Battery(87, 29.5, True, ("USB",))
    off = BATTERY.replace("true", "false").replace("status: 2", "status: 3")
    assert parse_battery(off) == Battery(87, 29.5, False, ())
    assert parse_battery(BATTERY.replace("295", "-15")).celsius == -1.5


def test_thermal_status_and_the_hottest_of_the_current_sensors() -> None:
    assert parse_thermal_status(THERMAL) == 2
    assert parse_hottest(THERMAL) == ("CPU0", 36.5)


def test_the_case_and_what_limits_the_cpus() -> None:
    assert parse_skin(THERMAL) == 31.2
    assert parse_cpu_cooling(THERMAL) == {"thermal-cpufreq-2": 6, "thermal-cpufreq-0": 0}
    assert parse_cpu_cooling(THERMAL.replace("CoolingDevice", "Other")) is None


def test_a_device_that_reports_nothing() -> None:
    assert parse_battery("Can't find service: battery") == Battery(None, None, None, None)
    assert parse_thermal_status("Can't find service: thermalservice") is None
    assert parse_hottest("") is None
