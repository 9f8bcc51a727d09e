"""``python -m android_tests.virtual prepare|boot``: the virtual device."""

from __future__ import annotations

import sys

from harness.variants.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
