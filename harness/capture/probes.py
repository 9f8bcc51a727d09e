"""Calls of kernel functions as trace events (kprobes and kretprobes), put in and taken out again.

Documentation/trace/kprobetrace.rst. Each probe rewrites a few bytes of the running kernel
when it is switched on, so they are switched on once for a recording and before it is busy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.contract.conventions import PROBE_COST, PROBE_GROUP, probe_events
from foundation.contract.device import Device
from foundation.contract.needs import Probe
from foundation.contract.threads import role_of
from foundation.errors import StateError, SuiteError
from foundation.quoting import quote
from harness.capture.ftrace.ftrace_session import INSTANCE
from harness.capture.process_tree import Thread
from harness.capture.remote import RemoteFolder

#: Calls of one function that may be under way at one time (one for each waiting task).
_CALLS_AT_ONCE: Final = 128
_COST_CALLS: Final = 200

#: A compiler's own copy of a whole function. Not ``.part`` or ``.cold``: those are pieces of one.
_COPY: Final = r"(\.(isra|constprop)\.[0-9]+|\.llvm\.[0-9]+)*"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINE: Final = re.compile(r"^[0-9a-f]+ [tT] (?P<symbol>\S+)(\s+\[(?P<module>\w+)\])?$")


@dataclass(frozen=True)
class Placed:
    """A probe that is in the kernel, at ``symbol`` (``module:function`` for one of a module)."""

    probe: Probe
    symbol: str

    @property
    def events(self) -> tuple[str, str]:
        """``group/name`` of its events."""
        enter, leave = probe_events(self.probe.name)
        return f"{PROBE_GROUP}/{enter}", f"{PROBE_GROUP}/{leave}"


class ProbeSet:
    """The suite's probes in one kernel; needs root and a tracefs at ``root``.

    Side effects until `remove`: entries of group ``reclaim_suite`` in ``kprobe_events``.
    Switching their events on and off is the trace session's. Other entries are left alone.
    """

    def __init__(self, device: Device, root: str) -> None:
        self._device = device
        self._root = root
        self._file = f"{root}/kprobe_events"
        self._touched = False
        self.placed: tuple[Placed, ...] = ()
        self.missing: dict[str, str] = {}

    def place(self, probes: Collection[Probe]) -> None:
        """Put them in; what this kernel does not have goes to ``missing`` with the reason.

        StateError if entries of an earlier run cannot be removed.
        """
        wanted = sorted(probes)
        if not wanted:
            return
        if self._device.script(f"test -w {self._file}", check=False).exit_status != 0:
            self.missing = {
                probe.name: "the kernel has no kprobe events, or lets nobody set them" for probe in wanted
            }
            return
        self._touched = True
        # What a run that was killed has left can only be removed when nothing records it.
        left = f"{self._root}/instances/{INSTANCE}"
        self._device.script(f"[ -d {left} ] && rmdir {left}; true")
        self._take_out()
        symbols = self._symbols(wanted)
        placed = []
        for probe in wanted:
            symbol = next((symbols[name] for name in probe.symbols if name in symbols), None)
            if symbol is None:
                self.missing[probe.name] = (
                    f"the kernel has no function {' or '.join(probe.symbols)} of its own"
                )
                continue
            why = self._add(probe, symbol)
            if why is None:
                placed.append(Placed(probe, symbol))
            else:
                self.missing[probe.name] = why
        self.placed = tuple(placed)

    @property
    def events(self) -> tuple[str, ...]:
        """``group/name`` of all events, a pair for each probe."""
        return tuple(event for placed in self.placed for event in placed.events)

    def filters(self, threads: Sequence[Thread]) -> dict[str, str]:
        """Filter of each event: calls by threads that reclaim or compress, unless it is everywhere."""
        tids = sorted(thread.tid for thread in threads if role_of(thread.comm) is not None)
        own = " || ".join(f"common_pid == {tid}" for tid in tids)
        found: dict[str, str] = {}
        for placed in self.placed:
            if placed.probe.name == PROBE_COST:
                # A filter that lets all pass, so that it costs what the others cost.
                text = "common_pid > 0"
            elif placed.probe.everywhere or not own:
                continue
            else:
                text = own
            found |= dict.fromkeys(placed.events, text)
        return found

    def misses(self) -> tuple[str, ...]:
        """Calls that the kernel could not record, a line for each event (``kprobe_profile``)."""
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
        """Take all of them out and check; may be called twice. StateError unless ``quiet``."""
        if not self._touched:
            return
        try:
            self._take_out()
            self._touched = False
        except SuiteError:
            if not quiet:
                raise

    def _take_out(self) -> None:
        ours = self._ours()
        if not ours:
            return
        text = "\n".join(map(self._take_out_line, ours))
        self._device.script(f"{text}\ntrue")
        left = self._ours()
        if left:
            raise StateError(
                f"{len(left)} probes could not be taken out of the kernel: {', '.join(left)}",
                device=self._device.serial,
                next_step="end what records them, or reboot the device",
            )

    def _take_out_line(self, event: str) -> str:
        return f"echo {quote(f'-:{PROBE_GROUP}/{event}')} >> {self._file}"

    def _ours(self) -> list[str]:
        """Names of entries of our group, of this run or another."""
        found = []
        for line in self._device.read_text(self._file).splitlines():
            group, _, name = line.partition(" ")[0].partition(":")[2].partition("/")
            if group == PROBE_GROUP:
                found.append(name)
        return found

    def _symbols(self, probes: Sequence[Probe]) -> dict[str, str]:
        """Plain name -> what ``kprobe_events`` takes for it, of those that this kernel has."""
        names = sorted({name for probe in probes for name in probe.symbols})
        if not all(_NAME.fullmatch(name) for name in names):
            raise ValueError(f"not all of {names} are names of functions")
        pattern = rf" [tT] ({'|'.join(names)}){_COPY}([[:space:]]|$)"
        result = self._device.script(f"grep -E {quote(pattern)} /proc/kallsyms; true", deadline_s=60.0)
        found: dict[str, str] = {}
        for line in result.stdout.splitlines():
            match = _LINE.match(line)
            if match is None:
                continue
            symbol, module = match["symbol"], match["module"]
            found.setdefault(symbol.partition(".")[0], f"{module}:{symbol}" if module else symbol)
        return found

    def _add(self, probe: Probe, symbol: str) -> str | None:
        """Put both events in; the reason if the kernel refuses."""
        enter, leave = probe_events(probe.name)
        function = symbol.rpartition(":")[2].partition(".")[0]
        arguments = dict(probe.own_arguments).get(function, probe.arguments)
        lines = (
            " ".join((f"p:{PROBE_GROUP}/{enter}", symbol, *arguments)),
            " ".join((f"r{_CALLS_AT_ONCE}:{PROBE_GROUP}/{leave}", symbol, *probe.result)),
        )
        text = " && ".join(f"echo {quote(line)} >> {self._file}" for line in lines)
        result = self._device.script(text, check=False)
        if result.exit_status == 0:
            return None
        # Of a pair that is not whole nothing stays.
        for name in (enter, leave):
            self._device.script(self._take_out_line(name), check=False)
        said = (result.stderr or result.stdout).strip().splitlines()
        return f"the kernel refuses a probe at {symbol}: {said[-1] if said else 'no reason given'}"


def measure_cost(device: Device, remote: RemoteFolder) -> float:
    """What recording one call takes, ns: a call of `PROBE_COST` less one of the same weight without."""
    argv = [remote.path("recorder"), "probe-cost", "--calls", str(_COST_CALLS)]
    told = json.loads(device.shell(argv, deadline_s=60.0).stdout)
    return max(float(told["probed_ns"]) - float(told["plain_ns"]), 0.0)
