"""Campaign files: TOML that defines what is compared, how often, and in which legs.

The keys are those of the table of options (see docs/options.md), ``[set]`` and ``[[legs]]``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from foundation.errors import UsageError
from foundation.toml_table import Table
from foundation.words import did_you_mean
from harness.campaign.options import Given
from harness.campaign.questions import FOLDER, shipped_campaigns
from harness.campaign.settings import OPTIONS
from harness.campaign.workloads import workload_named
from workloads.profile import CHANGEABLE, Changes

_LEG_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")

#: `workload` is read by itself: it must be there, and no leg has another.
_KEYS: Final = tuple(o for o in OPTIONS if "file" in o.where and o.name != "workload")


@dataclass(frozen=True)
class Leg:
    """One campaign of a file. ``name`` None: the file has no legs and is one campaign.

    ``given`` are the settings that the file and the leg name; ``changes`` among them take the place
    of keys of the profile.
    """

    name: str | None
    given: Given


@dataclass(frozen=True)
class CampaignFile:
    """A campaign that was read; ``question`` is the first comment, or the test file's docstring."""

    path: Path
    name: str
    question: str
    workload: str
    legs: tuple[Leg, ...]

    @property
    def word(self) -> str:
        """What a person types for it."""
        return self.name if self.path.parent == FOLDER else str(self.path)

    def leg(self, name: str | None) -> Leg:
        """The leg of that name; None where there is only one campaign. UsageError naming the legs."""
        names = [leg.name for leg in self.legs if leg.name]
        if not names:
            if name is not None:
                raise UsageError(f"campaign {self.name} has no legs", next_step="leave --leg out")
            return self.legs[0]
        if name is None:
            raise UsageError(
                f"campaign {self.name} has {len(names)} legs: {', '.join(names)}",
                next_step="choose one with --leg, or run all: "
                f"python -m android_tests.campaign run {self.word}",
            )
        for leg in self.legs:
            if leg.name == name:
                return leg
        raise UsageError(f"campaign {self.name} has no leg '{name}'", next_step=did_you_mean(name, names))


def shipped() -> list[str]:
    """Names of the campaigns that come with the suite."""
    return sorted(shipped_campaigns())


def load_campaign(name: str) -> CampaignFile:
    """Read a file by the name of one that comes with the suite, or by its path.

    UsageError of one line for whatever is wrong with it.
    """
    path = Path(name)
    if path.suffix != ".toml":
        return _shipped(name)
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except FileNotFoundError:
        raise UsageError(f"no campaign '{name}'", next_step=did_you_mean(name, shipped())) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"campaign {path} cannot be read: {error}") from error
    return _parse(path, path.stem, " ".join(_first_comment(text)), content)


def _shipped(name: str) -> CampaignFile:
    file = shipped_campaigns().get(name)
    if file is None or file.campaign is None:
        raise UsageError(f"no campaign '{name}'", next_step=did_you_mean(name, shipped()))
    return _parse(file.path, name, file.question, tomllib.loads(file.campaign))


def _parse(path: Path, name: str, question: str, content: Mapping[str, Any]) -> CampaignFile:
    top = Table(path, "", content)
    workload = workload_named(top.take("workload", str, lambda v: bool(v), "the name of a workload")).name
    listed = top.take_or(
        "legs",
        list,
        [],
        lambda v: bool(v) and all(isinstance(leg, dict) for leg in v),
        "a list of tables [[legs]]",
    )
    base = _given(top, path)
    top.done()
    legs = [_leg(path, number, entry, base) for number, entry in enumerate(listed, 1)]
    names = [leg.name for leg in legs]
    for leg_name in names:
        if names.count(leg_name) > 1:
            raise UsageError(
                f"{path}: two legs are called '{leg_name}'", next_step="give each its own name"
            )
    return CampaignFile(path, name, question, workload, tuple(legs) or (Leg(None, base),))


def _leg(path: Path, number: int, content: Mapping[str, Any], base: Given) -> Leg:
    table = Table(path, f"[[legs]] {number}: ", content)
    name = table.take(
        "name",
        str,
        lambda v: _LEG_NAME.fullmatch(v) is not None,
        "a name for a folder: lower-case letters, digits, '.', '_', '-'",
    )
    own = _given(table, path)
    table.done()
    changes: dict[str, Mapping[str, Any]] = dict(base["changes"])
    for of_profile, keys in own["changes"].items():
        changes[of_profile] = {**changes.get(of_profile, {}), **keys}
    return Leg(name, {**base, **own, "changes": changes})


def _given(table: Table, path: Path) -> dict[str, Any]:
    """What the table sets: keys of the table of options, and ``changes``."""
    tables = {"": table, "virtual": table.sub("virtual")}
    found = {option.name: option.take(tables[option.key.rpartition(".")[0]], path) for option in _KEYS}
    tables["virtual"].done()
    given = {name: value for name, value in found.items() if value is not None}
    if str(given.get("profile", "")).endswith(".toml"):
        # As the file's author sees it, wherever the command is typed.
        given["profile"] = str(path.parent / given["profile"])
    return {**given, "changes": _changes(table)}


def _changes(table: Table) -> Changes:
    """The keys of [set], by table of the profile; the profile itself checks them."""
    changes = table.sub("set")
    found: dict[str, Mapping[str, Any]] = {}
    for name in CHANGEABLE:
        keys = changes.take_if(name, dict, lambda v: bool(v), "a table of keys and their new values")
        if keys is not None:
            found[name] = keys
    changes.done()
    return found


def _first_comment(text: str) -> list[str]:
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").rstrip())
    return lines
