"""Workload profiles: TOML files that define the apps, their memory, and their order."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from foundation.errors import UsageError
from foundation.toml_table import Table, to_toml
from foundation.words import did_you_mean
from workloads.app_actions import Action, take_action
from workloads.phone_settings import PhoneSettings, read_phone_settings

PROFILES: Final = Path(__file__).parent / "profiles"

#: Values that replace a profile's own, by table and key.
Changes = Mapping[str, Mapping[str, Any]]
CHANGEABLE: Final = ("device", "phone", "workload", "defaults", "eater")
#: A slow app launch, seconds.
_START_S: Final = 3.0
#: Tables that a profile may omit and that can be changed nevertheless.
_OPTIONAL: Final = ("phone",)
#: The first number that is too large for a seed.
SEED_END: Final = 2**31


@dataclass(frozen=True)
class DevicePins:
    """Settings that the device is pinned to; ``zram_mb`` is the zram disk's size in MiB.

    ``mglru`` switches MGLRU on or off; None keeps and records the device's setting.
    """

    zram_mb: int
    zram_algorithm: str
    swappiness: int
    page_cluster: int
    mglru: bool | None = None


@dataclass(frozen=True)
class Content:
    """A kind of page: ``zero``, ``same``, ``ratioR`` (compresses about R times) or ``random``."""

    kind: str
    weight: float


def mix_text(content: tuple[Content, ...]) -> str:
    """The content as the native programs take it: ``zero:0.1,random:0.9``."""
    return ",".join(f"{part.kind}:{part.weight:g}" for part in content)


@dataclass(frozen=True)
class Eater:
    """What the memory eater does: fill ``mb`` MiB, then touch ``touches`` times 4 KiB in random pages.

    The number of pages is that by the device's page size. ``rate_mb_s`` limits the filling (0: no
    limit); ``rewrite_share`` of the touched pages is rewritten.
    """

    mb: int
    content: tuple[Content, ...]
    rate_mb_s: int
    touches: int
    rewrite_share: float
    seed: int


@dataclass(frozen=True)
class SyntheticApp:
    """The memory of a synthetic app, and how the app uses it.

    At each switch the app touches ``hot_share`` of its pages, then ``cold_share`` picked at random, and
    rewrites ``rewrite_share`` of them. It pauses ``pace_ms`` after every ``pace_pages`` times 4 KiB, in
    whole pages of the device.
    """

    anon_mb: int
    hot_share: float
    cold_share: float
    rewrite_share: float
    content: tuple[Content, ...]
    seed: int
    pace_pages: int
    pace_ms: int

    def to_ini(self) -> str:
        """The text of app.ini, which the app program on the device reads."""
        return (
            f"anon_kb={self.anon_mb * 1024}\nhot_share={self.hot_share}\ncold_share={self.cold_share}\n"
            f"rewrite_share={self.rewrite_share}\ncontent={mix_text(self.content)}\nseed={self.seed}\n"
            f"pace_pages={self.pace_pages}\npace_ms={self.pace_ms}\n"
        )


@dataclass(frozen=True)
class App:
    """One app: its package, and what a synthetic one is made of.

    ``activity`` None is the launcher's. ``action`` is for a phone.
    """

    package: str
    activity: str | None
    synthetic: SyntheticApp | None
    action: Action | None = None


@dataclass(frozen=True)
class Profile:
    """A workload and the settings of the device under it.

    App switching makes ``rounds`` passes over ``apps``, in fixed or shuffled (seeded) order; an app stays
    in front for ``dwell_s``, and ``gap_s`` passes before the next launch. With ``eater`` the workload is
    the memory eater, and these fields have no meaning. ``phone`` is the state that a phone is measured
    in; a virtual device ignores it. ``source`` is the TOML text, stored with the results.
    """

    name: str
    source: str
    device: DevicePins
    order: Literal["fixed", "shuffled"]
    rounds: int
    dwell_s: float
    gap_s: float
    seed: int
    apps: tuple[App, ...]
    eater: Eater | None = None
    phone: PhoneSettings = field(default_factory=PhoneSettings)

    @property
    def switch_s(self) -> float:
        """The approximate length of a switch to an app, seconds."""
        return self.dwell_s + self.gap_s + _START_S

    @property
    def switching_s(self) -> float:
        """The approximate length of an app-switching cycle, seconds; 0 without apps."""
        return self.rounds * len(self.apps) * self.switch_s

    def seeded(self, seed: int) -> Profile:
        """This profile with ``seed`` in place of its own, and those of its apps and eater drawn from it.

        ``source`` stays as it is. The same ``seed`` gives the same work on every device.
        """
        draw = random.Random(seed)
        apps = tuple(
            replace(app, synthetic=replace(app.synthetic, seed=_drawn(draw))) if app.synthetic else app
            for app in self.apps
        )
        eater = None if self.eater is None else replace(self.eater, seed=_drawn(draw))
        return replace(self, seed=seed, apps=apps, eater=eater)

    @property
    def workload(self) -> str:
        """Name of the profile's workload."""
        return "app-switching" if self.eater is None else "memory-eater"


def _drawn(draw: random.Random) -> int:
    return draw.randrange(SEED_END)


def load_profile(name: str, changes: Changes | None = None) -> Profile:
    """Load a profile by the path of a TOML file, or by the name of one that comes with the suite.

    ``changes`` replace values of the profile, and ``source`` is then the changed text. UsageError for an
    unknown name (offering the nearest), a missing or unknown key, or an invalid value.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = PROFILES / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except FileNotFoundError:
        known = sorted(shipped.stem for shipped in PROFILES.glob("*.toml"))
        hint = did_you_mean(name, known, f"known: {', '.join(known)}, or a path ending in .toml")
        raise UsageError(f"no profile '{name}'", next_step=hint) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"profile {path} cannot be read: {error}") from error
    if changes:
        content, text = _changed(path, content, changes)
    return _parse(path, text, content)


def _changed(path: Path, content: dict[str, Any], changes: Changes) -> tuple[dict[str, Any], str]:
    """Content and text of the profile with ``changes``. UsageError for a table that it does not have."""
    for table, keys in changes.items():
        values = content.get(table, {} if table in _OPTIONAL else None)
        if not isinstance(values, dict):
            tables = [name for name in CHANGEABLE if isinstance(content.get(name), dict)]
            raise UsageError(
                f"{path} has no table [{table}] to change", next_step=f"it has {', '.join(tables)}"
            )
        content = {**content, table: {**values, **keys}}
    keys_text = ", ".join(f"{table}.{key}" for table, keys in changes.items() for key in keys)
    return content, f"# {path.stem}, changed: {keys_text}\n\n{to_toml(content)}"


def _share(table: Table, key: str) -> float:
    return table.take(key, float, lambda v: 0 <= v <= 1, "a share from 0 to 1")


def _seed(table: Table, default: int | None = None) -> int:
    rule = "an integer from 0 to 2147483647"
    if default is None:
        return table.take("seed", int, lambda v: 0 <= v < SEED_END, rule)
    return table.take_or("seed", int, default, lambda v: 0 <= v < SEED_END, rule)


def _table(path: Path, content: Mapping[str, Any], key: str) -> Table:
    values = content.get(key)
    if not isinstance(values, dict):
        raise UsageError(f"{path}: the table [{key}] is missing")
    return Table(path, f"[{key}] ", values)


def _parse(path: Path, text: str, content: Mapping[str, Any]) -> Profile:
    top = Table(path, "", content)
    top.skip(*CHANGEABLE, "apps")
    top.done()
    device = _table(path, content, "device")
    pins = DevicePins(
        zram_mb=device.take("zram_mb", int, lambda v: 1 <= v <= 65536, "a size of 1 to 65536 MiB"),
        zram_algorithm=device.take("zram_algorithm", str, lambda v: bool(v), "the name of a compressor"),
        swappiness=device.take("swappiness", int, lambda v: 0 <= v <= 200, "0 to 200"),
        page_cluster=device.take("page_cluster", int, lambda v: 0 <= v <= 10, "0 to 10"),
        mglru=device.take_if("mglru", bool, lambda v: True, "true or false"),
    )
    device.done()
    phone = read_phone_settings(path, content.get("phone", {}))
    if "eater" in content:
        return _eating(path, text, content, pins, phone)
    work = _table(path, content, "workload")
    order = work.take("order", str, lambda v: v in ("fixed", "shuffled"), "'fixed' or 'shuffled'")
    rounds = work.take("rounds", int, lambda v: 1 <= v <= 10000, "1 to 10000")
    dwell_s = work.take("dwell_s", float, lambda v: 0 <= v <= 600, "0 to 600 seconds")
    gap_s = work.take("gap_s", float, lambda v: 0 <= v <= 600, "0 to 600 seconds")
    seed = _seed(work)
    work.done()
    listed = content.get("apps")
    if not isinstance(listed, list) or len(listed) < 2:
        raise UsageError(f"{path}: app switching needs at least two [[apps]]")
    defaults = content.get("defaults", {})
    apps = tuple(_app(path, number, {**defaults, **entry}) for number, entry in enumerate(listed))
    packages = [app.package for app in apps]
    for app in apps:
        if app.action is not None and app.action.dur_s > dwell_s:
            raise UsageError(
                f"{path}: the action of {app.package} takes {app.action.dur_s:g} s, longer than"
                f" dwell_s = {dwell_s:g}",
                next_step="lower its times, or raise dwell_s",
            )
    for package in packages:
        if packages.count(package) > 1:
            raise UsageError(f"{path}: package {package} is listed twice")
    return Profile(
        name=path.stem,
        source=text,
        device=pins,
        order="fixed" if order == "fixed" else "shuffled",
        rounds=rounds,
        dwell_s=dwell_s,
        gap_s=gap_s,
        seed=seed,
        apps=apps,
        phone=phone,
    )


def _eating(
    path: Path, text: str, content: Mapping[str, Any], pins: DevicePins, phone: PhoneSettings
) -> Profile:
    """Parse a profile of the memory eater, which has no apps."""
    for other in ("workload", "defaults", "apps"):
        if other in content:
            raise UsageError(
                f"{path}: [eater] and [{other}] belong to two workloads",
                next_step="split it into two profiles",
            )
    table = _table(path, content, "eater")
    eater = Eater(
        mb=table.take("mb", int, lambda v: 1 <= v <= 1024 * 1024, "a size of 1 to 1048576 MiB"),
        content=_content(table),
        rate_mb_s=table.take("rate_mb_s", int, lambda v: 0 <= v <= 1024 * 1024, "0 (no limit) or MiB/s"),
        touches=table.take("touches", int, lambda v: 0 <= v < 2**32, "0 or more pages"),
        rewrite_share=_share(table, "rewrite_share"),
        seed=_seed(table),
    )
    table.done()
    return Profile(path.stem, text, pins, "fixed", 1, 0.0, 0.0, eater.seed, (), eater, phone)


def _is_package(value: str) -> bool:
    return "." in value and all(part.isidentifier() for part in value.split("."))


def _app(path: Path, number: int, content: Mapping[str, Any]) -> App:
    table = Table(path, f"[[apps]] {number + 1}: ", content)
    package = table.take("package", str, _is_package, "a package name")
    activity = table.take_if("activity", str, lambda v: bool(v), "an activity's name")
    action = take_action(table)
    synthetic = None
    if "anon_mb" in content:
        synthetic = SyntheticApp(
            anon_mb=table.take("anon_mb", int, lambda v: 1 <= v <= 65536, "a size of 1 to 65536 MiB"),
            hot_share=_share(table, "hot_share"),
            cold_share=_share(table, "cold_share"),
            rewrite_share=_share(table, "rewrite_share"),
            content=_content(table),
            seed=_seed(table, number + 1),
            pace_pages=table.take("pace_pages", int, lambda v: v >= 0, "0 or more pages"),
            pace_ms=table.take("pace_ms", int, lambda v: 0 <= v <= 1000, "0 to 1000 ms"),
        )
    table.done()
    return App(package, activity, synthetic, action)


def _content(table: Table) -> tuple[Content, ...]:
    given = table.take("content", dict, lambda v: bool(v), "a table of page kinds and their shares")
    parts = []
    for kind, weight in given.items():
        if kind not in ("zero", "same", "random") and not _is_ratio(kind):
            hint = did_you_mean(
                kind, ["zero", "same", "random", "ratio2.5"], "known: zero, same, random, ratioR"
            )
            raise table.fail(f"content has no kind '{kind}'", hint)
        if not isinstance(weight, int | float) or not 0 <= weight <= 1:
            raise table.fail(f"content {kind} = {weight!r} is not a share from 0 to 1")
        parts.append(Content(kind, float(weight)))
    total = sum(part.weight for part in parts)
    if abs(total - 1) > 0.001:
        raise table.fail(f"content shares sum to {total:g}, not 1")
    return tuple(parts)


def _is_ratio(kind: str) -> bool:
    try:
        return kind.startswith("ratio") and 1 <= float(kind[5:]) <= 64
    except ValueError:
        return False
