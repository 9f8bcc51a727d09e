"""Variants as a user types them: ``NAME=KIND[:KEY=VALUE[,KEY=VALUE...]]``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from android_tests.device.variant import Variant
from foundation.errors import UsageError

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")

KINDS: dict[str, tuple[str, ...]] = {
    "virtual": ("stock", "kcompressd", "kernel", "as-is"),
    "phone": ("as-is", "sysctl", "param"),
}

OPTIONS: dict[str, tuple[str, ...] | None] = {
    "stock": (),
    "as-is": (),
    "kcompressd": (
        "threads",
        "depth",
        "wake_batch",
        "same_filled_direct",
        "nice",
        "delay_us",
        "fail_every",
    ),
    "kernel": ("image", "modules"),
    "sysctl": None,
    "param": None,
}


def nearest(word: str, words: Sequence[str]) -> str:
    """A hint for a mistyped word: the nearest known one, else all of them."""
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(words)}"


def parse_variant(text: str, *, device_kind: str) -> Variant:
    """Parse one ``--variant`` value for a device of ``device_kind`` (virtual, phone).

    Raises UsageError for a bad name, an unknown kind or option.
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
    kind, _, tail = rest.partition(":")
    kinds = KINDS[device_kind]
    if kind not in kinds:
        raise UsageError(
            f"variant '{name}': a {device_kind} device has no kind '{kind}'", next_step=nearest(kind, kinds)
        )
    options: dict[str, str] = {}
    for part in filter(None, tail.split(",")):
        key, equals, value = part.partition("=")
        if not equals or not key or not value:
            raise UsageError(f"variant '{name}': option '{part}' is not KEY=VALUE")
        allowed = OPTIONS[kind]
        if allowed is not None and key not in allowed:
            raise UsageError(
                f"variant '{name}': kind '{kind}' has no option '{key}'",
                next_step=nearest(key, allowed) if allowed else f"'{kind}' takes no options",
            )
        if key in options:
            raise UsageError(f"variant '{name}': option '{key}' is given twice")
        options[key] = value
    if kind == "kernel" and set(options) != {"image", "modules"}:
        raise UsageError(f"variant '{name}': kind 'kernel' needs image=FILE and modules=DIR")
    if OPTIONS[kind] is None and not options:
        raise UsageError(
            f"variant '{name}': kind '{kind}' needs KEY=VALUE", next_step=f"such as {name}={kind}:KEY=VALUE"
        )
    return Variant(name, kind, options)


def parse_variants(texts: Sequence[str], *, device_kind: str) -> tuple[Variant, ...]:
    """Parse all ``--variant`` values; the first is the one the others are compared with."""
    variants = tuple(parse_variant(text, device_kind=device_kind) for text in texts)
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
