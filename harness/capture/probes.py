"""Calls of kernel functions as trace events: adding and removing kprobes and kretprobes.

Documentation/trace/kprobetrace.rst. Enabling a probe rewrites a few bytes of the running kernel,
so each is enabled once for a recording and before the workload.

``traced_probes`` reads the id of an event once, when it first records an event of that group and
name (GetOrCreateEvent in proto_translation_table.cc), and the kernel gives the id of a removed event
to the next one. A second set under the same names would lose its events without a word (seen with
v56), so every set has a group of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.contract.conventions import PROBE_COST, PROBE_GROUP, probe_events
from foundation.contract.device import Device
from foundation.contract.needs import Probe
from foundation.contract.threads import role_of
from foundation.errors import StateError, SuiteError
from foundation.quoting import quote
from harness.capture.device_facts import uptime_ns
from harness.capture.remote import RemoteFolder
from harness.capture.threads_found import Thread

#: Concurrent calls of one function (one for each waiting task): the maxactive of its kretprobe.
_CALLS_AT_ONCE: Final = 128
_COST_CALLS: Final = 200
#: For a recording that has just ended to let go of its probes.
_ATTEMPTS: Final = 25
_PAUSE_S: Final = 0.2

#: Suffix of a compiler's copy of a whole function; ``.part`` and ``.cold`` are only pieces of one.
_COPY: Final = r"(\.(isra|constprop)\.[0-9]+|\.llvm\.[0-9]+)*"
_OWN: Final = re.compile(rf"{PROBE_GROUP}(_\d+)?/")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINE: Final = re.compile(r"^[0-9a-f]+ [tT] (?P<symbol>\S+)(\s+\[(?P<module>\w+)\])?$")


@dataclass(frozen=True)
class Placed:
    """A probe in the kernel at ``symbol`` (``module:function`` for one of a module)."""

    probe: Probe
    symbol: str
    group: str = PROBE_GROUP

    @property
    def events(self) -> tuple[str, str]:
        """``group/name`` of its entry and return event."""
        enter, leave = probe_events(self.probe.name)
        return f"{self.group}/{enter}", f"{self.group}/{leave}"


class ProbeSet:
    """The suite's probes in one kernel; needs root and a tracefs at ``root``.

    Side effects until `remove`: entries of a group ``reclaim_suite_N`` in ``kprobe_events``; other
    entries stay. The recording enables and disables their events. ``sleep`` waits for it.
    """

    def __init__(self, device: Device, root: str, sleep: Callable[[float], None]) -> None:
        self._device = device
        self._sleep = sleep
        self._group = PROBE_GROUP
        self._root = root
        self._file = f"{root}/kprobe_events"
        self._touched = False
        self.placed: tuple[Placed, ...] = ()
        self.missing: dict[str, str] = {}

    def place(self, probes: Collection[Probe]) -> None:
        """Add them; those that this kernel lacks go to ``missing`` with the reason.

        StateError if entries of an earlier run cannot be removed.
        """
        wanted = sorted(probes)
        if not wanted:
            return
        if self._device.script(f"test -w {self._file}", check=False).exit_status != 0:
            why = "the kernel has no kprobe events, or does not allow setting them"
            self.missing = {probe.name: why for probe in wanted}
            return
        self._touched = True
        self._remove_all()
        self._group = f"{PROBE_GROUP}_{uptime_ns(self._device) // 10_000_000}"
        symbols = self._symbols(wanted)
        placed = []
        for probe in wanted:
            symbol = next((symbols[name] for name in probe.symbols if name in symbols), None)
            refusal = (
                f"the kernel has no function {' or '.join(probe.symbols)} (it may be inlined)"
                if symbol is None
                else self._add(probe, symbol)
            )
            if refusal is not None:
                self.missing[probe.name] = refusal
            elif symbol is not None:
                placed.append(Placed(probe, symbol, self._group))
        self.placed = tuple(placed)
        if placed:
            # The service runs as nobody on phones; a build may forbid it these events all the same.
            folder = f"{self._root}/events/{self._group}"
            self._device.script(
                f"chmod 755 {folder} {folder}/*; chmod 644 {folder}/*/format {folder}/*/id;"
                f" chmod 666 {folder}/*/enable; true"
            )

    def keep(self, events: Collection[str]) -> None:
        """Give up the probes whose events are not in ``events``: the service may not enable them."""
        for placed in self.placed:
            if not set(placed.events) <= set(events):
                why = "Perfetto may not record calls of kernel functions on this build"
                self.missing[placed.probe.name] = why
        self.placed = tuple(placed for placed in self.placed if placed.probe.name not in self.missing)

    @property
    def events(self) -> tuple[str, ...]:
        """``group/name`` of all events, a pair for each probe."""
        return tuple(event for placed in self.placed for event in placed.events)

    def filter_by(self, threads: Sequence[Thread]) -> None:
        """Let only calls by reclaim and compression threads pass, unless ``everywhere``.

        StateError if the kernel does not take a filter.
        """
        filters = self._filters(threads)
        paths = [quote(f"{self._root}/events/{event}/filter") for event in filters]
        lines = [f"echo {quote(text)} > {path}" for path, text in zip(paths, filters.values(), strict=True)]
        said = self._device.script("\n".join([*lines, *(f"cat {path}" for path in paths)])).stdout
        if [line.strip() for line in said.splitlines()] != list(filters.values()):
            raise StateError(
                f"the kernel did not take the filters of {', '.join(filters)}",
                device=self._device.serial,
                next_step=f"read the files filter under {self._root}/events/{self._group} by hand",
            )

    def _filters(self, threads: Sequence[Thread]) -> dict[str, str]:
        tids = sorted(thread.tid for thread in threads if role_of(thread.comm) is not None)
        by_role = " || ".join(f"common_pid == {tid}" for tid in tids)
        filters: dict[str, str] = {}
        for placed in self.placed:
            if placed.probe.name == PROBE_COST:
                # A filter that passes everything, so that it costs as much as the others.
                filters |= dict.fromkeys(placed.events, "common_pid > 0")
            elif by_role and not placed.probe.everywhere:
                filters |= dict.fromkeys(placed.events, by_role)
        return filters

    def misses(self) -> tuple[str, ...]:
        """Calls that the kernel failed to record, a line for each event (``kprobe_profile``)."""
        if not self.placed:
            return ()
        own = {event.rpartition("/")[2]: placed for placed in self.placed for event in placed.events}
        lines = []
        for line in self._device.read_text(f"{self._root}/kprobe_profile").splitlines():
            name, _, missed = [*line.split(), "", "", ""][:3]
            if name in own and missed != "0":
                lines.append(f"{missed} calls of {own[name].symbol} were not recorded ({name})")
        return tuple(lines)

    def remove(self, *, quiet: bool = False) -> None:
        """Remove all of them and check; may be called twice. StateError unless ``quiet``."""
        if not self._touched:
            return
        try:
            self._remove_all()
            self._touched = False
        except SuiteError:
            if not quiet:
                raise

    def _remove_all(self) -> None:
        for attempt in range(_ATTEMPTS):
            left = self._names()
            if not left:
                return
            if attempt:
                self._sleep(_PAUSE_S)
            self._device.script("\n".join([*map(self._removal, left), "true"]))
        left = self._names()
        if left:
            raise StateError(
                f"{len(left)} probes could not be removed from the kernel: {', '.join(left)}",
                device=self._device.serial,
                next_step="end the process that records them, or reboot the device",
            )

    def _removal(self, event: str) -> str:
        return f"echo {quote(f'-:{event}')} >> {self._file}"

    def _names(self) -> list[str]:
        """``group/name`` of the entries of our groups, of this run or another."""
        entries = (line.partition(" ")[0] for line in self._device.read_text(self._file).splitlines())
        return [name for name in (entry.partition(":")[2] for entry in entries) if _OWN.match(name)]

    def _symbols(self, probes: Sequence[Probe]) -> dict[str, str]:
        """Function name -> its symbol for ``kprobe_events``, for those that this kernel has."""
        names = sorted({name for probe in probes for name in probe.symbols})
        if not all(_NAME.fullmatch(name) for name in names):
            raise ValueError(f"not all of {names} are names of functions")
        pattern = rf" [tT] ({'|'.join(names)}){_COPY}([[:space:]]|$)"
        result = self._device.script(f"grep -E {quote(pattern)} /proc/kallsyms; true", deadline_s=60.0)
        symbols: dict[str, str] = {}
        for match in filter(None, map(_LINE.match, result.stdout.splitlines())):
            symbol, module = match["symbol"], match["module"]
            symbols.setdefault(symbol.partition(".")[0], f"{module}:{symbol}" if module else symbol)
        return symbols

    def _add(self, probe: Probe, symbol: str) -> str | None:
        """Add both events; the reason if the kernel refuses."""
        enter, leave = probe_events(probe.name)
        function = symbol.rpartition(":")[2].partition(".")[0]
        arguments = dict(probe.own_arguments).get(function, probe.arguments)
        lines = (
            " ".join((f"p:{self._group}/{enter}", symbol, *arguments)),
            " ".join((f"r{_CALLS_AT_ONCE}:{self._group}/{leave}", symbol, *probe.result)),
        )
        text = " && ".join(f"echo {quote(line)} >> {self._file}" for line in lines)
        result = self._device.script(text, check=False)
        if result.exit_status == 0:
            return None
        # Never leave half a pair.
        for name in (enter, leave):
            self._device.script(self._removal(f"{self._group}/{name}"), check=False)
        output = (result.stderr or result.stdout).strip().rpartition("\n")[2]
        return f"the kernel refuses a probe at {symbol}: {output or 'no reason given'}"


def measure_cost(device: Device, remote: RemoteFolder) -> float:
    """Cost of recording one call, ns: a call with the probe `PROBE_COST` less an equal one without."""
    argv = [remote.path("probe-cost"), "--calls", str(_COST_CALLS)]
    cost = json.loads(device.shell(argv, deadline_s=60.0).stdout)
    return max(float(cost["probed_ns"]) - float(cost["plain_ns"]), 0.0)
