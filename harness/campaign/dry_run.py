"""``--dry-run``: what a campaign would do, found by running the real code on a planned device."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.records import PlannedBlock
from foundation.errors import SuiteError
from harness.campaign.block import run_block
from harness.campaign.lanes import flash_options
from harness.campaign.phase import Phase
from harness.campaign.plan import Plan
from harness.campaign.planned_programs import PLANNED_HOST, PROCESSES, PROGRAMS
from harness.campaign.schedule import order_text
from harness.campaign.session import blocks_to_run, plan_of
from harness.campaign.settings import Settings
from harness.campaign.store import Store
from harness.device import phone_facts
from harness.device.fastboot.dry_run import kernel_commands
from harness.device.fastboot.opening import FlashOptions, open_kernels
from harness.device.fastboot.phone_kernels import FACTS
from harness.device.lab import NO_LAB
from harness.device.planned_device import PlannedDevice, PlannedLane, Sent
from harness.device.planned_phone import PlannedPhone, Traits
from harness.variants.variant import kernels_of

#: Other phones; the dry run shows what each is sent that the first one is not.
_OTHERS: Final[Mapping[str, Traits]] = {
    "without a root shell": Traits(root=False),
    "before Android 13": Traits(api=31, perfetto="versions"),
    "of Android 10, where Perfetto is off": Traits(api=29, perfetto="old"),
    "whose settings have no value": Traits(unset=True),
    "that kills an app": Traits(kills=True),
}


def dry_run_text(several: Sequence[Settings], *, reads: bool = False) -> str:
    """Variants, schedule, seed and results folder of each campaign. UsageError, ResultsError.

    For a phone also the commands that it is sent, in order; with ``reads`` those that only read, too.
    """
    return "\n\n".join(_one(settings, plan_of(settings), reads) for settings in several)


def _one(settings: Settings, plan: Plan, reads: bool) -> str:
    device = plan.lanes[0]
    if settings.device == "virtual":
        cpus = "1 CPU" if settings.cpus == 1 else f"{settings.cpus} CPUs"
        device += f", {settings.base}, clock {settings.virtual_clock}"
        device += f", {cpus}, {settings.virtual_memory_mb} MB"
    changed = ", ".join(
        f"{table}.{key} = {value}"
        for table, keys in settings.changes.items()
        for key, value in keys.items()
    )
    profile = f"profile {plan.profile.name}{f' with {changed}' if changed else ''}"
    return "\n".join(
        [
            f"{plan.name}: {plan.workload}, {profile}; {device}",
            *(f"  {variant.spec}" for variant in plan.variants),
            f"  decided by {', '.join(plan.primaries)}",
            order_text(blocks_to_run(settings, plan)),
            *(_phone(settings, plan, reads) if settings.device == "phone" else []),
            f"seed {plan.seed}, results in {settings.results}",
        ]
    )


def _phone(settings: Settings, plan: Plan, reads: bool) -> Iterator[str]:
    blocks = [block.variant for block in plan.blocks]
    kernels = kernels_of(plan.variants)
    yield from kernel_commands(blocks, kernels, flash_options(settings), serial=settings.serial)
    address = [f"--serial {settings.serial}"] if settings.serial else []
    address += [f"--role {settings.role}"] if settings.role else []
    su = ", as root through its su" if settings.su else ""
    yield f"sent to the phone ({' '.join(address) or 'the only one attached'}) in this order{su}:"
    first = [block for block in plan.blocks if block.pair == 0]
    run = _Run(settings, plan, first, Traits())
    yield from _in_order(run, plan, reads)
    if run.trouble:
        yield f"  what follows depends on its answers: {run.trouble}"
    shown = {sent for _, _, lines in run.phases for sent in lines}
    for title, other in _others(settings, plan, first[:1], run):
        new = [sent for _, _, lines in other.phases for sent in lines if sent not in shown]
        shown.update(new)
        rows = _rows(new, reads)
        yield from [f"  to a phone {title}:", *rows] if rows else []
    if plan.suppressed:
        yield f"neither set nor checked: {', '.join(plan.suppressed)}"
    if plan.reps > 1 or plan.profile.rounds > 1:
        rounds = plan.profile.rounds
        each = f", {rounds} rounds each ({plan.profile.order})" if rounds > 1 else ""
        yield f"each block has {plan.reps} repetitions{each}; one is shown"
    yield "a command that is sent several times in one phase is shown once"
    yield "<its value> and the like stand for what only the phone knows; its screen counts as 1000 by 1000"
    if not reads:
        yield "commands that only read are left out (-v shows them)"


def _in_order(run: _Run, plan: Plan, reads: bool) -> Iterator[str]:
    """Blocks and their phases, without repeating what a phase shares with an earlier block's."""
    seen: dict[str, dict[int, dict[str, None]]] = {}
    block = -1
    for index, phase, lines in run.phases:
        if index != block:
            planned = plan.blocks[index]
            yield f"  block {index}, {planned.variant}, {planned.scenario}:"
        rows = _rows(lines, reads)
        earlier = seen.setdefault(phase, {})
        equal = next((n for n, other in earlier.items() if other.keys() == set(rows)), None)
        subset = next((n for n, other in earlier.items() if other and other.keys() < set(rows)), None)
        superset = next((n for n, other in earlier.items() if other.keys() > set(rows)), None)
        if not rows:
            yield f"    {phase}: nothing"
        elif equal is not None:
            yield f"    {phase}: as in block {equal}"
        elif subset is not None:
            yield f"    {phase}: as in block {subset}, and"
            yield from (row for row in rows if row not in earlier[subset])
        elif superset is not None:
            yield f"    {phase}: as in block {superset}, without"
            yield from (row for row in earlier[superset] if row not in rows)
        else:
            yield f"    {phase}:"
            yield from rows
        block = index
        earlier[index] = dict.fromkeys(rows)


def _rows(lines: Sequence[Sent], reads: bool) -> list[str]:
    """Each line once, in the order in which it is first sent."""
    shown = dict.fromkeys(sent.line for sent in lines if reads or not sent.reads_only)
    return [f"        {line}" for line in shown]


def _others(
    settings: Settings, plan: Plan, blocks: Sequence[PlannedBlock], first: _Run
) -> Iterator[tuple[str, _Run]]:
    for title, traits in _OTHERS.items():
        yield title, _Run(settings, plan, blocks, traits)
    # Where the suite looks for one of several files, phones without it have the next.
    tested = list(first.tested)
    for path in tuple(dict.fromkeys(tested)):
        lacks = [path]
        while True:
            run = _Run(settings, plan, blocks, Traits(lacks=frozenset(lacks)))
            new = [one for one in run.tested if one not in tested]
            if not new:
                break
            yield f"without {lacks[-1]}", run
            tested += new
            lacks.append(new[0])


@dataclass
class _Run:
    """Blocks on a planned phone: the commands of each phase, and why the run ended early, if it did."""

    settings: Settings
    plan: Plan
    blocks: Sequence[PlannedBlock]
    traits: Traits
    phases: list[tuple[int, str, list[Sent]]] = field(default_factory=list)
    tested: list[str] = field(default_factory=list)
    trouble: str = ""

    def __post_init__(self) -> None:
        wanted = self.plan.profile.phone
        traits = replace(
            self.traits, charging=wanted.charging != "no", battery_percent=wanted.battery_percent_max
        )
        packages = [app.package for app in self.plan.profile.apps]
        phone = PlannedPhone(traits, PROGRAMS, packages)
        serial = self.settings.serial or "SERIAL"
        device = PlannedDevice(serial, phone, self._record, dict(PROCESSES))
        kernels = kernels_of(self.plan.variants)
        reboots = self.settings.reboot_between and not kernels
        lane = PlannedLane(self.plan.lanes[0], device, reboot_between=reboots)
        self._begin(self.blocks[0].index, "opened")
        plan = replace(self.plan, reps=1, profile=replace(self.plan.profile, rounds=1))
        try:
            open_kernels(device, {}, FlashOptions(), NO_LAB)
            if kernels:
                ask_all(device, FACTS)
            phone_facts.emulator(device)
            lane.describe()
            with tempfile.TemporaryDirectory() as folder:
                for block in self.blocks:
                    self._block(lane, plan, block, Store(Path(folder)))
            self._begin(self.blocks[-1].index, "at the end")
            lane.close()
        except SuiteError as error:
            self.trouble = str(error)
        self.tested = phone.tested

    def _block(self, lane: PlannedLane, plan: Plan, block: PlannedBlock, store: Store) -> None:
        names = {
            Phase.BOOT: "boot",
            Phase.PINS: "preconditions",
            Phase.PREPARE: "workload and warm-up",
            Phase.CAPTURE: "repetition",
            Phase.PULL: "repetition",
            Phase.VERIFY: "check and put back",
        }

        def phase(phase: Phase, text: str | None = None) -> None:
            if not self.phases or self.phases[-1][:2] != (block.index, names[phase]):
                self._begin(block.index, names[phase])

        record = run_block(lane, plan, block, store, phase, PLANNED_HOST)
        if record.outcome != "valid":
            self.trouble = record.failure or "; ".join(record.void_reasons)

    def _begin(self, block: int, phase: str) -> None:
        self.phases.append((block, phase, []))

    def _record(self, sent: Sent) -> None:
        self.phases[-1][2].append(sent)
