"""What counts as a crash on the console, and what does not."""

from __future__ import annotations

import pytest

from harness.device.crash import find_crash

QUIET = """\
[    0.870747] mtrr: your CPUs had inconsistent fixed MTRR settings
[    2.102059] suite-init: ready
"""


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("panic", "[    7.525369] Kernel panic - not syncing: sysrq triggered crash"),
        ("panic", "[   99.000001] Kernel panic - not syncing: Out of memory and no killable processes..."),
        ("oops", "[   12.000001] Oops: 0002 [#1] PREEMPT SMP NOPTI"),
        ("oops", "[   12.000001] Internal error: Oops: 0000000096000004 [#1] PREEMPT SMP"),
        ("oops", "[   12.000001] general protection fault, maybe for address 0x0: 0000 [#1] PREEMPT SMP"),
        (
            "oops",
            "[   12.000001] Unable to handle kernel paging request at virtual address dead000000000100",
        ),
        ("bug", "[   12.000001] BUG: kernel NULL pointer dereference, address: 0000000000000008"),
        ("bug", "[   12.000001] kernel BUG at mm/swap_state.c:117!"),
        ("bug", "[   12.000001] BUG: Bad page state in process kcompressd:0  pfn:01234"),
        ("bug", "[   12.000001][  T123] BUG: KASAN: use-after-free in zram_free_page+0x10/0x20"),
        ("lockup", "[  152.000001] watchdog: BUG: soft lockup - CPU#1 stuck for 134s! [kcompressd:0:77]"),
        ("lockup", "[  152.000001] watchdog: Watchdog detected hard LOCKUP on cpu 0"),
        ("lockup", "[  152.000001] rcu: INFO: rcu_preempt self-detected stall on CPU"),
        ("lockup", "[  152.000001] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:"),
        ("hung task", "[  242.000001] INFO: task kswapd0:40 blocked for more than 120 seconds."),
    ],
)
def test_crashes_are_found(kind: str, line: str) -> None:
    crash = find_crash(QUIET + line + "\n[  300.000000] afterwards\n")
    assert crash is not None
    assert crash.kind == kind
    assert crash.headline == line
    assert line in crash.log
    assert crash.log.endswith("afterwards")


@pytest.mark.parametrize(
    "line",
    [
        "[    3.1] WARNING: CPU: 0 PID: 40 at mm/page_alloc.c:5500 __alloc_pages+0x10/0x20",
        "[    3.1] traps: app[119] general protection fault ip:4011d0 sp:7ffd error:0 in app[401000+9000]",
        "[    3.1] app[119]: segfault at 0 ip 0000000000401136 sp 00007ffd error 4 in app",
        "[    3.1] Out of memory: Killed process 119 (example.one) total-vm:46080kB",
        "[    3.1] example.one invoked oom-killer: gfp_mask=0x140dca, order=0, oom_score_adj=0",
        "[    3.1] suite-init: module-error zram.ko: Invalid module format",
        "[    0.1] DEBUG: something about a BUG in firmware",
    ],
)
def test_what_is_no_crash(line: str) -> None:
    assert find_crash(QUIET + line + "\n") is None


def test_an_empty_console_has_no_crash() -> None:
    assert find_crash("") is None


def test_the_first_sign_counts_and_the_lines_before_it_are_kept() -> None:
    console = "".join(f"[    1.{i:06d}] line {i}\n" for i in range(30))
    console += "[    2.0] BUG: unable to handle page fault for address: ffff\n"
    console += (
        "[    2.1] Oops: 0000 [#1] PREEMPT SMP\n[    2.2] Kernel panic - not syncing: Fatal exception\n"
    )
    crash = find_crash(console)
    assert crash is not None
    assert (crash.kind, crash.headline) == (
        "bug",
        "[    2.0] BUG: unable to handle page fault for address: ffff",
    )
    assert "line 20\n" in crash.log
    assert "line 19\n" not in crash.log
    assert "Fatal exception" in crash.log


def test_a_crash_in_the_very_first_line() -> None:
    crash = find_crash("[    0.000000] Kernel panic - not syncing: early\n")
    assert crash is not None
    assert crash.log == "[    0.000000] Kernel panic - not syncing: early"
