"""The module reclaim.roles, made from the table of thread roles."""

from __future__ import annotations

from typing import Final

from foundation.contract.threads import PATTERNS

_TEXT: Final = """\
-- Roles of kernel threads in reclaim, by name.
-- Made by `python -m analysis reference roles` from foundation/contract/threads.py.

-- Role of a thread by its comm: reclaim (kswapd), compression (kcompressd and its ports),
-- vendor_reclaim, writeback, or NULL.
CREATE PERFETTO FUNCTION reclaim_role_of(
  -- Name of the thread, truncated to 15 characters by the kernel.
  comm STRING
)
-- The role, or NULL for a thread without one.
RETURNS STRING
AS
SELECT
  CASE
{cases}
    ELSE NULL
  END;
"""


def roles_sql() -> str:
    """The text of ``analysis/sql/reclaim/roles.sql``.

    The file is checked in, so that a trace_processor_shell can load the folder as it is.
    """
    cases = [f"    WHEN $comm REGEXP '{pattern}' THEN '{role}'" for role, pattern in PATTERNS.items()]
    return _TEXT.format(cases="\n".join(cases))
