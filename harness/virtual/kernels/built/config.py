"""Our kernel configuration, and the check that kconfig kept all options."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from foundation.errors import UsageError
from harness.virtual.base import BASES, Base

CONFIGS: Final = Path(__file__).with_name("configs")

_SET = re.compile(r"^(CONFIG_\w+)=(.*)$")
_UNSET = re.compile(r"^# (CONFIG_\w+) is not set$")


def suite_config(base: Base) -> str:
    """Our configuration of ``base`` as kconfig reads it: a common part, then series, architecture, pages.

    UsageError for a series that we have none for.
    """
    parts = ["common", base.series, base.arch]
    if base.arch == "aarch64":
        parts.append(f"{base.page_kb}k")
    files = [CONFIGS / f"{part}.config" for part in parts]
    if not all(file.is_file() for file in files):
        buildable = [str(each) for each in BASES if (CONFIGS / f"{each.series}.config").is_file()]
        raise UsageError(
            f"there is no configuration to build a kernel of the base {base}",
            next_step=f"take one of {', '.join(buildable)}, or a kernel of your own (kernel:image=FILE)",
        )
    return "".join(file.read_text() for file in files)


def options(text: str) -> dict[str, str]:
    """CONFIG_NAME -> value in a .config or a fragment; ``n`` for an option that "is not set"."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        if match := _SET.match(line.strip()):
            values[match[1]] = match[2]
        elif match := _UNSET.match(line.strip()):
            values[match[1]] = "n"
    return values


def read_fragment(path: Path) -> str:
    """A user's additional configuration; UsageError if it is missing or sets no option."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"the configuration {path} cannot be read: {reason}") from error
    if not options(text):
        raise UsageError(
            f"{path} sets no kernel option", next_step="write lines such as CONFIG_KCOMPRESSD=y"
        )
    return text


def merged(config: str, fragment: str) -> str:
    """``config`` with the options of ``fragment`` replaced, for `make olddefconfig`."""
    override = options(fragment)
    kept = [line for line in config.splitlines() if not (options(line).keys() & override.keys())]
    replaced = [
        f"# {name} is not set" if value == "n" else f"{name}={value}" for name, value in override.items()
    ]
    return "\n".join([*kept, *replaced]) + "\n"


def lost(config: str, fragment: str) -> list[str]:
    """Lines of ``fragment`` that are not in ``config``: unknown options, or unmet dependencies."""
    have = options(config)
    return [f"{name}={value}" for name, value in options(fragment).items() if have.get(name, "n") != value]
