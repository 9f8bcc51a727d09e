"""The host's CPU time split into the device's, the suite's own, and that of others."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from foundation.errors import HostError
from harness.capture import HostLoad

TICK = os.sysconf("SC_CLK_TCK")


class Host:
    """A /proc of files: seconds of CPU by process, and of the whole host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.device_s: float | None = 0.0

    def set(
        self, busy_s: float, steal_s: float, processes: Mapping[int, tuple[int, str, float, float]]
    ) -> None:
        fields = [busy_s / 2, 0, busy_s / 2, 999, 999, 0, 0, steal_s, 5, 5]
        (self.folder / "stat").write_text(
            "cpu  " + " ".join(str(int(f * TICK)) for f in fields) + "\ncpu0 1\n"
        )
        for pid, (parent, comm, own_s, children_s) in processes.items():
            (self.folder / str(pid)).mkdir(exist_ok=True)
            head = f"{pid} ({comm}) S {parent} " + "0 " * 9
            times = f"{int(own_s * TICK)} 0 {int(children_s * TICK)} 0"
            (self.folder / str(pid) / "stat").write_text(head + times + " 20 0 1 0\n")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def measured(host: Host, load: HostLoad) -> dict[str, float]:
    """Shares turned back into seconds of CPU."""
    shares = load.stop()
    capacity_s = (shares["cpus"] or 0) * (shares["dur_s"] or 0)
    return {name: share * capacity_s for name, share in shares.items() if share is not None}


def test_what_is_left_is_of_others(host: Host) -> None:
    load = HostLoad(device_cpu_s=lambda: host.device_s, own_pid=10, proc=host.folder)
    host.set(100, 1, {10: (1, "python", 5, 0), 11: (10, "adb) (x", 1, 0), 20: (1, "cc1", 50, 0)})
    load.start()
    host.device_s = 30.0
    host.set(160, 3, {10: (1, "python", 8, 1), 11: (10, "adb) (x", 3, 0), 20: (1, "cc1", 74, 0)})
    seconds = measured(host, load)
    assert seconds["own_cpu_share"] == pytest.approx(6)
    assert seconds["device_cpu_share"] == pytest.approx(30)
    assert seconds["other_cpu_share"] == pytest.approx(60 - 30 - 6)
    assert seconds["steal_share"] == pytest.approx(2)


def test_the_device_is_not_counted_twice(host: Host) -> None:
    load = HostLoad(device_cpu_s=lambda: host.device_s, own_pid=10, proc=host.folder)
    host.set(0, 0, {10: (1, "pytest", 0, 0), 11: (10, "qemu-system-x86", 0, 0)})
    load.start()
    host.device_s = 40.0
    host.set(50, 0, {10: (1, "pytest", 1, 0), 11: (10, "qemu-system-x86", 40, 0)})
    seconds = measured(host, load)
    assert seconds["own_cpu_share"] == pytest.approx(1)
    assert seconds["other_cpu_share"] == pytest.approx(9)


def test_a_real_device_has_no_share(host: Host) -> None:
    host.set(0, 0, {10: (1, "pytest", 0, 0)})
    load = HostLoad(own_pid=10, proc=host.folder)
    load.start()
    assert load.stop()["device_cpu_share"] is None


def test_asked_before_it_was_measured() -> None:
    with pytest.raises(HostError, match="before it was started"):
        HostLoad().stop()


def test_without_proc(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be read"):
        HostLoad(proc=tmp_path).start()


def test_on_this_host() -> None:
    load = HostLoad()
    load.start()
    used_s = time.process_time()
    while time.process_time() < used_s + 10 / TICK:
        pass
    shares = load.stop()
    assert (shares["own_cpu_share"] or 0) > 0
    assert 0 <= (shares["other_cpu_share"] or 0) <= 1
    assert shares["steal_share"] is not None
