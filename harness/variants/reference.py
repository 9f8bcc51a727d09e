"""docs/variants.md, generated from the kinds of variant."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from harness.variants.kind import DEVICES, VariantKind
from harness.variants.registry import all_kinds

_HEAD: Final = """# Variants

Generated from `harness/variants/kinds/` by `python -m harness.variants`.

Write a variant as `NAME=KIND` or `NAME=KIND:KEY=VALUE,KEY=VALUE`. You choose NAME (`baseline`,
`patched`); KIND defines how the kernel gets onto the device. The first variant of a campaign is the
baseline. To add a kind of your own, see [adding a variant](adding-a-variant.md).
"""


def reference() -> str:
    """The page as Markdown: a section for each kind of device, an entry for each kind of variant."""
    parts = [_HEAD]
    for device in DEVICES:
        parts.append(f"## On a {device}{'' if device == 'phone' else ' device'}\n")
        parts += [_entry(kind) for kind in all_kinds() if kind.device == device]
    return "\n".join(parts)


def _entry(kind: type[VariantKind]) -> str:
    page = PurePosixPath(kind.page).relative_to("docs")
    lines = [f"`NAME={kind.usage}`: {kind.summary} ([more]({page})).\n"]
    options = kind.options().values()
    if options:
        lines += ["| option | required | what it is |", "|---|---|---|"]
        for each in options:
            typed = each.typed.replace("|", r"\|")
            lines.append(f"| `{each.key}={typed}` | {'yes' if each.required else 'no'} | {each.help} |")
        lines[-1] += "\n"
    return "\n".join(lines)
