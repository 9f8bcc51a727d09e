"""Whether KVM is usable: a boot in time proves it, nothing else does.

On nested hosts ``/dev/kvm`` may open, create a machine, and then run it a hundred times slower
than emulation, or not at all. So a short boot is tried, and the result is cached.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

from foundation.cache import cache_dir
from foundation.errors import KernelError, SuiteError, UsageError
from foundation.files import write_atomic
from harness.virtual.command_line import AccelName, MachineConfig
from harness.virtual.qemu import VirtualMachine, qemu_version

ENV_ACCEL: Final = "RECLAIM_SUITE_ACCEL"
KEPT_S: Final = 7 * 24 * 3600.0
# A healthy KVM boot of the stock kernel takes about 2 s, an emulated one about 4 s.
PROBE_DEADLINE_S: Final = 10.0
_NAMES: Final = ("auto", "kvm", "tcg")


@dataclass(frozen=True)
class Acceleration:
    """The accelerator's ``name`` in QEMU, and the reason for it."""

    name: AccelName
    reason: str


def choose(
    config: MachineConfig,
    *,
    wanted: str | None = None,
    device: Path = Path("/dev/kvm"),
    probe: Callable[[MachineConfig], str | None] | None = None,
    clock: Callable[[], float] = time.time,
) -> Acceleration:
    """Choose the accelerator: ``wanted``, else ``$RECLAIM_SUITE_ACCEL``, else a probe (cached for a week).

    ``probe`` boots ``config`` with KVM and returns None, or why KVM is unusable. UsageError for an
    unknown name; HostError without QEMU.
    """
    name = wanted or os.environ.get(ENV_ACCEL) or "auto"
    if name not in _NAMES:
        raise UsageError(f"unknown accelerator '{name}'", next_step=f"use one of {', '.join(_NAMES)}")
    if name != "auto":
        return Acceleration(cast(AccelName, name), "as requested")
    if platform.machine() != config.arch:
        return Acceleration("tcg", f"KVM on {platform.machine()} runs no {config.arch} guest")
    if not os.access(device, os.R_OK | os.W_OK):
        return Acceleration("tcg", f"{device} cannot be opened")
    key = f"{platform.release()} | {qemu_version(config.arch)}"
    cached = _cached(key, clock())
    if cached:
        return cached
    failure = (probe or boot_with_kvm)(config)
    acceleration = Acceleration("tcg" if failure else "kvm", failure or "a boot with KVM came up")
    content = {"key": key, "kept_at": clock(), "accelerator": asdict(acceleration)}
    write_atomic(_file(), json.dumps(content))
    return acceleration


def boot_with_kvm(config: MachineConfig) -> str | None:
    """Boot ``config``, which asks for KVM, once; None if it came up in time, else what failed."""
    with tempfile.TemporaryDirectory(prefix="kvm-probe-") as folder:
        machine = VirtualMachine(config, Path(folder))
        try:
            machine.start(deadline_s=PROBE_DEADLINE_S)
        except KernelError:
            return f"a boot with KVM did not come up in {PROBE_DEADLINE_S:.0f} s"
        except SuiteError as error:
            return f"a boot with KVM failed: {error.what}"
        finally:
            machine.stop()
    return None


def _file() -> Path:
    return cache_dir("virtual") / "accelerator.json"


def _cached(key: str, now: float) -> Acceleration | None:
    # After any error a new probe writes a valid file.
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(_file().read_text())
        if kept["key"] == key and kept["kept_at"] <= now < kept["kept_at"] + KEPT_S:
            name, reason = kept["accelerator"]["name"], kept["accelerator"]["reason"]
            if name in ("kvm", "tcg"):
                return Acceleration(name, f"{reason} (from an earlier probe)")
    return None
