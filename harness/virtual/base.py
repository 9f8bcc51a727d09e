"""What a guest stands on: kernel series, architecture and page size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from foundation.contract.arch import Arch
from foundation.errors import UsageError
from foundation.words import did_you_mean

#: The series of the newest kernel that Debian serves when it is fetched.
NEWEST: Final = "newest"

_DEBIAN_NAMES: Final[dict[Arch, str]] = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Base:
    """``series`` is "6.12" or `NEWEST`, ``arch`` the guest's, ``page_kb`` its page size in KiB.

    Its text (``6.12-arm64-16k``) has Debian's name of the architecture; 4 KiB pages are not named.
    Figures of different bases are not comparable.
    """

    series: str
    arch: Arch
    page_kb: int

    def __str__(self) -> str:
        pages = "" if self.page_kb == 4 else f"-{self.page_kb}k"
        return f"{self.series}-{debian_arch(self.arch)}{pages}"


#: The bases that Debian has a kernel for.
BASES: Final[tuple[Base, ...]] = (
    Base("6.12", "aarch64", 4),
    Base("6.12", "aarch64", 16),
    Base("6.12", "x86_64", 4),
    Base("6.1", "x86_64", 4),
    Base(NEWEST, "aarch64", 4),
    Base(NEWEST, "aarch64", 16),
    Base(NEWEST, "x86_64", 4),
)

DEFAULT_BASE: Final = BASES[0]


def debian_arch(arch: Arch) -> str:
    """Debian's name of an architecture: amd64 or arm64."""
    return _DEBIAN_NAMES[arch]


def parse_base(text: str) -> Base:
    """One of `BASES` by its text. UsageError for another one, with the nearest."""
    known = {str(base): base for base in BASES}
    if text not in known:
        raise UsageError(f"there is no base {text!r}", next_step=did_you_mean(text, known))
    return known[text]
