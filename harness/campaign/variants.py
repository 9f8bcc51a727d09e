"""Variants as a user types them: ``NAME=KIND[:KEY=VALUE[,KEY=VALUE...]]``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from foundation.contract.variant import Variant, split_options
from foundation.errors import UsageError
from foundation.words import did_you_mean

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")

KINDS: dict[str, tuple[str, ...]] = {
    "virtual": ("stock", "kcompressd", "built", "kcompressd-page-io", "patch", "kernel", "as-is"),
    "phone": ("as-is", "sysctl", "param", "boot", "flash"),
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
    "built": (),
    "kcompressd-page-io": (),
    "patch": ("file", "config", "thread", "content"),
    "kernel": ("image", "modules"),
    "sysctl": None,
    "param": None,
    "boot": ("image", "release"),
    "flash": ("set", "slot", "release"),
}


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
            f"variant '{name}': a {device_kind} device has no kind '{kind}'",
            next_step=did_you_mean(kind, kinds),
        )
    options: dict[str, str] = {}
    for key, value in split_options(kind, tail):
        if not key or not value:
            raise UsageError(f"variant '{name}': option '{key or value}' is not KEY=VALUE")
        allowed = OPTIONS[kind]
        if allowed is not None and key not in allowed:
            raise UsageError(
                f"variant '{name}': kind '{kind}' has no option '{key}'",
                next_step=did_you_mean(key, allowed) if allowed else f"'{kind}' takes no options",
            )
        if key in options:
            raise UsageError(f"variant '{name}': option '{key}' is given twice")
        options[key] = value
    if kind == "kernel" and set(options) != {"image", "modules"}:
        raise UsageError(f"variant '{name}': kind 'kernel' needs image=FILE and modules=DIR")
    for phone_kind, needed, example in (("boot", "image", "FILE"), ("flash", "set", "DIR")):
        if kind == phone_kind and needed not in options:
            raise UsageError(f"variant '{name}': kind '{kind}' needs {needed}={example}")
    if kind == "patch" and "file" not in options:
        raise UsageError(
            f"variant '{name}': kind 'patch' needs its file", next_step=f"write {name}=patch:FILE"
        )
    if options.get("thread", "yes") not in ("yes", "no") and kind == "patch":
        raise UsageError(
            f"variant '{name}': thread={options['thread']} is neither yes nor no",
            next_step="leave it out if it is not known whether the patch brings a compression thread",
        )
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


def pin_contents(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """Read the patches now, and make their content a part of the variants.

    So a patch that cannot be used is told before anything runs, and one that was edited is
    another campaign. Raises UsageError.
    """
    return tuple(_pinned(variant) if variant.kind == "patch" else variant for variant in variants)


def _pinned(variant: Variant) -> Variant:
    from harness.virtual.kernels.built import patch_content

    options = dict(variant.options)
    config = Path(options["config"]) if "config" in options else None
    found = patch_content(Path(options["file"]), config)
    if options.get("content", found) != found:
        raise UsageError(
            f"variant '{variant.name}': {options['file']} has the content {found}, "
            f"not {options['content']}",
            next_step="leave content= out, or give the file that it was",
        )
    return Variant(variant.name, variant.kind, {**options, "content": found})
