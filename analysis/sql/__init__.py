"""The suite's PerfettoSQL package: reclaim in a trace, as tables for any trace processor.

``INCLUDE PERFETTO MODULE reclaim.kswapd`` works in every trace that `analysis.trace_processor` opens, in
the offline Perfetto UI (`analysis.perfetto_ui`), and in a trace_processor_shell started with
``--add-sql-package analysis/sql/reclaim``. docs/sql.md lists the columns.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

PACKAGE: Final = "reclaim"
FOLDER: Final = Path(__file__).parent / PACKAGE


@functools.cache
def modules() -> Mapping[str, str]:
    """SQL text of each module by its name, such as ``reclaim.kswapd``, sorted by name."""
    return MappingProxyType(
        {
            f"{PACKAGE}.{path.stem}": path.read_text(encoding="utf-8")
            for path in sorted(FOLDER.glob("*.sql"))
        }
    )
