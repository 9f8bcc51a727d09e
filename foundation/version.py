"""The suite's own version, stamped into every result."""

from typing import Final

SUITE_VERSION: Final = "0.1.0"
