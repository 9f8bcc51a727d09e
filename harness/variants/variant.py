"""Variants as a user types them: ``NAME=KIND[:KEY=VALUE[,KEY=VALUE...]]``."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from foundation.contract.device import Expectation, Lane
from foundation.errors import UsageError
from harness.device.fastboot.choice import Kernel
from harness.variants.kind import Bindings, Booted, VariantKind
from harness.variants.on_phone import PhoneKind
from harness.variants.registry import kind_named

_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")


@dataclass(frozen=True)
class Variant:
    """One kernel under test.

    ``name`` is the user's word (``baseline``, ``patched``), ``kind`` puts it on a device;
    ``options`` are the text that ``kind`` was read from, as ``campaign.json`` keeps it.
    """

    name: str
    kind: VariantKind
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> str:
        """The text a user types: ``NAME=KIND[:KEY=VALUE[,KEY=VALUE...]]``."""
        tail = ",".join(f"{key}={value}" for key, value in sorted(self.options.items()))
        return f"{self.name}={self.kind.word}" + (f":{tail}" if tail else "")

    def check(self) -> None:
        """See `VariantKind.check`; the error names the variant. UsageError."""
        with _named(self.name):
            self.kind.check()

    def boot(self, lane: Lane) -> Booted:
        """See `VariantKind.apply`."""
        return self.kind.apply(lane, self.name)

    def expectation(self, lane: Lane) -> Expectation:
        """What proves that this variant is the one that runs on ``lane``."""
        return self.kind.expectation(lane)


def parse_variant(text: str, *, device_kind: str, bindings: Bindings | None = None) -> Variant:
    """Parse one ``--variant`` value for a device of ``device_kind`` (virtual, phone).

    Raises UsageError for a bad name, an unknown kind or option, a value that is none.
    """
    name, equals, rest = text.partition("=")
    if not equals or not rest:
        raise UsageError(
            f"variant '{text}' has no kind", next_step="write NAME=KIND, such as --variant baseline=stock"
        )
    if not _NAME.match(name):
        raise UsageError(
            f"variant name '{name}' is not usable in a file name",
            next_step="use letters, digits, '.', '_' or '-', at most 32",
        )
    word, _, tail = rest.partition(":")
    with _named(name):
        kind = kind_named(word, device_kind)
        options = _split(tail, kind.bare)
        return Variant(name, kind.parse(options, bindings or Bindings()), options)


def parse_variants(
    texts: Sequence[str], *, device_kind: str, bindings: Bindings | None = None
) -> tuple[Variant, ...]:
    """Parse all ``--variant`` values; the first is the one the others are compared with."""
    variants = tuple(parse_variant(text, device_kind=device_kind, bindings=bindings) for text in texts)
    names = [variant.name for variant in variants]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two variants are called '{name}'", next_step="give each its own name")
    if len(variants) < 2:
        raise UsageError(
            "one variant alone cannot be compared",
            next_step="give --variant twice; the same kernel under two names is an A/A campaign",
        )
    return variants


def pin_contents(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """Read the patches now, and make their content a part of the variants. UsageError.

    So a patch that cannot be used is reported before anything runs, and one that was edited is
    another campaign.
    """
    return tuple(_pinned(variant) for variant in variants)


def hashes_of(variants: Sequence[Variant]) -> dict[str, dict[str, str]]:
    """Variant to partition to SHA-256, of the variants that bring images. UsageError."""
    found = {}
    for variant in variants:
        with _named(variant.name):
            found[variant.name] = dict(variant.kind.hashes())
    return {name: hashes for name, hashes in found.items() if hashes}


def kernels_of(variants: Sequence[Variant]) -> dict[str, Kernel]:
    """The kernels that ``variants`` bring to a phone, by name. UsageError."""
    found = {}
    for variant in variants:
        if isinstance(variant.kind, PhoneKind):
            with _named(variant.name):
                kernel = variant.kind.kernel()
            if kernel is not None:
                found[variant.name] = kernel
    return found


def _pinned(variant: Variant) -> Variant:
    with _named(variant.name):
        kind = variant.kind.pinned(content := variant.kind.content())
    return dataclasses.replace(variant, kind=kind, options={**variant.options, **content})


def _split(tail: str, bare: str | None) -> dict[str, str]:
    """``KEY=VALUE,KEY=VALUE`` by key. UsageError.

    The first word may be the value of ``bare`` alone: one without a ``=``, or with a ``/`` before it.
    """
    options: dict[str, str] = {}
    for place, word in enumerate(filter(None, tail.split(","))):
        key, equals, value = word.partition("=")
        if place == 0 and bare is not None and (not equals or "/" in key):
            key, value = bare, word
        if not key or not value:
            raise UsageError(
                f"option '{key or value}' is not KEY=VALUE", next_step="write KIND[:KEY=VALUE,...]"
            )
        if key in options:
            raise UsageError(f"option '{key}' is given twice")
        options[key] = value
    return options


@contextmanager
def _named(name: str) -> Iterator[None]:
    """A UsageError from within names the variant."""
    try:
        yield
    except UsageError as error:
        step = error.next_step
        raise UsageError(
            f"variant '{name}': {error.what}",
            next_step=step.replace("NAME=", f"{name}=") if step else step,
        ) from error
