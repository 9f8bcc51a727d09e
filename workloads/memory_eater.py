"""The memory eater: fill more memory than there is, as fast as reclaim allows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from foundation.contract.device import Device, RemoteProcess
from foundation.errors import DataCorruption, DeviceError, UsageError
from workloads.eater_output import Phase, is_holding, parse_phases
from workloads.kills import KillMark
from workloads.profile import Eater, Profile, mix_text
from workloads.swap_counter import pswpout
from workloads.switches import Switch

REMOTE: Final = "/data/local/tmp/reclaim-suite-eater"
#: The longest cycle, and the longest reading of all pages after it, seconds.
CYCLE_DEADLINE_S: Final = 600.0
VERIFY_DEADLINE_S: Final = 600.0

PAGES_PER_MB: Final = 256
_POLL_S: Final = 0.02
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

    def with_trace(self, marks: Sequence[KillMark] | None, births: Mapping[int, int]) -> EaterCycle:
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
                    "mb_s": phase.pages / PAGES_PER_MB / (phase.dur_us / 1e6) if phase.dur_us else None,
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
    measurement. Side effects: a process, and a file in /data/local/tmp, both gone after `remove`; zram
    is recreated as the block has pinned it. ``program`` is the eater on the host, built for the device;
    ``recreate_swap`` recreates the profile's zram.
    """

    def __init__(
        self,
        device: Device,
        profile: Profile,
        program: Path,
        recreate_swap: Callable[[], None],
        sleep: Callable[[float], None] = time.sleep,
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
        self._sleep = sleep
        self._process: RemoteProcess | None = None
        self._pswpout_before = 0

    def install(self) -> None:
        """Push the program to the device."""
        self._device.push(self._program, REMOTE, mode=0o755)

    def prepare(self) -> None:
        """Do nothing: `reset` prepares every cycle."""

    def reset(self) -> None:
        """End the eater and empty swap. StateError if zram cannot be recreated."""
        self._end()
        self._recreate_swap()
        self._pswpout_before = pswpout(self._device)

    def cycle(self) -> None:
        """Fill, then touch; return when the eater holds all its memory, or has exited.

        DeviceError at the deadline. `result` examines an early exit.
        """
        process = self._process = self._device.spawn(eater_argv(self._eater))
        limit = time.monotonic() + CYCLE_DEADLINE_S
        while not is_holding(process.output()):
            if process.poll() is not None:
                return
            if time.monotonic() > limit:
                raise DeviceError(
                    f"the memory eater is still busy after {CYCLE_DEADLINE_S:.0f} s",
                    device=self._device.serial,
                    next_step="give the profile less memory or fewer touches, or check the kernel log",
                )
            self._sleep(_POLL_S)

    def result(self) -> EaterCycle:
        """Let the eater read all its pages and exit.

        DataCorruption if a page was wrong. DeviceError if nothing was swapped out, since there was no
        reclaim to measure.
        """
        if self._process is None:
            raise DeviceError("the memory eater has not run", device=self._device.serial)
        swapped = pswpout(self._device) - self._pswpout_before
        process, self._process = self._process, None
        # SIGTERM ends the hold; SIGKILL follows only if the program does not exit by itself.
        begun_s = time.monotonic()
        done = process.stop(deadline_s=VERIFY_DEADLINE_S)
        late = time.monotonic() - begun_s > VERIFY_DEADLINE_S / 2
        phases = parse_phases(done.stdout, device=self._device.serial)
        wrong = [phase for phase in phases if phase.mismatches]
        if wrong:
            raise DataCorruption(
                f"{sum(phase.mismatches for phase in wrong)} pages read back differ from what was written,"
                f" first: page {wrong[0].first_wrong} in {wrong[0].event}",
                device=self._device.serial,
                next_step="keep the results folder: kernel.log and workload.jsonl are the evidence",
            )
        wanted = self._eater.mb * PAGES_PER_MB
        if done.exit_status == _KILLED and not late:
            return EaterCycle(phases, wanted, kills=1)
        self._check_complete(phases, done.exit_status, done.stderr, wanted)
        if swapped == 0:
            raise DeviceError(
                f"profile {self._profile.name} swapped nothing out: {self._eater.mb} MiB fit into memory",
                device=self._device.serial,
                next_step="give the eater more memory (mb), or the device less",
            )
        return EaterCycle(phases, wanted, kills=0)

    def _check_complete(self, phases: tuple[Phase, ...], status: int, stderr: str, wanted: int) -> None:
        """Check that every phase covered all its pages. DeviceError."""
        touch = {"touch": self._eater.touches} if self._eater.touches else {}
        pages = {"fill": wanted, **touch, "verify": wanted}
        if status == 0 and {phase.event: phase.pages for phase in phases} == pages:
            return
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
        """Stop the eater and delete its file."""
        self._end()
        self._device.shell(["rm", "-f", REMOTE])


def eater_argv(eater: Eater) -> list[str]:
    """The eater's command line on the device."""
    return [
        REMOTE,
        *("--mb", str(eater.mb), "--content", mix_text(eater.content), "--seed", str(eater.seed)),
        *("--rate-mb-s", str(eater.rate_mb_s), "--touches", str(eater.touches)),
        *("--rewrite-share", str(eater.rewrite_share), "--hold", "--verify"),
    ]
