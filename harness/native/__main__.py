"""``python -m harness.native``: build every native program."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from foundation.arguments import OneLineParser
from foundation.errors import SuiteError
from harness.native.build import build_all


def main(words: Sequence[str] | None = None) -> int:
    """0: built, or found built; 1: what was wrong with this host; 2: asked for what cannot be."""
    OneLineParser(prog="python -m harness.native", description=__doc__).parse_args(words)
    try:
        built = build_all()
    except SuiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    names = sorted({name for name, _ in built})
    arches = sorted({arch for _, arch in built})
    print(f"native: {', '.join(names)} for {', '.join(arches)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
