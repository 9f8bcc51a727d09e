"""The phases of a block, as a person who watches a campaign knows them."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Phase(StrEnum):
    """In the order of a block; CAPTURE, PULL and VERIFY come once a repetition."""

    BOOT = "boot"
    PINS = "pins"
    PREPARE = "prepare"
    CAPTURE = "capture"
    PULL = "pull"
    VERIFY = "verify"
    JUDGE = "judge"


class PhaseReporter(Protocol):
    """Reports that a phase begins, or progress within the current one.

    ``text`` is for people and logs; a phase without one is shown only where a screen is drawn.
    """

    def __call__(self, phase: Phase, text: str | None = None) -> None: ...
