"""The picture of the rooms and the tables beside it are what the imports give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_architecture_page_is_drawn_from_the_code() -> None:
    command = [sys.executable, "setup/architecture.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr
