"""What a kind of variant is: how it reads its options, gets onto a device, and is proved there."""

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

#: The kinds of device that a kind can be for.
VIRTUAL = "virtual"
PHONE = "phone"
DEVICES = (VIRTUAL, PHONE)


class Booted(NamedTuple):
    """A device that was just booted into a variant, and what must be seen on it."""

    device: Device
    expectation: Expectation


@dataclass(frozen=True)
class Bindings:
    """What the lane of a campaign has that a kind may need.

    ``kernel`` (image, folder of modules) is the user's own and takes the place of stock.
    """

    kernel: tuple[Path, Path] | None = None


@dataclass(frozen=True)
class VariantKind(ABC):
    """One way to put a kernel on a device, with its options as typed values.

    A kind is a dataclass whose fields with `option` metadata are what a user may type. ``word``
    is the kind's name, ``device`` one of `DEVICES`, ``usage`` what stands after ``NAME=``,
    ``summary`` what it is and ``page`` where more is written, both for the docs. ``bare`` is the
    option whose value may be typed alone, as the first one (``patch:FILE``).

    UsageErrors of a kind do not name the variant: `Variant` does. In their next step ``NAME=``
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
        """What a user may type, by key."""
        return options_of(cls)

    @classmethod
    def parse(cls, options: Mapping[str, str], bindings: Bindings) -> Self:
        """Read the options from text. UsageError for an unknown or missing one, or a bad value."""
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
        """The error for options that are not there."""
        return UsageError(f"kind '{cls.word}' needs {what}", next_step=f"write NAME={example or cls.usage}")

    def content(self) -> Mapping[str, str]:
        """Options that pin what the files of this kind contain now. UsageError for an unusable file.

        Read when the campaign is planned: with an edited file it is another campaign.
        """
        return {}

    def pinned(self, content: Mapping[str, str]) -> Self:
        """The same with the options of `content`."""
        known = self.options()
        return replace(self, **{known[key].field: value for key, value in content.items()})

    def check(self) -> None:
        """What the files of this kind lack, without building anything. UsageError."""
        return

    def prepare(self, progress: Progress) -> None:
        """Build or download now what `apply` needs: minutes, perhaps. UsageError, HostError."""
        return

    @abstractmethod
    def apply(self, lane: Lane, name: str) -> Booted:
        """Put the kernel of variant ``name`` on the device of ``lane``, in place of what was there.

        Raises what the lane's ``boot`` does.
        """

    @abstractmethod
    def expectation(self, lane: Lane) -> Expectation:
        """What proves that this kernel is the one that runs on ``lane``."""

    def hashes(self) -> Mapping[str, str]:
        """Partition -> SHA-256 of the images that this kind brings. UsageError."""
        return {}

    def wrong_device(self) -> UsageError:
        """The error for a lane of another kind of device."""
        return UsageError(f"kind '{self.word}' is for a {self.device} device")
