"""docs/options.md, generated from the table of options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harness.campaign.options import Option, Place

_HEAD: Final = """# Options

Generated from `harness/campaign/settings.py` by `python -m android_tests.campaign reference`.

Which command takes an option: **p** `pytest android_tests`; **r** `python -m android_tests.campaign run`,
where the default is the campaign file's value; **d**, **s**, **u** `python -m android_tests doctor`,
`survey` and `restore`.
The second column is the key in a [campaign file](campaigns.md), at the top level or in a leg. The command
line overrides the leg, the leg overrides the file, and the file overrides the defaults; `--variant`,
`--profile`, `--virtual-base`, `--virtual-clock`, `--virtual-cpus` and `--virtual-memory-mb` cannot be
combined with a campaign file.
"""
_LETTERS: Final[dict[Place, str]] = {
    "pytest": "p",
    "run": "r",
    "doctor": "d",
    "survey": "s",
    "restore": "u",
}
_TABLES: Final = (
    ("The campaign", None),
    ("A phone (with `--device=phone`)", "phone"),
    ("A virtual device", "virtual"),
)


def reference(options: Sequence[Option]) -> str:
    """The page as Markdown: a table for each kind of device, in the order of ``options``."""
    parts = [_HEAD]
    for title, device in _TABLES:
        parts.append(f"## {title}\n\n| option | file key | where | values | default | what it does |")
        parts.append("|---|---|---|---|---|---|")
        parts += [_entry(option) for option in options if option.device == device]
        parts.append("")
    return "\n".join(parts)


def _entry(option: Option) -> str:
    typed = any(place != "file" for place in option.where)
    words = option.flag if option.kind == "flag" else f"{option.flag} {option.value_name}"
    cells = (
        f"`{words}`" if typed else "",
        f"`{option.key}`" if "file" in option.where else "",
        " ".join(_LETTERS[place] for place in option.where if place in _LETTERS),
        option.range_text,
        option.default_words,
        option.help,
    )
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"
