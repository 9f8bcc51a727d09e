"""What can be made to go wrong in the fake bootloader; all off by default, changeable at any time."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class BootloaderFaults:
    """Knobs.

    ``fail`` maps the beginning of a command to the text of a FAIL; ``drop_at`` cuts the
    connection, once, when a command that begins so arrives, and ``drop_in_download_after`` after
    so many bytes of a download. ``delay_s`` comes before each answer to a command that begins
    with ``delay_at``. ``appears`` False: no bootloader shows up when the phone is sent there.
    ``forgets_set_active`` says OKAY and leaves the slot. ``boots_slot`` starts that slot,
    whichever is active.
    """

    fail: dict[str, str] = field(default_factory=dict)
    drop_at: str | None = None
    drop_in_download_after: int | None = None
    delay_s: float = 0.0
    delay_at: str = ""
    appears: bool = True
    forgets_set_active: bool = False
    boots_slot: str | None = None
