"""What can be made to go wrong on the fake device; all off by default, changeable at any time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

#: Moments of a stream's life at which the connection can be dropped.
Stage = Literal["cnxn", "open", "opened", "output", "exit"]


@dataclass
class Faults:
    """Knobs.

    Connection: ``answers`` False leaves the device offline; ``authorized`` False leaves it
    unauthorized; ``drop_at`` drops the connection at that stage of the next stream whose
    service contains ``drop_service``, once; ``delay_s`` comes before each packet sent.

    Files: ``drop_in_push_after`` and ``drop_in_pull_after`` drop the connection once after
    so many bytes; ``truncate_pull_to`` ends a pull early but in order; ``lose_in_push``
    cuts what is stored to so many bytes.

    Commands: ``hang`` holds programs that never end by themselves; ``ignore_term`` makes
    those ignore SIGTERM; ``exit_status`` replaces a program's exit status (what it does
    is done all the same); ``greeting`` is printed before everything else.

    Settings: ``refuse_write`` maps paths to an errno; ``read_back`` maps paths to what
    they read as, whatever was written.
    """

    answers: bool = True
    authorized: bool = True
    drop_at: Stage | None = None
    drop_service: str = ""
    delay_s: float = 0.0

    drop_in_push_after: int | None = None
    drop_in_pull_after: int | None = None
    truncate_pull_to: int | None = None
    lose_in_push: int | None = None

    hang: set[str] = field(default_factory=set)
    ignore_term: bool = False
    exit_status: dict[str, int] = field(default_factory=dict)
    greeting: bytes = b""

    refuse_write: dict[str, int] = field(default_factory=dict)
    read_back: dict[str, bytes] = field(default_factory=dict)
