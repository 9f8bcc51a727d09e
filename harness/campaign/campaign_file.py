"""Campaign files: TOML that defines what is compared, how often, and in which legs.

The keys are ``[set]``, ``[[legs]]``, and those in the table of options (docs/options.md).
"""

from __future__ import annotations

import itertools
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

#: Without `workload`, which is required and the same for all legs.
_KEYS: Final = tuple(o for o in OPTIONS if "file" in o.where and o.name != "workload")


@dataclass(frozen=True)
class Leg:
    """One campaign of a file; ``name`` is None if the file has no legs.

    ``given`` are the settings of the file and the leg, among them ``changes`` to the profile.
    """

    name: str | None
    given: Given


@dataclass(frozen=True)
class CampaignFile:
    """A parsed campaign; ``question`` is the first comment, or the test file's docstring."""

    path: Path
    name: str
    question: str
    workload: str
    legs: tuple[Leg, ...]

    @property
    def word(self) -> str:
        """What a user types to name it."""
        return self.name if self.path.parent == FOLDER else str(self.path)

    def leg(self, name: str | None) -> Leg:
        """The leg called ``name``, None for a file without legs. UsageError naming the legs."""
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
    """Load a campaign by its path, or by the name of one that comes with the suite.

    UsageError of one line for any fault in it.
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
    return _parse(path, path.stem, _first_comment(text), content)


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
                f"{path}: two legs have the name '{leg_name}'", next_step="give each its own name"
            )
    return CampaignFile(path, name, question, workload, tuple(legs) or (Leg(None, base),))


def _leg(path: Path, number: int, content: Mapping[str, Any], base: Given) -> Leg:
    table = Table(path, f"[[legs]] {number}: ", content)
    name = table.take(
        "name",
        str,
        lambda v: _LEG_NAME.fullmatch(v) is not None,
        "a folder name: lower-case letters, digits, '.', '_', '-'",
    )
    own = _given(table, path)
    table.done()
    changes: dict[str, Mapping[str, Any]] = dict(base["changes"])
    for profile_table, keys in own["changes"].items():
        changes[profile_table] = {**changes.get(profile_table, {}), **keys}
    return Leg(name, {**base, **own, "changes": changes})


def _given(table: Table, path: Path) -> dict[str, Any]:
    """The settings in ``table``: options by name, and ``changes``."""
    tables = {"": table, "virtual": table.sub("virtual")}
    values = {option.name: option.take(tables[option.key.rpartition(".")[0]], path) for option in _KEYS}
    tables["virtual"].done()
    given = {name: value for name, value in values.items() if value is not None}
    if str(given.get("profile", "")).endswith(".toml"):
        # Relative to the file, wherever the command runs.
        given["profile"] = str(path.parent / given["profile"])
    return {**given, "changes": _changes(table)}


def _changes(table: Table) -> Changes:
    """The keys of [set] by table of the profile, which checks them itself."""
    section = table.sub("set")
    changes: dict[str, Mapping[str, Any]] = {}
    for name in CHANGEABLE:
        keys = section.take_if(name, dict, lambda v: bool(v), "a table of keys and their new values")
        if keys is not None:
            changes[name] = keys
    section.done()
    return changes


def _first_comment(text: str) -> str:
    lines = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
    return " ".join(line.lstrip("# ").rstrip() for line in lines)
