"""``python -m android_tests.campaign list|show|run|reference``: campaigns and campaign files."""

from __future__ import annotations

import sys

from harness.campaign.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
