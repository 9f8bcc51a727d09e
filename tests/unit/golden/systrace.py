"""A schedule as ftrace's text and as the HTML that old phones' systrace wraps it in."""

from __future__ import annotations

from tests.unit.golden.builder import TraceBuilder

_HEAD = """# tracer: nop
#
# entries-in-buffer/entries-written: {kept}/{written}   #P:{cpus}
#
#                                _-----=> irqs-off
#           TASK-PID   TGID  CPU#  ||||   TIMESTAMP  FUNCTION
#              | |      |     |    ||||      |         |
"""


def as_text(builder: TraceBuilder, *, overwritten: int = 0) -> str:
    lines = []
    for cpu in range(builder.cpus):
        for ts, prev, state, following in builder.switches(cpu):
            prev_comm = builder.threads[prev][0] if prev else f"swapper/{cpu}"
            next_comm = builder.threads[following][0] if following else f"swapper/{cpu}"
            who = "<idle>" if not prev else prev_comm
            lines.append(
                (
                    ts,
                    f"{who:>16}-{prev:<5} (-----) [{cpu:03}] d..2 {ts / 1e9:.6f}: sched_switch:"
                    f" prev_comm={prev_comm} prev_pid={prev} prev_prio=120 prev_state={state}"
                    f" ==> next_comm={next_comm} next_pid={following} next_prio=120",
                )
            )
    body = "\n".join(text for _, text in sorted(lines))
    head = _HEAD.format(kept=len(lines), written=len(lines) + overwritten, cpus=builder.cpus)
    return f"{head}{body}\n"


def as_html(builder: TraceBuilder) -> str:
    return (
        "<!DOCTYPE html>\n<html>\n<head></head>\n<body>\n"
        "<!-- BEGIN TRACE -->\n"
        '  <script class="trace-data" type="application/text">\n'
        f"{as_text(builder)}"
        "  </script>\n<!-- END TRACE -->\n</body>\n</html>\n"
    )
