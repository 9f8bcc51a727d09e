"""``python -m workloads.native``: build every native program."""

from __future__ import annotations

import sys

from foundation.errors import SuiteError
from workloads.native.build import build_all


def main() -> int:
    try:
        built = build_all()
    except SuiteError as error:
        print(f"native: {error}", file=sys.stderr)
        return 1
    names = sorted({name for name, _ in built})
    arches = sorted({arch for _, arch in built})
    print(f"native: {', '.join(names)} for {', '.join(arches)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
