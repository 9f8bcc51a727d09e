"""Campaign files: TOML that says what is compared, how often, and in which legs.

Every key is described in docs/campaigns.md.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from foundation.errors import UsageError
from foundation.toml_table import Table
from foundation.words import did_you_mean
from harness.campaign.questions import FOLDER, shipped_campaigns
from harness.campaign.workloads import workload_named
from workloads.profile import CHANGEABLE, Changes

_LEG_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")


@dataclass(frozen=True)
class FileSettings:
    """What a file, or a leg of it, sets; None is left to the command line and the defaults.

    ``changes`` take the place of keys of the profile.
    """

    profile: str | None = None
    variants: tuple[str, ...] | None = None
    scenarios: tuple[str, ...] | None = None
    pairs: int | None = None
    reps: int | None = None
    seed: int | None = None
    cpus: int | None = None
    memory_mb: int | None = None
    trace_queue: bool | None = None
    trace_reclaim: bool | None = None
    trace_faults: bool | None = None
    changes: Changes = field(default_factory=dict)

    def over(self, below: FileSettings) -> FileSettings:
        """These, and where they say nothing those of ``below``."""
        own = {key: value for key, value in vars(self).items() if value is not None}
        tables = {**below.changes, **self.changes}
        own["changes"] = {
            table: {**below.changes.get(table, {}), **self.changes.get(table, {})} for table in tables
        }
        return replace(below, **own)


@dataclass(frozen=True)
class Leg:
    """One campaign of a file. ``name`` None: the file has no legs and is one campaign."""

    name: str | None
    settings: FileSettings


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
    base = _settings(top, path)
    top.done()
    legs = [_leg(path, number, entry, base) for number, entry in enumerate(listed, 1)]
    names = [leg.name for leg in legs]
    for leg_name in names:
        if names.count(leg_name) > 1:
            raise UsageError(
                f"{path}: two legs are called '{leg_name}'", next_step="give each its own name"
            )
    return CampaignFile(path, name, question, workload, tuple(legs) or (Leg(None, base),))


def _leg(path: Path, number: int, content: Mapping[str, Any], base: FileSettings) -> Leg:
    table = Table(path, f"[[legs]] {number}: ", content)
    name = table.take(
        "name",
        str,
        lambda v: _LEG_NAME.fullmatch(v) is not None,
        "a name for a folder: lower-case letters, digits, '.', '_', '-'",
    )
    settings = _settings(table, path)
    table.done()
    return Leg(name, settings.over(base))


def _settings(table: Table, path: Path) -> FileSettings:
    virtual = table.sub("virtual")
    cpus = virtual.take_if("cpus", int, lambda v: 1 <= v <= 64, "1 to 64 CPUs")
    memory_mb = virtual.take_if("memory_mb", int, lambda v: 128 <= v <= 65536, "128 to 65536 MiB")
    virtual.done()
    profile = table.take_if("profile", str, lambda v: bool(v), "a profile's name or path")
    if profile is not None and profile.endswith(".toml"):
        # As the file's author sees it, wherever the command is typed.
        profile = str(path.parent / profile)
    return FileSettings(
        profile=profile,
        variants=table.words("variants"),
        scenarios=table.words("scenarios"),
        pairs=table.take_if("pairs", int, lambda v: 1 <= v <= 200, "1 to 200 pairs"),
        reps=table.take_if("reps", int, lambda v: 1 <= v <= 50, "1 to 50 repetitions"),
        seed=table.take_if("seed", int, lambda v: 0 <= v < 2**31, "a whole number below 2^31"),
        cpus=cpus,
        memory_mb=memory_mb,
        trace_queue=table.take_if("trace_queue", bool, lambda v: True, "true or false"),
        trace_reclaim=table.take_if("trace_reclaim", bool, lambda v: True, "true or false"),
        trace_faults=table.take_if("trace_faults", bool, lambda v: True, "true or false"),
        changes=_changes(table),
    )


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
