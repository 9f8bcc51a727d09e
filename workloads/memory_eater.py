"""The memory eater: fill more memory than there is, as fast as reclaim allows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from foundation.contract.device import Device, RemoteProcess
from foundation.errors import CommandTimeout, DataCorruption, DeviceError, UsageError
from foundation.quoting import quote_argv
from workloads.eater_output import Phase, page_bytes_of, parse_phases
from workloads.order import Order
from workloads.profile import Eater, Profile, mix_text
from workloads.swap_counter import pswpout
from workloads.switches import Switch

REMOTE: Final = "/data/local/tmp/reclaim-suite-eater"
#: The longest cycle, and the longest reading of all pages after it, seconds.
CYCLE_DEADLINE_S: Final = 600.0
VERIFY_DEADLINE_S: Final = 600.0

#: What the eater reports, one line a phase.
REPORT: Final = f"{REMOTE}.jsonl"
#: What the eater and the commands that start and end it call themselves.
_NAME: Final = "reclaim-suite-eater"
_MB: Final = 1024 * 1024
#: Profiles count touches in this unit.
_TOUCH_BYTES: Final = 4096
# adbd reports death by signal N as 128 + N, as shells do.
_KILLED: Final = 128 + 9


@dataclass(frozen=True)
class EaterCycle:
    """One run of the eater; `workloads.protocol.Cycle`.

    ``kills`` is 1 if the device killed the eater, which then did less than ``pages_wanted``.
    """

    phases: tuple[Phase, ...]
    pages_wanted: int
    kills: int
    mismatches: int = 0
    switches: tuple[Switch, ...] = ()

    @property
    def pages_verified(self) -> int:
        """Pages read and compared with what was written."""
        return sum(phase.pages for phase in self.phases if phase.event != "fill")

    def with_trace(self, births: Mapping[int, int]) -> EaterCycle:
        """The same cycle: it launches no app."""
        return self

    def to_json_lines(self) -> str:
        """``workload.jsonl``: one line per phase, with its histogram, then one with the sums."""
        sums = {
            "kills": self.kills,
            "mismatches": self.mismatches,
            "pages_wanted": self.pages_wanted,
            "pages_verified": self.pages_verified,
        }
        return "".join(json.dumps(line) + "\n" for line in [*map(asdict, self.phases), sums])

    def facts(self) -> dict[str, Any]:
        """``eater``: duration, pages, rate, and latency of the faults, by phase."""
        return {
            "eater": {
                phase.event: {
                    "dur_s": phase.dur_us / 1e6,
                    "pages": phase.pages,
                    "rewritten": phase.rewritten,
                    "mb_s": phase.pages * phase.page_bytes / _MB / (phase.dur_us / 1e6)
                    if phase.dur_us
                    else None,
                    "fault_p50_us": phase.quantile_ns(0.50) / 1e3,
                    "fault_p99_us": phase.quantile_ns(0.99) / 1e3,
                    "fault_max_us": phase.max_ns / 1e3,
                }
                for phase in self.phases
            }
        }

    def void_reasons(self) -> list[str]:
        """One reason if the eater was killed."""
        reason = (
            "the memory eater was killed: it did less than the requested work"
            " (give it less memory, or the device more)"
        )
        return [reason] if self.kills else []


class MemoryEater:
    """Fills memory with known content; `workloads.protocol.Workload`. Needs root.

    Measured are the filling and the touches after it. Each cycle is a new process that starts with an
    empty, recreated zram and exits with all its memory; its pages are read and checked after the
    measurement. It starts in `reset`, without its memory, and holds that from the order's end until
    `result`. Side effects: a process, and files in /data/local/tmp, all gone after `remove`; zram is
    recreated as the block has pinned it. ``program`` is the eater on the host, built for the device;
    ``recreate_swap`` recreates the profile's zram.
    """

    def __init__(
        self,
        device: Device,
        profile: Profile,
        program: Path,
        recreate_swap: Callable[[], None],
    ) -> None:
        if profile.eater is None:
            raise UsageError(
                f"profile {profile.name} has no [eater]", next_step="use profile eater, or one like it"
            )
        self._device = device
        self._program = program
        self._recreate_swap = recreate_swap
        self._profile = profile
        self._eater: Eater = profile.eater
        self._process: RemoteProcess | None = None
        self._pswpout_before = 0

    def install(self) -> None:
        """Push the program to the device."""
        self._device.push(self._program, REMOTE, mode=0o755)

    def prepare(self) -> None:
        """Do nothing: `reset` prepares every cycle."""

    def reset(self) -> None:
        """End the eater, empty swap, and start the eater of the next cycle.

        StateError if zram cannot be recreated.
        """
        self._end()
        self._recreate_swap()
        self._device.shell(["rm", "-f", REPORT])
        self._pswpout_before = pswpout(self._device)
        self._process = self._device.spawn(eater_argv(self._eater))

    def order(self) -> Order:
        """Fill, then touch; it ends when the eater holds all its memory, or has exited."""
        return Order(quote_argv([REMOTE, "--go", _NAME]), CYCLE_DEADLINE_S)

    def take(self, output: str) -> None:
        """Do nothing: `result` reads what the eater reports, and examines an early exit."""

    def result(self) -> EaterCycle:
        """Let the eater read all its pages and exit.

        DataCorruption if a page was wrong. DeviceError if nothing was swapped out, since there was no
        reclaim to measure.
        """
        if self._process is None:
            raise DeviceError("the memory eater has not run", device=self._device.serial)
        swapped = pswpout(self._device) - self._pswpout_before
        try:
            # Returns when the eater has ended; it fails if that was before.
            self._device.shell([REMOTE, "--end", _NAME], check=False, deadline_s=VERIFY_DEADLINE_S)
        except CommandTimeout as late:
            raise DeviceError(
                f"the memory eater has not read all its pages after {VERIFY_DEADLINE_S:.0f} s",
                device=self._device.serial,
                next_step="give the profile less memory, or check the kernel log",
            ) from late
        process, self._process = self._process, None
        done = process.stop()
        report = self._report()
        phases = parse_phases(report, device=self._device.serial)
        wrong = [phase for phase in phases if phase.mismatches]
        if wrong:
            raise DataCorruption(
                f"{sum(phase.mismatches for phase in wrong)} pages read back differ from what was written,"
                f" first: page {wrong[0].first_wrong} in {wrong[0].event}",
                device=self._device.serial,
                next_step="keep the results folder: kernel.log and workload.jsonl are the evidence",
            )
        if not phases and done.exit_status != _KILLED:
            self._raise_incomplete(phases, done.exit_status, done.stderr)
        page_bytes = page_bytes_of(report, device=self._device.serial)
        wanted = self._eater.mb * _MB // page_bytes
        if done.exit_status == _KILLED:
            return EaterCycle(phases, wanted, kills=1)
        touches = self._eater.touches
        touched = {"touch": max(1, touches * _TOUCH_BYTES // page_bytes)} if touches else {}
        pages = {"fill": wanted, **touched, "verify": wanted}
        if done.exit_status != 0 or {phase.event: phase.pages for phase in phases} != pages:
            self._raise_incomplete(phases, done.exit_status, done.stderr)
        if swapped == 0:
            raise DeviceError(
                f"profile {self._profile.name} swapped nothing out: {self._eater.mb} MiB fit into memory",
                device=self._device.serial,
                next_step="give the eater more memory (mb), or the device less",
            )
        return EaterCycle(phases, wanted, kills=0)

    def _report(self) -> str:
        """What the eater reported; empty if it ended before it could."""
        return self._device.shell(["cat", REPORT], check=False, deadline_s=60.0).stdout

    def _raise_incomplete(self, phases: tuple[Phase, ...], status: int, stderr: str) -> NoReturn:
        ended = ", ".join(f"{phase.event} {phase.pages} pages" for phase in phases) or "no phase"
        raise DeviceError(
            f"the memory eater ended with exit status {status} after {ended}: {stderr.strip()[-200:]}",
            device=self._device.serial,
            next_step="run it on the device by hand, and check the kernel log",
        )

    def _end(self) -> None:
        """Stop the eater and discard its result."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()

    def remove(self) -> None:
        """Stop the eater and delete its files."""
        self._end()
        self._device.shell(["rm", "-f", REMOTE, REPORT])


def eater_argv(eater: Eater) -> list[str]:
    """The eater's command line on the device."""
    return [
        REMOTE,
        *("--mb", str(eater.mb), "--content", mix_text(eater.content), "--seed", str(eater.seed)),
        *("--rate-mb-s", str(eater.rate_mb_s), "--touches", str(eater.touches)),
        *("--rewrite-share", str(eater.rewrite_share), "--hold", "--verify"),
        *("--out", REPORT, "--serve", _NAME),
    ]
