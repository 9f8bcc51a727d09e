"""Doctor on a virtual device, as a user types it."""

from __future__ import annotations

import json

import pytest

from analysis.metrics import light_metrics
from android_tests.__main__ import main


@pytest.mark.parametrize(
    ("options", "device"),
    [
        ([], "6.12-arm64, clock instructions, 1 CPU"),
        (["--virtual-base", "6.12-amd64"], "6.12-amd64, clock instructions, 1 CPU"),
        (["--virtual-base", "6.1-amd64", "--virtual-clock", "host"], "6.1-amd64, clock host, 2 CPUs"),
    ],
    ids=["default", "amd64", "host"],
)
def test_a_virtual_device_can_measure_everything_but_energy(
    options: list[str], device: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--device", "virtual", "--json", *options]) == 0
    read = json.loads(capsys.readouterr().out)
    lost = {
        name: read["metrics"][name]["why"] for name in light_metrics() if not read["metrics"][name]["ok"]
    }
    # A virtual machine has no power rails.
    assert set(lost) == {name for name, metric in light_metrics().items() if metric.family == "energy"}
    facts = read["facts"]
    assert (facts["emulated"], facts["root"], facts["recorder"]) == (True, "shell", "perfetto")
    assert facts["threads"] == ["kswapd0"]
    assert facts["zram_disk"] == "zram0"
    # The queue is another kernel's: the stock one has no compression thread.
    assert read["metrics"]["queue_wait_p99_us"]["why"]
    assert facts["properties"]["device"] == device
    assert " ".join(["--device=virtual", *options]) in read["next"][-1]
