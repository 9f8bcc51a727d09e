"""What recording costs the device that is measured: the same work with and without Perfetto.

Run with ``python -m benchmarks.recording_cost``; docs/virtual-device.md has a measured table. Both arms
run by the instruction clock on a fresh boot of the same kernel, with the same seeds, the suite's
poller, and the trace buffer's memory taken, so that a difference is the recording's. Load of the host
changes nothing but how long it takes.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from analysis.metrics import needs_of, requested_metrics
from analysis.stats.effect import PairValue, effect_of
from foundation.contract.arch import arch_of
from foundation.contract.device import Device
from harness.campaign.host import Host
from harness.campaign.repetition import SAMPLES_DEADLINE_S, start_s
from harness.campaign.workloads import workload_named
from harness.capture import Capture, reserve_buffer
from harness.capture.poller import EMULATED_PERIOD_MS, Poller
from harness.capture.remote import RemoteFolder
from harness.capture.samples import Sample
from harness.device.preconditions.block_preconditions import preconditions_of
from harness.device.preconditions.pinned import PinnedState
from harness.native.build import binary
from harness.variants.kind import Bindings
from harness.variants.variant import parse_variant
from harness.virtual.base import DEFAULT_BASE, Base, parse_base
from harness.virtual.lane import VirtualLane
from workloads.order import pause, printed
from workloads.profile import load_profile
from workloads.protocol import Cycle, run_cycle

ARMS = ("counters", "recorded")


@dataclass(frozen=True)
class Arm:
    """One boot: a variant, with (``recorded``) or without (``counters``) a trace."""

    variant: str
    base: Base
    workload: str
    seed: int
    name: str


def measure(arm: Arm) -> Mapping[str, float]:
    """Figures of one window of a fresh boot. BootFailed, DeviceError, HostError."""
    kind = workload_named(arm.workload)
    profile = load_profile(kind.profile).seeded(arm.seed)
    variant = parse_variant(f"v={arm.variant}", device_kind="virtual", bindings=Bindings(base=arm.base))
    needs = needs_of(tuple(requested_metrics(())))
    with (
        contextlib.closing(VirtualLane(f"{arm.name}-{arm.seed}", base=arm.base)) as lane,
        tempfile.TemporaryDirectory() as folder,
    ):
        device = variant.boot(lane).device
        with PinnedState(device) as state:
            conditions = preconditions_of(device, profile, say=lambda text: None)
            conditions.establish(state)
            workload = kind.make(device, profile, Host(), conditions.empty_swap)
            try:
                workload.install()
                with reserve_buffer(device, needs, device.sleep) as reservation:
                    workload.prepare()
                    workload.reset()
                    run_cycle(device, workload)
                    workload.result()
                    workload.reset()
                    order = workload.order()
                    deadline_s = order.deadline_s + SAMPLES_DEADLINE_S
                    wait = pause(start_s(arm.seed, 0))
                    if arm.name == "recorded":
                        capture = Capture(device, needs, Path(folder), reservation=reservation)
                        capture.start()
                        device.script(f"{wait}\n{capture.wrap(order.into_file())}", deadline_s=deadline_s)
                        workload.take(printed(device))
                        cycle = workload.result()
                        raw = capture.stop()
                        begin, end = raw.begin, raw.end
                    else:
                        begin, end = _counted(device, f"{wait}\n", order.into_file(), deadline_s)
                        workload.take(printed(device))
                        cycle = workload.result()
            finally:
                workload.remove()
    return _figures(begin, end, cycle)


def _counted(device: Device, wait: str, order: str, deadline_s: float) -> tuple[Sample, Sample]:
    """Run the order between two samples of the poller, which also runs in between."""
    remote = RemoteFolder(device)
    remote.make()
    poller = Poller(device, remote, EMULATED_PERIOD_MS)
    try:
        poller.start(binary("poller", arch_of(device)))
        text = f"{wait}{poller.once_text('begin')}\n{order}\n{poller.once_text('end')}"
        device.script(text, deadline_s=deadline_s)
        (_, begin), (_, end) = poller.edges()
    finally:
        poller.stop()
        remote.remove()
    return begin, end


def _figures(begin: Sample, end: Sample, cycle: Cycle) -> dict[str, float]:
    figures = {}
    for name, after in end.values.items():
        difference = after - begin.values.get(name, 0.0)
        if "kswapd" in name and name.endswith("run_ns"):
            figures["kswapd CPU"] = difference / 1e6
        if name.endswith("pswpout"):
            figures["pages swapped out"] = difference
    figures["kswapd CPU a page"] = figures["kswapd CPU"] / max(figures["pages swapped out"], 1.0)
    figures["window"] = (end.t_boot_ns - begin.t_end_boot_ns) / 1e6
    times = sorted(
        float(switch.total_time_ms) for switch in cycle.switches if switch.total_time_ms is not None
    )
    if times:
        figures["switch latency, median"] = median(times)
        figures["switch latency, longest"] = times[-1]
    for phase, facts in cycle.facts().get("eater", {}).items():
        if phase != "verify":
            figures[f"{phase}: fault p99"] = facts["fault_p99_us"]
            figures[f"{phase}: longest fault"] = facts["fault_max_us"]
    return figures


def main(argv: list[str] | None = None) -> int:
    """Measure and print a table: what the recording changes, with the interval over seeds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording_cost", description=__doc__)
    parser.add_argument("--base", type=parse_base, default=DEFAULT_BASE)
    parser.add_argument("--variant", default="stock")
    parser.add_argument("--workload", default="app-switching")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--parallel", type=int, default=2, help="boots at once")
    args = parser.parse_args(argv)
    arms = [
        Arm(args.variant, args.base, args.workload, seed, name)
        for seed in range(1, args.seeds + 1)
        for name in ARMS
    ]
    with ThreadPoolExecutor(args.parallel) as pool:
        results = dict(zip(arms, pool.map(measure, arms), strict=True))
    print(f"{args.base}, {args.variant}, {args.workload}, {args.seeds} seeds")
    names = list(next(iter(results.values())))
    for name in names:
        pairs = [
            PairValue(seed, *(results[arm][name] for arm in arms if arm.seed == seed))
            for seed in range(1, args.seeds + 1)
        ]
        print(_line(name, pairs))
    return 0


def _line(name: str, pairs: list[PairValue]) -> str:
    before = median(pair.baseline for pair in pairs)
    after = median(pair.variant for pair in pairs)
    text = f"{name:26} {before:12.2f} {after:12.2f}"
    if any(pair.baseline <= 0 or pair.variant <= 0 for pair in pairs):
        return text
    change = effect_of(pairs, "ratio").change
    text += f"   {change.value - 1:+.2%}"
    if change.low is None or change.high is None:
        return text
    return f"{text} [{change.low - 1:+.2%}, {change.high - 1:+.2%}]"


if __name__ == "__main__":
    sys.exit(main())
