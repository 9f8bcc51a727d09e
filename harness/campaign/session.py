"""A campaign as pytest runs it: a plan, a lane, a store, and the questions at the end."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from analysis.judging.interim import interim
from analysis.judging.pipeline import Judgement, judge
from foundation.contract.device import Lane
from foundation.contract.needs import Request
from foundation.contract.records import BlockResult, PlannedBlock
from foundation.contract.zram_identity import engine_of
from foundation.errors import DeviceError, SuiteError, UsageError
from harness.campaign.block import run_block
from harness.campaign.lanes import check_lane, open_lane, open_virtual_lanes, side_by_side
from harness.campaign.phase import Phase
from harness.campaign.plan import Plan
from harness.campaign.settings import Settings
from harness.campaign.side_by_side import LaneBroken, SideBySide, Stopped
from harness.campaign.store import Store
from harness.campaign.terminal.progress import Progress, View
from harness.device.preconditions.names import parse_suppressed
from harness.variants.defaults import default_variants
from harness.variants.kind import Bindings
from harness.variants.variant import hashes_of, parse_variants, pin_contents, refuse_engine
from workloads.profile import load_profile

#: So many blocks in a row may fail by a command that the device refused or did not end, before the
#: campaign ends: the next block would fail as well.
LOST_BLOCKS_MAX: Final = 2


@dataclass(frozen=True)
class Question:
    """One primary metric of one scenario, for one variant against the baseline."""

    scenario: str
    metric: str
    variant: str


@dataclass(frozen=True)
class Answer:
    """A verdict in words; ``gates`` is False if too few pairs make it exploratory."""

    verdict: str
    sentence: str
    gates: bool


def plan_of(settings: Settings) -> Plan:
    """Fix the plan without touching a device. UsageError, ResultsError."""
    bindings = Bindings(kernel=settings.kernel)
    texts = settings.variants or default_variants(settings.device, bindings)
    if not texts:
        raise UsageError(
            "no variants given",
            next_step="such as --variant baseline=as-is --variant on=sysctl:vm.kcompressd=24",
        )
    store = Store(settings.results)
    store.check_place()
    stored = store.stored_campaign()
    seed = settings.seed
    if seed is None:
        seed = stored.seed if stored else secrets.randbelow(2**31)
    elif stored and stored.seed != seed:
        raise UsageError(
            f"{settings.results} was started with seed {stored.seed}, not {seed}",
            next_step="leave --seed out to resume it, or give --results a new folder",
        )
    bindings = Bindings(kernel=settings.kernel, base=settings.base)
    variants = pin_contents(parse_variants(texts, device_kind=settings.device, bindings=bindings))
    requests: dict[Request, bool] = {
        "queue": settings.trace_queue,
        "reclaim": settings.trace_reclaim,
        "faults": settings.trace_faults,
    }
    plan = Plan(
        name=settings.name,
        workload=settings.workload,
        profile=load_profile(settings.profile, settings.changes),
        scenarios=settings.scenarios,
        variants=variants,
        images=hashes_of(variants),
        pairs=settings.pairs,
        reps=settings.reps,
        seed=seed,
        lanes=(f"{settings.device}-0",),
        requests=tuple(request for request, on in requests.items() if on),
        suppressed=parse_suppressed(settings.suppress),
        reset_backed_zram=settings.reset_backed_zram,
        clock=settings.virtual_clock if settings.device == "virtual" else None,
    )
    blocks_to_run(settings, plan)
    side_by_side(settings)
    check_lane(settings, variants)
    if "zram" not in plan.suppressed:
        refuse_engine(variants, engine_of(plan.profile.device.zram_algorithm))
    return plan


def blocks_to_run(settings: Settings, plan: Plan) -> tuple[PlannedBlock, ...]:
    """The blocks of the plan, or those of the pairs that the user chose. UsageError for no such pair."""
    known = {str(pair) for pair in range(plan.pairs)}
    chosen = [pair.strip() for text in settings.only_pairs for pair in text.split(",")]
    if unknown := [pair for pair in chosen if pair not in known]:
        raise UsageError(
            f"--only-pairs {','.join(unknown)}: there is no such pair",
            next_step=f"the campaign has pairs 0 to {plan.pairs - 1}",
        )
    return tuple(block for block in plan.blocks if not chosen or str(block.pair) in chosen)


class CampaignSession:
    """Runs blocks on demand and judges what is on disk; call `close` on every way out.

    In instruction time the next blocks of those expected run ahead, side by side.
    """

    def __init__(self, settings: Settings, plan: Plan, view: View) -> None:
        self.settings = settings
        self.plan = plan
        self.store = Store(settings.results)
        self.view = view
        self.blocks = blocks_to_run(settings, plan)
        self._count = min(side_by_side(settings), len(self.blocks))
        self.progress = Progress(self.blocks, view, plan.name, plan.lanes[0], side_by_side=self._count)
        self._lanes: list[Lane] = []
        self._ahead: SideBySide | None = None
        self._expected: Sequence[PlannedBlock] = ()
        self._broken: SuiteError | None = None
        self._lost = 0
        self._estimated: set[tuple[str, int]] = set()
        self._judgement: Judgement | None = None
        self._opened = False

    def open(self) -> None:
        """Lock the results folder and set unfinished pairs aside, once. Raises what `Store.open` does."""
        if self._opened:
            return
        self.store.open()
        self._opened = True
        self.store.check_same(self.plan.identity())
        moved = self.store.set_aside_broken_pairs(self.plan.blocks, redo_void=self.settings.redo_void)
        done = [block for block in self.blocks if self.store.finished(block)]
        for block in done:
            dur_s = self.store.block_dur_s(block)
            if dur_s is not None:
                self.progress.time_left.block(block.scenario, dur_s)
        self._estimated = {(block.scenario, block.pair) for block in done}
        self.progress.resume([block.index for block in done], len(moved), str(self.store.root))

    def expect(self, blocks: Sequence[PlannedBlock]) -> None:
        """Name the blocks that `run` will be asked for, in that order: no other runs ahead."""
        self._expected = tuple(blocks)

    def run(self, block: PlannedBlock) -> BlockResult:
        """The result of ``block``, which runs now unless it is finished or runs already.

        LaneBroken, SuiteError.
        """
        self.open()
        self._judgement = None
        if (self._ahead is not None and self._ahead.knows(block)) or not self.store.finished(block):
            self._run_now(block)
        pair = (block.scenario, block.pair)
        if pair not in self._estimated and self.store.pair_finished(block, self.plan.blocks):
            self._estimated.add(pair)
            self._estimate(block)
        return self.store.block_result(block)

    def _run_now(self, block: PlannedBlock) -> None:
        if self._broken is not None:
            raise LaneBroken(f"not run: {block.lane} broke earlier: {self._broken}")
        try:
            self._open_lanes()
        except SuiteError as error:
            self._broken = error
            self.progress.broke(block, str(error))
            raise
        if self._ahead is not None:
            self._ahead.wait(block)
            return
        try:
            self._run_on(self._lanes[0], block)
        except DeviceError as error:
            # One refused or late command costs its block; the same again costs the rest of the night.
            self._lost += 1
            if self._lost >= LOST_BLOCKS_MAX:
                self._broken = error
            raise
        except SuiteError as error:
            self._broken = error
            raise
        self._lost = 0

    def _run_on(self, lane: Lane, block: PlannedBlock) -> None:
        def report(phase: Phase, text: str | None = None) -> None:
            if self._ahead is not None and self._ahead.stopping:
                raise Stopped
            self.progress.phase(block, phase, text)

        self.progress.begin(block)
        try:
            record = run_block(lane, self.plan, block, self.store, report)
        except SuiteError as error:
            if self._ahead is not None and self._ahead.stopping:
                raise Stopped from error
            self.progress.broke(block, str(error))
            raise
        self.progress.end(block, record.outcome)

    def _estimate(self, block: PlannedBlock) -> None:
        """Update the running estimate after a pair, where it disturbs no measurement."""
        try:
            estimate = interim(self.store.root, progress=partial(self.progress.reading, block))
        except SuiteError as error:
            self.progress.line(f"  no running estimate: {error}")
            estimate = ()
        self.progress.judged(block, estimate)

    def _open_lanes(self) -> None:
        if self._lanes:
            return
        if self._count > 1:
            lanes = open_virtual_lanes(self.settings, self.plan, self._count, self.progress.line)
            self._lanes = [*lanes]
            left = [block for block in self._expected if not self.store.finished(block)]
            self._ahead = SideBySide(lanes, left, self._run_on)
        else:
            self._lanes = [open_lane(self.settings, self.plan, self.progress.line)]
        lane = self._lanes[0]
        campaign = self.plan.record(emulated=lane.emulated, lanes={lane.name: lane.describe()})
        self.store.begin(campaign, self.plan.identity())

    def judge(self) -> Judgement | None:
        """Judge what is on disk; None if nothing is. Keeps the judgement until the next block runs."""
        if self._judgement is None and self.store.campaign_file.exists():
            self._judgement = judge(self.store.root, progress=self.view.line)
        return self._judgement

    def answer(self, question: Question) -> Answer:
        """The verdict on ``question`` from all finished blocks."""
        judgement = self.judge()
        if judgement is None:
            return Answer("UNDECIDED", "no block has been measured", False)
        row = judgement.row(question.scenario, question.metric, question.variant)
        return Answer(row.verdict, row.sentence(), not row.exploratory)

    def close(self) -> None:
        """Stop the devices and unlock the results folder. May be called twice."""
        lanes, self._lanes = self._lanes, []
        try:
            if self._ahead is not None:
                self._ahead.stop()
            for lane in lanes:
                lane.close()
        finally:
            self.view.close()
            with suppress(OSError):
                self.store.close()


def questions_of(plan: Plan) -> list[Question]:
    """A question for every scenario, primary metric, and variant but the baseline."""
    return [
        Question(scenario, metric, variant.name)
        for scenario in plan.scenarios
        for metric in plan.primaries
        for variant in plan.variants[1:]
    ]
