"""``python -m harness.native``: build every native program."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from foundation.arguments import OneLineParser, exit_status_of
from harness.native.build import build_all


def main(words: Sequence[str] | None = None) -> int:
    """Build all programs. Returns 0, 1 for a fault of this host, 2 for a wrong command line."""
    OneLineParser(prog="python -m harness.native", description=__doc__).parse_args(words)
    return exit_status_of(_build)


def _build() -> int:
    built = build_all()
    names = sorted({name for name, _ in built})
    arches = sorted({arch for _, arch in built})
    print(f"native: {', '.join(names)} for {', '.join(arches)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
