"""What is compared: a named kernel and how it is put on a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Variant:
    """One kernel under test.

    ``name`` is the user's word (``baseline``, ``patched``). ``kind`` says how the
    kernel gets onto the device (``stock``, ``kcompressd``, ``kernel``, ``as-is``,
    ``sysctl``, ``param``); ``options`` are the kind's own settings, as text.
    """

    name: str
    kind: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> str:
        """The text a user types: ``NAME=KIND[:KEY=VALUE[,KEY=VALUE...]]``."""
        tail = ",".join(f"{key}={value}" for key, value in sorted(self.options.items()))
        return f"{self.name}={self.kind}" + (f":{tail}" if tail else "")
