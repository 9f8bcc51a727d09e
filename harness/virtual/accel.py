"""Whether KVM may be used: never assumed, but shown by a boot that comes up in time.

On nested hosts ``/dev/kvm`` can open, create a machine, and then run it a hundred times
slower than emulation, or never. So a short boot is tried, and its answer is kept.
"""

from __future__ import annotations

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
from harness.virtual.qemu import (
    AccelName,
    MachineConfig,
    VirtualMachine,
    qemu_version,
)

ENV_ACCEL: Final = "RECLAIM_SUITE_ACCEL"
KEPT_S: Final = 7 * 24 * 3600.0
# A healthy KVM boot of the stock kernel takes about 2 s, an emulated one about 4 s.
PROBE_DEADLINE_S: Final = 10.0
_NAMES: Final = ("auto", "kvm", "tcg")


@dataclass(frozen=True)
class Acceleration:
    """``name`` for QEMU, and why it was chosen."""

    name: AccelName
    reason: str


def choose(
    image: Path,
    initramfs: Path,
    *,
    wanted: str | None = None,
    device: Path = Path("/dev/kvm"),
    probe: Callable[[Path, Path], str | None] | None = None,
    clock: Callable[[], float] = time.time,
) -> Acceleration:
    """Choose the accelerator: ``wanted``, else ``$RECLAIM_SUITE_ACCEL``, else a probe (kept for a week).

    ``probe`` boots with KVM and returns None, or why it is of no use. UsageError for an
    unknown name; HostError without QEMU.
    """
    asked = wanted or os.environ.get(ENV_ACCEL) or "auto"
    if asked not in _NAMES:
        raise UsageError(f"accelerator '{asked}' is not known", next_step=f"use one of {', '.join(_NAMES)}")
    if asked != "auto":
        return Acceleration(cast(AccelName, asked), "asked for")
    if not os.access(device, os.R_OK | os.W_OK):
        return Acceleration("tcg", f"{device} cannot be opened")
    key = f"{platform.release()} | {qemu_version()}"
    kept = _recall(key, clock())
    if kept:
        return kept
    refusal = (probe or boot_with_kvm)(image, initramfs)
    chosen = Acceleration("tcg", refusal) if refusal else Acceleration("kvm", "a boot with KVM came up")
    _keep(key, chosen, clock())
    return chosen


def boot_with_kvm(image: Path, initramfs: Path) -> str | None:
    """Boot once with KVM; None if it came up before the deadline, else what went wrong."""
    with tempfile.TemporaryDirectory(prefix="kvm-probe-") as folder:
        machine = VirtualMachine(
            MachineConfig(image=image, initramfs=initramfs, accel="kvm", cpus=2, memory_mb=256),
            Path(folder),
        )
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


def _recall(key: str, now: float) -> Acceleration | None:
    try:
        kept = json.loads(_file().read_text())
        if kept["key"] == key and kept["kept_at"] <= now < kept["kept_at"] + KEPT_S:
            name, reason = kept["accelerator"]["name"], kept["accelerator"]["reason"]
            if name in ("kvm", "tcg"):
                return Acceleration(name, f"{reason} (kept from an earlier probe)")
    except (OSError, ValueError, KeyError, TypeError):
        # Whatever is wrong with the note, a new probe writes a good one.
        return None
    return None


def _keep(key: str, chosen: Acceleration, now: float) -> None:
    write_atomic(_file(), json.dumps({"key": key, "kept_at": now, "accelerator": asdict(chosen)}))
