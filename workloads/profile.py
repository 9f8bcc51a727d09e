"""Workload profiles: TOML files that say which apps, how much memory, in which order."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from foundation.errors import UsageError

PROFILES: Final = Path(__file__).parent / "profiles"

T = TypeVar("T")


@dataclass(frozen=True)
class DevicePins:
    """Settings that the device is pinned to; ``zram_mb`` is the disk's size in MiB.

    ``mglru`` switches the multi-generational LRU; None leaves and records what the device has.
    """

    zram_mb: int
    zram_algorithm: str
    swappiness: int
    page_cluster: int
    mglru: bool | None = None


@dataclass(frozen=True)
class Content:
    """One kind of page: ``zero``, ``same``, ``ratioR`` (compresses about R times) or ``random``."""

    kind: str
    weight: float


@dataclass(frozen=True)
class SyntheticApp:
    """What an app is made of on a device whose apps are ours.

    ``hot_share`` of its pages is touched at each switch, ``cold_share`` picked at random
    after it, ``rewrite_share`` of what is touched is rewritten. It rests ``pace_ms`` after
    each ``pace_pages`` pages.
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
        """The app.ini that the device's app program reads."""
        content = ",".join(f"{part.kind}:{part.weight:g}" for part in self.content)
        return (
            f"anon_kb={self.anon_mb * 1024}\nhot_share={self.hot_share}\ncold_share={self.cold_share}\n"
            f"rewrite_share={self.rewrite_share}\ncontent={content}\nseed={self.seed}\n"
            f"pace_pages={self.pace_pages}\npace_ms={self.pace_ms}\n"
        )


@dataclass(frozen=True)
class App:
    """One app: a package to start, and its memory where the device has synthetic apps."""

    package: str
    activity: str
    synthetic: SyntheticApp | None


@dataclass(frozen=True)
class Profile:
    """A workload: ``rounds`` passes over ``apps``, in fixed or shuffled (seeded) order.

    ``dwell_s`` is the time an app stays in front, ``gap_s`` the time between leaving it and
    the next start. ``source`` is the TOML text, stored with the results.
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


class _Table:
    """A TOML table that must be used up: an unknown key is a mistyped one."""

    def __init__(self, path: Path, where: str, content: Mapping[str, Any]) -> None:
        self._path, self._where, self._left = path, where, dict(content)
        self._asked: list[str] = []

    def fail(self, text: str, next_step: str | None = None) -> UsageError:
        return UsageError(f"{self._path}: {self._where}{text}", next_step=next_step)

    def take(self, key: str, kind: type[T], check: Callable[[T], bool], rule: str) -> T:
        self._asked.append(key)
        if key not in self._left:
            near = difflib.get_close_matches(key, list(self._left), n=1)
            raise self.fail(
                f"{key} is missing", f"rename {near[0]} to {key}" if near else f"add {key}: {rule}"
            )
        value = self._left.pop(key)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind or not check(value):
            raise self.fail(f"{key} = {value!r} is not {rule}")
        return value

    def take_or(self, key: str, kind: type[T], default: T, check: Callable[[T], bool], rule: str) -> T:
        if key not in self._left:
            self._asked.append(key)
            return default
        return self.take(key, kind, check, rule)

    def done(self, also: Iterable[str] = ()) -> None:
        for key in self._left:
            if key not in also:
                near = difflib.get_close_matches(key, self._asked, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(self._asked)}"
                raise self.fail(f"unknown key {key}", hint)


def load_profile(name: str) -> Profile:
    """Load a profile by the name of one that comes with the suite, or by the path of a TOML file.

    UsageError for an unknown name (the nearest is offered), a missing or unknown key, or a
    value out of range.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = PROFILES / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except FileNotFoundError:
        known = sorted(file.stem for file in PROFILES.glob("*.toml"))
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = (
            f"did you mean '{near[0]}'?"
            if near
            else f"known: {', '.join(known)}, or a path ending in .toml"
        )
        raise UsageError(f"no profile '{name}'", next_step=hint) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"profile {path} cannot be read: {error}") from error
    return _parse(path, text, content)


def _is_share(value: float) -> bool:
    return 0 <= value <= 1


def _sub(path: Path, content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = content.get(key)
    if not isinstance(table, dict):
        raise UsageError(f"{path}: the table [{key}] is missing")
    return table


def _parse(path: Path, text: str, content: Mapping[str, Any]) -> Profile:
    top = _Table(path, "", dict.fromkeys(content))
    top._asked += ["device", "workload", "defaults", "apps"]
    top.done(also=("device", "workload", "defaults", "apps"))
    device = _Table(path, "[device] ", _sub(path, content, "device"))
    pins = DevicePins(
        zram_mb=device.take("zram_mb", int, lambda v: 1 <= v <= 65536, "a size of 1 to 65536 MiB"),
        zram_algorithm=device.take("zram_algorithm", str, lambda v: bool(v), "the name of a compressor"),
        swappiness=device.take("swappiness", int, lambda v: 0 <= v <= 200, "0 to 200"),
        page_cluster=device.take("page_cluster", int, lambda v: 0 <= v <= 10, "0 to 10"),
        mglru=device.take("mglru", bool, lambda v: True, "true or false")
        if "mglru" in content["device"]
        else None,
    )
    device.done()
    work = _Table(path, "[workload] ", _sub(path, content, "workload"))
    order = work.take("order", str, lambda v: v in ("fixed", "shuffled"), "'fixed' or 'shuffled'")
    rounds = work.take("rounds", int, lambda v: 1 <= v <= 10000, "1 to 10000")
    dwell_s = work.take("dwell_s", float, lambda v: 0 <= v <= 600, "0 to 600 seconds")
    gap_s = work.take("gap_s", float, lambda v: 0 <= v <= 600, "0 to 600 seconds")
    seed = work.take("seed", int, lambda v: 0 <= v < 2**31, "a whole number below 2^31")
    work.done()
    listed = content.get("apps")
    if not isinstance(listed, list) or len(listed) < 2:
        raise UsageError(f"{path}: at least two [[apps]] are needed to switch between")
    defaults = content.get("defaults", {})
    apps = tuple(_app(path, number, {**defaults, **entry}) for number, entry in enumerate(listed))
    packages = [app.package for app in apps]
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
    )


def _is_package(value: str) -> bool:
    return "." in value and all(part.isidentifier() for part in value.split("."))


def _app(path: Path, number: int, content: Mapping[str, Any]) -> App:
    table = _Table(path, f"[[apps]] {number + 1}: ", content)
    package = table.take("package", str, _is_package, "a package name")
    activity = table.take_or("activity", str, ".Main", lambda v: bool(v), "an activity's name")
    synthetic = None
    if "anon_mb" in content:
        synthetic = SyntheticApp(
            anon_mb=table.take("anon_mb", int, lambda v: 1 <= v <= 65536, "a size of 1 to 65536 MiB"),
            hot_share=table.take("hot_share", float, _is_share, "a share from 0 to 1"),
            cold_share=table.take("cold_share", float, _is_share, "a share from 0 to 1"),
            rewrite_share=table.take("rewrite_share", float, _is_share, "a share from 0 to 1"),
            content=_content(table),
            seed=table.take_or("seed", int, number + 1, lambda v: 0 <= v < 2**31, "below 2^31"),
            pace_pages=table.take("pace_pages", int, lambda v: v >= 0, "0 or more pages"),
            pace_ms=table.take("pace_ms", int, lambda v: 0 <= v <= 1000, "0 to 1000 ms"),
        )
    table.done()
    return App(package, activity, synthetic)


def _content(table: _Table) -> tuple[Content, ...]:
    given = table.take("content", dict, lambda v: bool(v), "a table of page kinds and their shares")
    parts = []
    for kind, weight in given.items():
        if kind not in ("zero", "same", "random") and not _is_ratio(kind):
            near = difflib.get_close_matches(kind, ["zero", "same", "random", "ratio2.5"], n=1)
            hint = f"did you mean '{near[0]}'?" if near else "known: zero, same, random, ratioR"
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
