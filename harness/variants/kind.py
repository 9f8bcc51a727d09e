"""A kind of variant: how it reads its options, gets onto a device, and is proved there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from foundation.contract.device import Device, Expectation, Lane
from foundation.errors import UsageError
from foundation.progress import Progress
from foundation.words import did_you_mean
from harness.variants.option import Option, options_of
from harness.virtual.base import DEFAULT_BASE, Base

#: The kinds of device.
VIRTUAL = "virtual"
PHONE = "phone"
DEVICES = (VIRTUAL, PHONE)


class Booted(NamedTuple):
    """A device that has just booted a variant, and what proves it."""

    device: Device
    expectation: Expectation


@dataclass(frozen=True)
class Bindings:
    """What a campaign provides to its kinds.

    ``kernel`` (image, folder of modules) replaces stock; ``base`` is that of its virtual devices.
    """

    kernel: tuple[Path, Path] | None = None
    base: Base = DEFAULT_BASE


@dataclass(frozen=True)
class VariantKind(ABC):
    """One way to put a kernel on a device, with its options as typed values.

    A kind is a dataclass; its fields with `option` metadata are the options that a user may type.
    ``word`` is the kind's name, ``device`` one of `DEVICES`, ``usage`` the text after ``NAME=``;
    ``summary`` and ``page`` (with the details) are for the docs. ``bare`` is the option whose value
    may come first without its key (``patch:FILE``).

    A UsageError of a kind does not name the variant, `Variant` adds that; ``NAME=`` in its next step
    stands for the variant's name.
    """

    word: ClassVar[str]
    device: ClassVar[str]
    usage: ClassVar[str]
    summary: ClassVar[str]
    page: ClassVar[str]
    bare: ClassVar[str | None] = None

    @classmethod
    def options(cls) -> dict[str, Option]:
        """The options that a user may type, by key."""
        return options_of(cls)

    @classmethod
    def parse(cls, options: Mapping[str, str], bindings: Bindings) -> Self:
        """Make the kind from its options. UsageError for an unknown or missing one, or a bad value."""
        known = cls.options()
        for key in options:
            if key not in known:
                raise UsageError(
                    f"kind '{cls.word}' has no option '{key}'",
                    next_step=did_you_mean(key, known) if known else f"'{cls.word}' takes no options",
                )
        required = [each for each in known.values() if each.required]
        if any(each.key not in options for each in required):
            raise cls.needs(" and ".join(f"{each.key}={each.typed}" for each in required))
        return cls(**{known[key].field: known[key].convert(key, value) for key, value in options.items()})

    @classmethod
    def needs(cls, what: str, *, example: str | None = None) -> UsageError:
        """The error for missing options."""
        return UsageError(f"kind '{cls.word}' needs {what}", next_step=f"write NAME={example or cls.usage}")

    def content(self) -> Mapping[str, str]:
        """Options that pin the current content of this kind's files. UsageError for an unusable file.

        Read when the campaign is planned: editing a file makes it another campaign.
        """
        return {}

    def pinned(self, content: Mapping[str, str]) -> Self:
        """A copy with the options that `content` returned."""
        known = self.options()
        return replace(self, **{known[key].field: value for key, value in content.items()})

    def check(self) -> None:
        """Check this kind's files without building anything. UsageError."""
        return

    def prepare(self, progress: Progress) -> None:
        """Build or download what `apply` needs; may take minutes. UsageError, HostError."""
        return

    @abstractmethod
    def apply(self, lane: Lane, name: str) -> Booted:
        """Boot the kernel of variant ``name`` on ``lane``; raises what the lane's ``boot`` does."""

    @abstractmethod
    def expectation(self, lane: Lane) -> Expectation:
        """What proves that ``lane`` runs this kernel."""

    def hashes(self) -> Mapping[str, str]:
        """SHA-256 of the images that this kind brings, by partition. UsageError."""
        return {}

    def wrong_device(self) -> UsageError:
        """The error for a lane of the other kind of device."""
        return UsageError(f"kind '{self.word}' is for a {self.device} device")
