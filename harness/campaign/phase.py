"""The phases of a block, as shown to a user."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Phase(StrEnum):
    """In the order of a block; CAPTURE, PULL and VERIFY occur once per repetition."""

    BOOT = "boot"
    PINS = "pins"
    PREPARE = "prepare"
    CAPTURE = "capture"
    PULL = "pull"
    VERIFY = "verify"
    JUDGE = "judge"


class PhaseReporter(Protocol):
    """Reports the start of a phase, or progress within the current one.

    ``text`` is a line for users and logs; without it, only a drawn screen shows the phase.
    """

    def __call__(self, phase: Phase, text: str | None = None) -> None:
        """Report ``phase``."""
