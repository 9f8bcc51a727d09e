"""``python -m android_tests survey``: record a phone into a folder to attach to a bug report."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from foundation.contract.metric import Catalogue
from foundation.errors import DeviceLost, StateError, SuiteError, UsageError
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.attach import attach_phone
from harness.device.lab import Act, Lab, find_lab
from harness.doctor.command import examine, to_json
from harness.doctor.facts import DeviceFacts
from harness.survey import changing, tracing
from harness.survey.asking import Asker, Entry
from harness.survey.folder import Item, SurveyFolder
from harness.survey.pseudonyms import Pseudonyms
from harness.survey.questions import IDENTIFYING, IDENTITIES, QUESTIONS, Question

#: Properties whose values many phones share.
_PUBLIC: Final = re.compile(
    r"^\[(?:ro\.(?:product|build|soc|hardware|board|boot\.hardware)[^\]]*)\]: \[(.*)\]$", re.MULTILINE
)
_MINUTES: Final = 2
_RESTART_S: Final = 240.0
_APPS_S: Final = 240.0
_SWAP_S: Final = 90.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that only this command has."""
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="the new folder (default: survey/ and model, Android and time)",
    )
    parser.add_argument(
        "--watch-minutes",
        type=_minutes,
        default=_MINUTES,
        metavar="N",
        help=f"how long to watch heat and frequencies, 0 to 120 (default: {_MINUTES})",
    )
    parser.add_argument(
        "--may-change",
        action="store_true",
        help="also start apps, time swapoff (with root), and restart the phone if the lab file allows that",
    )
    parser.add_argument(
        "--may-lose-swap",
        action="store_true",
        help="with --may-change, also reset a zram with a backing device, lost until a restart at worst",
    )


def _minutes(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 120:
        raise argparse.ArgumentTypeError("must be 0 to 120")
    return value


@dataclass(frozen=True)
class _Step:
    """An item to come: ``run`` asks it, ``why`` says why not."""

    name: str
    what: str
    expected_s: float
    run: Callable[[], Item] | None
    why: str = ""


def run(args: argparse.Namespace, catalogue: Catalogue) -> int:
    """Survey the phone and print progress; 0, or 1 if the phone was left otherwise than found. SuiteError.

    Changes nothing on the phone without ``--may-change``, except that Perfetto records for some seconds.
    What was recorded before Ctrl-C, or before the phone was lost, stays.
    """
    if args.may_lose_swap and not args.may_change:
        raise UsageError("--may-lose-swap needs --may-change", next_step="give both if that is intended")
    lab = find_lab(args.lab)
    server, device = attach_phone(
        serial=args.serial, adb_port=args.adb_port, su=args.su, role=args.role, lab=lab
    )
    try:
        return _Survey(args, catalogue, server, device, lab).run()
    finally:
        server.stop()


class _Survey:
    def __init__(
        self, args: argparse.Namespace, catalogue: Catalogue, server: AdbServer, device: AdbDevice, lab: Lab
    ) -> None:
        self._args = args
        self._catalogue = catalogue
        self._server = server
        self._device = device
        self._lab = lab
        self._asker = Asker(device)
        self._names = Pseudonyms()

    def run(self) -> int:
        _learn(self._asker, self._names)
        unprivileged = AdbDevice(self._server, self._device.serial) if self._args.su else None
        facts, found = examine(self._device, self._catalogue, unprivileged=unprivileged)
        doctor = to_json(facts, found, [], [])
        folder = SurveyFolder(
            self._args.out or _folder_name(facts), self._names, _described(facts), self._facts(facts)
        )
        steps = [_Step("doctor", "doctor's reading, as its --json", 0.0, lambda: Item("", "", data=doctor))]
        steps += self._steps(facts)
        total_s = sum(step.expected_s for step in steps if step.run is not None)
        minutes = max(1, round(total_s / 60))
        print(f"[{self._device.serial}] {len(steps)} items, about {minutes} min -> {folder.path}")
        complete = False
        try:
            for number, step in enumerate(steps, 1):
                print(f"{number:3}/{len(steps)} {step.name}", end="", flush=True)
                item = self._record(step, folder)
                folder.add(item)
                print(f": {item.state}{_remark(item)}")
            complete = True
        finally:
            if not complete:
                print()
            archive = folder.finish(complete=complete)
            print(f"{'recorded' if complete else 'recorded so far'}: {folder.path}, packed: {archive}")
            for warning in folder.warnings:
                print(f"warning: {warning}")
        return 1 if folder.warnings else 0

    def _record(self, step: _Step, folder: SurveyFolder) -> Item:
        if step.run is None:
            return Item(step.name, step.what, why=step.why)
        began = time.monotonic()
        try:
            item = step.run()
        except DeviceLost:
            raise
        except SuiteError as error:
            if isinstance(error, StateError):
                folder.warnings.append(str(error))
            item = Item("", "", (Entry(step.name, None, why=str(error)),))
        took_ms = round((time.monotonic() - began) * 1000, 1)
        return replace(item, name=step.name, what=step.what, duration_ms=took_ms)

    def _steps(self, facts: DeviceFacts) -> list[_Step]:
        events = sorted(
            event
            for event in self._catalogue.needs(recorded_by_default=True).ftrace_events
            if facts.events.get(event) == "open"
        )
        steps = [self._question(question) for question in QUESTIONS]
        steps.append(
            _Step(
                "recording",
                f"{tracing.RECORD_S:.0f} s by Perfetto: when its statistics were written, and what failed",
                tracing.RECORD_S + 5,
                lambda: Item("", "", data=tracing.record(self._device, facts, events)),
            )
        )
        minutes = self._args.watch_minutes
        steps.append(
            _Step(
                "watch",
                "temperatures, cooling devices and frequencies once a second, with nothing started",
                minutes * 60,
                (lambda: Item("", "", tuple(self._watch(minutes * 60)))) if minutes else None,
                why="--watch-minutes is 0",
            )
        )
        return [*steps, *self._changing(facts)]

    def _question(self, question: Question) -> _Step:
        def ask() -> Item:
            entries = [self._asker.ask(text, deadline_s=question.deadline_s) for text in question.commands]
            if question.from_line:
                entries = [_from_line(entry, question.from_line) for entry in entries]
            files = self._asker.files(question.files) if question.files else []
            return Item("", "", (*entries, *files))

        return _Step(question.name, question.what, question.expected_s, ask)

    def _watch(self, for_s: float) -> list[Entry]:
        end = time.monotonic() + for_s
        entries = []
        while time.monotonic() < end:
            entries.append(self._asker.ask(changing.LIMITS))
            self._device.sleep(max(0.0, 1.0 - (entries[-1].duration_ms or 0.0) / 1000))
        return entries

    def _changing(self, facts: DeviceFacts) -> list[_Step]:
        asker = self._asker
        without = "" if self._args.may_change else "it changes the phone: --may-change"
        no_swap = without or ("" if facts.is_root else "it needs root")
        kept = no_swap or (
            "" if self._args.may_lose_swap else "the phone may lose its swap: --may-lose-swap"
        )
        entry = self._lab.device(self._device.serial)
        allowed = entry is not None and Act.REBOOT in entry.allow
        no_restart = without or (
            "" if allowed else "the lab file does not list the phone with allow = ['reboot']"
        )
        watched = Asker(AdbDevice(self._server, self._device.serial))
        rows: list[tuple[str, str, float, str, Callable[[], list[Entry]]]] = [
            ("permissions", "whether the shell may send input and change settings", 2, without,
             lambda: changing.permissions(asker)),
            ("apps", "starts of a few apps in turn, and what limits the CPUs meanwhile", _APPS_S, without,
             lambda: changing.apps(asker, _say)),
            ("swapoff", "how long swapoff takes, and how fast the swap fills again", _SWAP_S, no_swap,
             lambda: changing.swapoff(asker)),
            ("backing-device", "what a reset of zram does to its backing device", _SWAP_S, kept,
             lambda: changing.backing_device(asker)),
            ("restart", "when swap, root and MGLRU come back after a restart", _RESTART_S, no_restart,
             lambda: changing.restart(asker, watched)),
        ]  # fmt: skip
        return [
            _Step(name, what, expected_s, None if why else _as_item(ask), why)
            for name, what, expected_s, why, ask in rows
        ]

    def _facts(self, facts: DeviceFacts) -> dict[str, Any]:
        now = self._asker.ask("date +%s")
        return {
            "serial": facts.serial,
            "model": facts.properties.get("model", ""),
            "build": facts.properties.get("build", ""),
            "android": facts.properties.get("android", ""),
            "api": facts.properties.get("api", ""),
            "kernel": facts.release,
            "root": facts.root,
            "unix_s": now.stdout.strip(),
            "uptime_s": now.uptime_s,
            "may_change": self._args.may_change,
            "may_lose_swap": self._args.may_lose_swap,
        }


def _as_item(ask: Callable[[], Sequence[Entry]]) -> Callable[[], Item]:
    return lambda: Item("", "", tuple(ask()))


def _learn(asker: Asker, names: Pseudonyms) -> None:
    """Find what identifies this phone and its owner, and what only looks like it."""
    properties = asker.ask("getprop").stdout
    for value in _PUBLIC.findall(properties):
        names.keep(value)
    names.learn("serial", asker.device.serial)
    for kind, command in IDENTITIES:
        answer = asker.ask(command)
        if answer.ok:
            names.learn(kind, answer.stdout)
    for command in IDENTIFYING:
        names.learn_from(asker.ask(command).stdout)


def _from_line(entry: Entry, start: str) -> Entry:
    _, found, rest = entry.stdout.partition(f"\n{start}")
    return replace(entry, stdout=start + rest if found else "", why="" if found else f"no line '{start}'")


def _remark(item: Item) -> str:
    """What follows the state in the line of progress."""
    if item.why:
        return f", {item.why}"
    asked = [entry for entry in item.entries if entry.asked]
    answered = sum(entry.ok for entry in asked)
    counted = f", {answered} of {len(asked)}" if answered < len(asked) else ""
    reason = (asked[0].why or asked[0].stderr).strip() if len(asked) == 1 and counted else ""
    return f"{counted}{': ' if reason else ''}{reason.partition(chr(10))[0]}"


def _described(facts: DeviceFacts) -> str:
    properties = facts.properties
    words = [properties.get(key, "") for key in ("manufacturer", "model", "build type")]
    android = f"Android {properties.get('android', '?')}"
    return f"{' '.join(word for word in words if word)}, {android}, {facts.release}"


def _folder_name(facts: DeviceFacts) -> Path:
    model = re.sub(r"[^a-z0-9]+", "-", facts.properties.get("model", "phone").lower()).strip("-")
    now = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return Path("survey") / f"{model}-android{facts.properties.get('android', '')}-{now}"


def _say(line: str) -> None:
    print(f"\n    {line}", end="", flush=True)
