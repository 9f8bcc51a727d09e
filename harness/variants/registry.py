"""All kinds of variant, found in the modules of `kinds`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from foundation.errors import UsageError
from foundation.words import did_you_mean
from harness.variants import kinds
from harness.variants.kind import VariantKind


@cache
def all_kinds() -> tuple[type[VariantKind], ...]:
    """Every kind, sorted by word; a word that both kinds of device know appears twice."""
    found: list[type[VariantKind]] = []
    for module_info in pkgutil.iter_modules(kinds.__path__, f"{kinds.__name__}."):
        module = importlib.import_module(module_info.name)
        found += [
            each
            for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, VariantKind)
            # Neither imported classes nor bases without a word of their own.
            if each.__module__ == module.__name__ and "word" in vars(each)
        ]
    return tuple(sorted(found, key=lambda kind: (kind.word, kind.device)))


def kind_named(word: str, device: str) -> type[VariantKind]:
    """The kind ``word`` for a ``device`` (virtual, phone). UsageError with the nearest word."""
    known = {kind.word: kind for kind in all_kinds() if kind.device == device}
    if word not in known:
        raise UsageError(f"a {device} device has no kind '{word}'", next_step=did_you_mean(word, known))
    return known[word]
