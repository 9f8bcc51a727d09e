"""Facts of the device that a trace must carry: kernel, clocks, page size, processors."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from foundation.contract.device import Device
from harness.capture.remote import RemoteFolder


@dataclass(frozen=True)
class Facts:
    """What ``recorder facts`` prints; clocks in ns, read one right after the other."""

    sysname: str
    release: str
    version: str
    machine: str
    page_size: int
    cpus: int
    clk_tck: int
    boot_ns: int
    monotonic_ns: int
    monotonic_raw_ns: int
    realtime_ns: int

    def to_json(self) -> str:
        """For `from_json`."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Facts:
        """Read what `to_json` or the recorder wrote."""
        return Facts(**json.loads(text))


def read_facts(device: Device, remote: RemoteFolder) -> Facts:
    """Run the recorder, which must have been pushed to ``remote``."""
    return Facts.from_json(device.shell([remote.path("recorder"), "facts"]).stdout)
