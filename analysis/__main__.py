"""``python -m analysis``: figures of traces, and the report of a results folder."""

from __future__ import annotations

import sys

from analysis.cli import main

if __name__ == "__main__":
    sys.exit(main())
