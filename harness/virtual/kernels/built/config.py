"""Our kernel configuration, and the check that kconfig kept all options."""

from __future__ import annotations

import re
from pathlib import Path

from foundation.errors import UsageError

SUITE_CONFIG = Path(__file__).with_name("suite.config")

_SET = re.compile(r"^(CONFIG_\w+)=(.*)$")
_UNSET = re.compile(r"^# (CONFIG_\w+) is not set$")


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
