"""Variants as users type them: ``NAME=KIND[:KEY=VALUE[,KEY=VALUE...]]``."""

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
from harness.device.preconditions.pins import FilePin
from harness.variants.kind import Bindings, Booted, VariantKind
from harness.variants.on_phone import PhoneKind
from harness.variants.on_virtual import VirtualKind
from harness.variants.registry import kind_named

_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")


@dataclass(frozen=True)
class Variant:
    """One kernel under test.

    ``name`` is the user's word (``baseline``, ``patched``), ``kind`` gets it onto a device, and
    ``options`` are what ``kind`` was parsed from, as ``campaign.json`` stores them.
    """

    name: str
    kind: VariantKind
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> str:
        """The variant as a user types it: ``NAME=KIND[:KEY=VALUE[,KEY=VALUE...]]``."""
        words = (key if value == key else f"{key}={value}" for key, value in sorted(self.options.items()))
        tail = ",".join(words)
        return f"{self.name}={self.kind.word}" + (f":{tail}" if tail else "")

    def check(self) -> None:
        """See `VariantKind.check`. UsageError naming the variant."""
        with _named(self.name):
            self.kind.check()

    def boot(self, lane: Lane) -> Booted:
        """See `VariantKind.apply`."""
        return self.kind.apply(lane, self.name)

    def expectation(self, lane: Lane) -> Expectation:
        """What proves that ``lane`` runs this variant."""
        return self.kind.expectation(lane)


def parse_variant(text: str, *, device_kind: str, bindings: Bindings | None = None) -> Variant:
    """Parse one ``--variant`` value for a device of ``device_kind`` (virtual, phone).

    UsageError for a bad name, an unknown kind or option, or an invalid value.
    """
    name, equals, rest = text.partition("=")
    if not equals or not rest:
        raise UsageError(
            f"variant '{text}' has no kind", next_step="write NAME=KIND, such as --variant baseline=stock"
        )
    if not _NAME.match(name):
        raise UsageError(
            f"variant name '{name}' cannot be used in a file name",
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
    """Parse all ``--variant`` values; the first is the baseline. UsageError."""
    variants = tuple(parse_variant(text, device_kind=device_kind, bindings=bindings) for text in texts)
    names = [variant.name for variant in variants]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two variants have the name '{name}'", next_step="give each its own name")
    if len(variants) < 2:
        raise UsageError(
            "a comparison needs two variants",
            next_step="give --variant twice; the same kernel under two names is an A/A campaign",
        )
    return _reloading(variants)


def _reloading(variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
    """``variants``, with the device as it is as ``module:own`` beside other modules: both pay the exchange.

    UsageError for any other kind beside modules.
    """
    if not exchange_modules(variants):
        return variants
    same: list[Variant] = []
    for variant in variants:
        kind = variant.kind
        if kind.word in ("as-is", "stock"):
            own = kind_named("module", kind.device)
            options = {"own": "own"}
            bindings = Bindings(base=kind.base) if isinstance(kind, VirtualKind) else Bindings()
            variant = Variant(variant.name, own.parse(options, bindings), options)
        elif kind.word != "module":
            raise UsageError(
                f"variant '{variant.name}': modules are compared with modules, not with '{kind.word}'",
                next_step=f"write {variant.name}=module:own",
            )
        same.append(variant)
    return tuple(same)


def exchange_modules(variants: Sequence[Variant]) -> bool:
    """Whether any of ``variants`` exchanges modules of the running kernel."""
    return any(variant.kind.word == "module" for variant in variants)


def pin_contents(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """Read the variants' files (patches) and make their content part of the variants. UsageError.

    This reports an unusable patch before anything runs, and makes an edited one another campaign.
    """
    pinned = []
    for variant in variants:
        with _named(variant.name):
            content = variant.kind.content()
            kind = variant.kind.pinned(content)
        pinned.append(dataclasses.replace(variant, kind=kind, options={**variant.options, **content}))
    return tuple(pinned)


def hashes_of(variants: Sequence[Variant]) -> dict[str, dict[str, str]]:
    """SHA-256 by variant and partition, for the variants that bring images. UsageError."""
    hashes = {}
    for variant in variants:
        with _named(variant.name):
            hashes[variant.name] = dict(variant.kind.hashes())
    return {name: of_variant for name, of_variant in hashes.items() if of_variant}


def kernels_of(variants: Sequence[Variant]) -> dict[str, Kernel]:
    """The kernels that ``variants`` bring to a phone, by variant. UsageError."""
    kernels = {}
    for variant in variants:
        if isinstance(variant.kind, PhoneKind):
            with _named(variant.name):
                kernel = variant.kind.kernel()
            if kernel is not None:
                kernels[variant.name] = kernel
    return kernels


def switches_of(variant: Variant) -> list[FilePin]:
    """The settings of a running kernel that ``variant`` is made of."""
    return variant.kind.switches() if isinstance(variant.kind, PhoneKind) else []


def compares_compression(variants: Sequence[Variant]) -> bool:
    """Whether different kernels or modules of a phone are compared, or switches of a compression thread."""
    kinds = [variant.kind for variant in variants]
    if all(kind == kinds[0] for kind in kinds):
        return False
    return any(
        isinstance(kind, PhoneKind)
        and (
            kind.word == "module"
            or kind.kernel() is not None
            or any("kcompress" in pin.path for pin in kind.switches())
        )
        for kind in kinds
    )


def refuse_engine(variants: Sequence[Variant], engine: str | None) -> None:
    """UsageError if ``variants`` compare how CPUs compress while an ``engine`` (`engine_of`) does it."""
    if engine is None or not compares_compression(variants):
        return
    raise UsageError(
        f"zram compresses in hardware, with {engine}: on no side would a kernel under test compress",
        next_step='set zram_algorithm = "lz4" (a software one, for both sides) in the [device] table of the'
        " profile, and let the campaign set up zram; one with a backing device needs --reset-backed-zram",
    )


def _split(tail: str, bare: str | None) -> dict[str, str]:
    """``KEY=VALUE,KEY=VALUE`` by key. UsageError.

    The first word may be just the value of ``bare``: one without ``=``, or with a ``/`` before it.
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
    """Make a UsageError raised in the block name the variant."""
    try:
        yield
    except UsageError as error:
        step = error.next_step
        raise UsageError(
            f"variant '{name}': {error.what}", next_step=step.replace("NAME=", f"{name}=") if step else step
        ) from error
