"""The swap that a phone sets up for itself: found, waited for after a restart, there again at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import LabError, StateError, SuiteError
from foundation.progress import Progress
from harness.device import phone_facts
from harness.device.preconditions.zram import ZramPin
from harness.device.preconditions.zram_state import OFF, ZramState, parse_swaps, read_zram

#: What init sets on ``sys.boot_completed=1``, together with swap, on phones of several makers
#: (hardware/google/pixel mm/pixel-mm-gki.rc, a device's own init.*.rc).
_SET_BY_INIT: Final = (
    "vm/swappiness",
    "vm/page-cluster",
    "vm/watermark_scale_factor",
    "vm/min_free_kbytes",
)
_SWAPS: Final = "swaps"
POLL_S: Final = 2.0
#: How long all of it must stay as it is, and how long that is waited for, seconds.
QUIET_S: Final = 20.0
DEADLINE_S: Final = 180.0
#: A phone that has run for less may still be at it, seconds since the kernel began.
YOUNG_S: Final = 90.0
#: The one that Android sets up.
_ZRAM: Final = "zram0"


@dataclass(frozen=True)
class _SetUp:
    """Names of the swaps, all of each but what is in use, and what init sets."""

    swaps: frozenset[str]
    lines: tuple[tuple[str, int, int], ...]
    settings: tuple[str, ...]


class PhoneSwap:
    """Swap of one phone, as it was before the suite changed anything.

    ``say`` takes what the user should know. Reading it needs root: without,
    nothing is known and nothing is done.
    """

    def __init__(self, device: Device, say: Progress) -> None:
        self._device = device
        self._say = say
        #: Whether `find` was called.
        self.found = False
        self._names: frozenset[str] | None = None
        self._zram: ZramState | None = None

    def find(self) -> None:
        """Keep what is found; waits for a phone that was only just started."""
        self.found = True
        if phone_facts.uptime_s(self._device) < YOUNG_S:
            self._wait(frozenset())
        now = self._set_up()
        self._names = None if now is None else now.swaps
        try:
            self._zram = read_zram(self._device, _ZRAM)
        except SuiteError:
            self._zram = None

    def wait_until_set_up(self) -> None:
        """Wait until the phone's own swap is there after a restart, and nobody changes it any more.

        init (``swapon_all``) and mmd (``mmd --setup-zram``, mmd.rc) set it up some time after
        ``sys.boot_completed=1``; on a zram that the suite uses by then they fail, and do not come again.
        After `DEADLINE_S` it goes on, and says so. A phone without swap is not waited for.
        """
        if self._names:
            self._wait(self._names)

    def _wait(self, wanted: frozenset[str]) -> None:
        before, unchanged_s = None, 0.0
        for _ in range(int(DEADLINE_S / POLL_S)):
            now = self._set_up()
            if now is None:
                return
            unchanged_s = unchanged_s + POLL_S if now == before and wanted <= now.swaps else 0.0
            if unchanged_s >= QUIET_S:
                return
            before = now
            self._device.sleep(POLL_S)
        missing = ", ".join(sorted(wanted - before.swaps)) if before else ""
        self._say(
            f"the phone has not set up its swap ({missing}) {DEADLINE_S:g} s after its restart: going on"
            if missing
            else f"the phone's swap settings still change {DEADLINE_S:g} s after its restart: going on"
        )

    def check(self) -> None:
        """At the end: a phone that had swap has one, or gets it back.

        Says what only a restart brings back. StateError if no swap can be had.
        """
        found, now = self._zram, self._set_up()
        if found is None or now is None or found.swap == OFF:
            return
        if not now.swaps:
            pin = ZramPin(found.disksize >> 20, found.algorithm, reset_backed=True)
            try:
                missing = pin.restore(self._device, str(found))
            except StateError as error:
                raise StateError(
                    f"the phone has no swap, and had {found.words}: {error.what}",
                    device=self._device.serial,
                    next_step="restart the phone, which sets it up",
                ) from error
            self._say(f"the phone had lost its swap; it is on again ({missing or found.words})")
        if found.has_backing and not read_zram(self._device, _ZRAM).has_backing:
            self._say(
                f"{_ZRAM} of {self._device.serial} has swap again, but without its backing device"
                f" {found.backing}: restart the phone to have all of it back"
            )

    def _set_up(self) -> _SetUp | None:
        """Swaps and settings now; None if they cannot be read."""
        questions = {_SWAPS: "cat /proc/swaps"} | {name: f"cat /proc/sys/{name}" for name in _SET_BY_INIT}
        try:
            answers = ask_all(self._device, questions)
        except LabError:
            return None
        if not answers[_SWAPS].ok:
            return None
        swaps = parse_swaps(answers[_SWAPS].text)
        return _SetUp(
            frozenset(swap.name for swap in swaps),
            tuple((swap.name, swap.size_kb, swap.priority) for swap in swaps),
            tuple(answers[name].text for name in _SET_BY_INIT),
        )
