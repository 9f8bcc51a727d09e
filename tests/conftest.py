"""Marks each test by its folder, and keeps hypothesis from timing tests on shared machines."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# A background job of a shell ignores SIGINT, and so would every program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_KINDS = ("unit", "fake", "browser", "virtual", "hardware")
_BY_THE_HOSTS_CLOCK = "test_adb_guest.py"
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            kind = item.path.relative_to(_HERE).parts[0]
            if kind in _KINDS:
                item.add_marker(kind)
            if item.path.name == _BY_THE_HOSTS_CLOCK:
                # With several threads QEMU 7.2 can lose a code patch of the kernel: see
                # docs/virtual-device.md. A campaign measures the block again. In lock-step a run
                # repeats, and so does its failure.
                item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=["CommandTimeout"]))
    items.sort(
        key=lambda item: next((i for i, kind in enumerate(_KINDS) if item.get_closest_marker(kind)), 0)
    )
