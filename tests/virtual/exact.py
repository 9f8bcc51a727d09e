"""A short block in lock-step, reduced to figures that must come out the same to the last digit.

``python -m tests.virtual.exact record`` runs each kernel's block and writes what `RECORDED` holds.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from foundation.contract.device import Device
from foundation.contract.needs import Needs
from harness.capture import Capture, reserve_buffer
from harness.device.preconditions.memory_pins import pins_for
from harness.device.preconditions.pinned import PinnedState
from harness.virtual.base import parse_base
from harness.virtual.command_line import arguments
from harness.virtual.lane import VirtualLane
from harness.virtual.link.channel import Channel, Message
from harness.virtual.qemu import qemu_version
from tests.cycles import run_ns
from tests.variants import boot_into, virtual_variant
from workloads.app_switching import AppSwitching
from workloads.order import printed
from workloads.profile import load_profile

RECORDED: Final = Path(__file__).with_name("exact_figures.json")
#: Memory of each block, by base and kind of variant. A built kernel leaves more memory to its apps.
MEMORY_MB: Final = {
    "6.12-arm64 stock": 256,
    "6.12-arm64 built": 224,
    "6.12-arm64 kcompressd": 224,
    "6.12-amd64 built": 224,
    "6.12-amd64 kcompressd": 224,
}
NEEDS: Final = Needs(
    ftrace_events=frozenset({"sched/sched_switch", "vmscan/mm_vmscan_direct_reclaim_begin"}),
    vmstat=frozenset({"pswpout", "pswpin"}),
    zram=True,
    schedstat=True,
)
_PUT: Final = 6


@dataclass(frozen=True)
class Figures:
    """What a block gave. ``replies_sha256`` is of every reply with its duration, the trace included."""

    kswapd_ns: int
    pswpout: int
    pswpin: int
    replies: int
    replies_sha256: str


@dataclass(frozen=True)
class Run:
    """A block's figures, and its replies one by one for the first difference. ``parts`` is the key."""

    parts: dict[str, str]
    figures: Figures
    replies: tuple[tuple[str, str], ...]


class _Link:
    """Hears every order and its reply; before each it may wait, in the host's time alone."""

    def __init__(self, longest_wait_s: float) -> None:
        self.replies: list[tuple[str, str]] = []
        self.pushed = hashlib.sha256()
        self._longest_wait_s = longest_wait_s
        self._random = random.Random()

    @contextmanager
    def heard(self) -> Iterator[None]:
        plain = Channel.exchange

        def exchange(channel: Channel, order: Message, *, limit_s: float) -> Message:
            time.sleep(self._random.random() * self._longest_wait_s)
            if order.kind == _PUT:
                self.pushed.update(order.first + b"\0" + order.second)
            reply = plain(channel, order, limit_s=limit_s)
            digest = hashlib.sha256(repr(reply).encode()).hexdigest()
            self.replies.append((order.first.decode("utf-8", "replace")[:200], digest))
            return reply

        Channel.exchange = exchange  # type: ignore[method-assign,assignment]
        try:
            yield
        finally:
            Channel.exchange = plain  # type: ignore[method-assign]


def run_block(block: str, folder: Path, *, longest_wait_s: float = 0.0) -> Run:
    """Boot ``block``, a key of `MEMORY_MB`, and run one recorded cycle of the smoke profile's apps."""
    link = _Link(longest_wait_s)
    base, kind = block.split()
    lane = VirtualLane(
        name="exact", memory_mb=MEMORY_MB[block], base=parse_base(base), workdir=folder / "lane"
    )
    try:
        with link.heard():
            device = boot_into(lane, virtual_variant(f"{kind}={kind}", base=parse_base(base)))
            kswapd_ns, pswpout, pswpin = _cycle(device, folder)
        machine = lane._machine
        assert machine is not None
        config = replace(machine.config, image=Path("image"), initramfs=Path("initramfs"))
        parts = {
            **{name: lane.parts()[name] for name in ("image", "initramfs")},
            "pushed": link.pushed.hexdigest(),
            "qemu": qemu_version(config.arch),
            "command": " ".join(arguments(config, 0, Path("console"), ["link"])[1:]),
        }
    finally:
        lane.close()
    whole = hashlib.sha256("".join(digest for _, digest in link.replies).encode()).hexdigest()
    figures = Figures(kswapd_ns, pswpout, pswpin, len(link.replies), whole)
    return Run(parts, figures, tuple(link.replies))


def _cycle(device: Device, folder: Path) -> tuple[int, int, int]:
    profile = load_profile("smoke")
    with reserve_buffer(device, NEEDS, device.sleep) as reservation, PinnedState(device) as state:
        state.apply(pins_for(profile.device))
        switching = AppSwitching(device, profile)
        switching.install()
        switching.prepare()
        (folder / "rep").mkdir(parents=True)
        capture = Capture(device, NEEDS, folder / "rep", reservation=reservation)
        capture.start()
        before = _counters(device)
        order = switching.order()
        device.script(capture.wrap(order.into_file()), deadline_s=order.deadline_s)
        switching.take(printed(device))
        after = _counters(device)
        switching.result()
        capture.stop()
        switching.remove()
    kswapd_ns, pswpout, pswpin = (late - early for early, late in zip(before, after, strict=True))
    return kswapd_ns, pswpout, pswpin


def _counters(device: Device) -> tuple[int, int, int]:
    words = device.read_text("/proc/vmstat").split()
    pswpout, pswpin = (int(words[words.index(name) + 1]) for name in ("pswpout", "pswpin"))
    return run_ns(device, "kswapd0"), pswpout, pswpin


def recorded() -> dict[str, dict[str, Any]]:
    """``parts`` and ``figures`` by block."""
    found: dict[str, dict[str, Any]] = json.loads(RECORDED.read_text())
    return found


def record() -> None:
    """Run each block and write `RECORDED`."""
    content = {}
    for block in MEMORY_MB:
        with tempfile.TemporaryDirectory() as folder:
            run = run_block(block, Path(folder), longest_wait_s=0.05)
        content[block] = {"parts": run.parts, "figures": asdict(run.figures)}
        print(block, run.figures, flush=True)
    RECORDED.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] != ["record"]:
        sys.exit("error: the only command is record")
    record()
