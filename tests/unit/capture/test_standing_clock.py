"""CPU times under a run queue's clock that stands still: a simulated scheduler against the check."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.contract.cpu_time import EDGE_NS, Measured, OnCpu, contradictions
from harness.capture.run_times import RunTimes

MS = 1_000_000
KSWAPD, THREAD, APP = 50, 60, 70
MEASURED = {KSWAPD: "kswapd0", THREAD: "kcompressd:0"}

#: Who runs next, how long the one before runs, and how late the switch comes after the wake-up that
#: asks for it (None: it is no wake-up: a sleep or a tick).
steps = st.lists(
    st.tuples(
        st.sampled_from([KSWAPD, THREAD, APP]),
        st.integers(1, 40 * MS),
        st.none() | st.integers(0, 90 * MS),
    ),
    min_size=3,
    max_size=40,
)


def _run(
    plan: list[tuple[int, int, int | None]], *, lost: int | None = None
) -> tuple[list[Measured], dict[int, int]]:
    """One CPU, recorded from 0 on; the switch ``lost`` is not in the trace.

    Charges as the kernel does: a thread that preempts at its wake-up from the wake-up on, and the one
    that runs at the end not at all since it was switched in (its virtual CPU has had no tick).
    """
    charged = dict.fromkeys((KSWAPD, THREAD, APP), 0)
    events: list[tuple[int, int]] = []
    wakings: list[tuple[int, int]] = []
    now = since = 0
    current = APP
    events.append((0, APP))
    for following, ran, late in plan:
        if following == current:
            continue
        asked = now + ran
        now = asked + (late or 0)
        if late is not None:
            wakings.append((asked, following))
        charged[current] += asked - since
        since, current = asked, following
        events.append((now, following))
    end = now + 5 * MS
    times = RunTimes(MEASURED, (0, end))
    for number, (t_ns, tid) in enumerate(events):
        if number != lost:
            times.switch(0, t_ns, tid)
    for t_ns, tid in reversed(wakings):
        times.waking(t_ns, tid)
    found = times.result(end)
    assert found is not None
    return [Measured(comm, charged[tid], *found[tid]) for tid, comm in MEASURED.items()], charged


@settings(max_examples=200)
@given(steps)
def test_no_delay_between_a_wake_up_and_its_switch_is_a_contradiction(
    plan: list[tuple[int, int, int | None]],
) -> None:
    measured, _ = _run(plan)
    assert contradictions(measured) == []


@settings(max_examples=200)
@given(steps)
def test_what_may_have_moved_bounds_what_did(plan: list[tuple[int, int, int | None]]) -> None:
    for one in _run(plan)[0]:
        assert one.inside is not None
        least = one.inside.ns - one.moved.given_ns - one.moved.late_ns
        assert least <= one.schedstat_ns <= one.around_ns + one.moved.gained_ns


def test_a_lost_switch_is_still_seen() -> None:
    # kswapd runs 30 ms ten times, then the app; the switch back to the app is lost once.
    plan: list[tuple[int, int, int | None]] = []
    for _ in range(10):
        plan += [(KSWAPD, 50 * MS, None), (APP, 30 * MS, None)]
    plan.append((KSWAPD, 50 * MS, None))
    assert contradictions(_run(plan)[0]) == []
    (line,) = contradictions(_run(plan, lost=4)[0])
    assert line.startswith("kswapd0 ran 300.0 ms by schedstat but 35")


def test_a_waking_long_before_the_window_moves_nothing() -> None:
    times = RunTimes([KSWAPD], (10 * EDGE_NS, 11 * EDGE_NS))
    times.waking(1, KSWAPD)
    times.switch(0, 10 * EDGE_NS, APP)
    times.switch(0, 10 * EDGE_NS + 5, KSWAPD)
    times.switch(0, 10 * EDGE_NS + 9, APP)
    found = times.result(11 * EDGE_NS)
    assert found is not None
    assert found[KSWAPD].inside == OnCpu(4, 1)
    assert found[KSWAPD].moved.gained_ns == 0
