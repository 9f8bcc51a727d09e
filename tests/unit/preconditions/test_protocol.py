"""Which classes are pins, checks and records; their names for ``--suppress``; what sets a pin."""

from __future__ import annotations

import pytest

from harness.device.preconditions.checks import EmptySwap
from harness.device.preconditions.command_pins import SettingPin
from harness.device.preconditions.cpufreq import CpufreqPin, CpufreqRecord
from harness.device.preconditions.memory_pins import mglru, pins_for
from harness.device.preconditions.names import PRECONDITIONS
from harness.device.preconditions.phone_pins import charge_pins, plain_pins
from harness.device.preconditions.pins import FileRecord, sysctl
from harness.device.preconditions.protocol import Check, Pin, Precondition, Record
from harness.device.preconditions.records import LmkdSettings, RecordOnly, suppressed
from workloads.phone_settings import PhoneSettings
from workloads.profile import DevicePins

PHONE = plain_pins(PhoneSettings(), api=36, network=False)
MEMORY = pins_for(DevicePins(64, "lz4", 100, 0, mglru=True))


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        *((pin, Pin) for pin in (*PHONE, *charge_pins(), CpufreqPin("policy0", 1000), *MEMORY[:-1])),
        (EmptySwap(), Check),
        *((one, Record) for one in (LmkdSettings(), CpufreqRecord("policy0"), FileRecord("x", "/x"))),
        (mglru(None), Record),
        (RecordOnly(sysctl("vm.swappiness", 1)), Record),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_each_is_of_one_kind(item: Precondition, kind: type) -> None:
    assert [one for one in (Pin, Check, Record) if isinstance(item, one)] == [kind]


def test_what_is_set_or_checked_can_be_suppressed() -> None:
    items: list[Precondition] = [*PHONE, *charge_pins(), CpufreqPin("policy0", 1000), *MEMORY]
    assert {item.precondition for item in items} <= set(PRECONDITIONS)
    recorded = suppressed(items, PRECONDITIONS)
    assert all(isinstance(item, RecordOnly) for item in recorded)
    assert [(one.name, one.precondition) for one in recorded] == [
        (one.name, one.precondition) for one in items
    ]


def test_only_settings_of_android_survive_a_restart() -> None:
    surviving = [pin for pin in PHONE if pin.survives_restart]
    assert {pin.precondition for pin in surviving} == {
        "screen",
        "brightness",
        "rotation",
        "animations",
        "airplane",
        "compaction",
        "freezer",
    }
    assert all(isinstance(pin, SettingPin) or pin.name == "airplane mode" for pin in surviving)
    assert not any(pin.survives_restart for pin in MEMORY if isinstance(pin, Pin))
