"""Reads the output of apt-get and apt-cache: package records, dependencies, what apt would install."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from foundation.errors import HostError

_DEPENDENCY = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9.+-]*)(?::\w+)?\s*(?:\((?P<op>[<>=]+)\s*(?P<version>[^)]+)\))?$"
)
_INSTALLED = re.compile(r"^Inst (?P<name>[^\s:]+)(?::\w+)? \((?P<version>\S+) ", re.MULTILINE)
_SERVED = re.compile(
    r"^\s*(?P<name>[^\s:]+)(?::\w+)? \|\s*(?P<version>\S+) \| \S+ (?P<suite>[^/\s]+)/\S+ \S+ P"
)


@dataclass(frozen=True)
class PackageFact:
    """What a result records of a package; ``arch`` is Debian's name for it, or ``all``."""

    name: str
    version: str
    arch: str
    suite: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.arch} {self.suite} sha256:{self.sha256}"


@dataclass(frozen=True)
class Package:
    """One version of one package in the archive. Sizes in bytes; ``depends``: (name, exact version)."""

    name: str
    version: str
    arch: str
    suite: str
    sha256: str
    download_bytes: int
    installed_bytes: int
    depends: tuple[tuple[str, str | None], ...]

    @property
    def wanted(self) -> str:
        """The argument of apt-get for exactly this version."""
        return f"{self.name}={self.version}"

    @property
    def fact(self) -> PackageFact:
        """What a result records of it."""
        return PackageFact(self.name, self.version, self.arch, self.suite, self.sha256)


def parse_fields(text: str) -> list[dict[str, str]]:
    """Split ``apt-cache show`` output into records; continuation lines are joined by a newline."""
    records: list[dict[str, str]] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        record: dict[str, str] = {}
        key = ""
        for line in block.splitlines():
            if line[:1] in (" ", "\t"):
                if key:
                    record[key] += "\n" + line.strip()
                continue
            key, colon, value = line.partition(":")
            if colon:
                record[key] = value.strip()
        if record:
            records.append(record)
    return records


def parse_depends(field: str) -> tuple[tuple[str, str | None], ...]:
    """A Depends field as (package, exact version or None), the first of each set of alternatives."""
    clauses = (_DEPENDENCY.match(clause.split("|")[0].strip()) for clause in field.split(","))
    return tuple((m["name"], m["version"] if m["op"] == "=" else None) for m in clauses if m)


def parse_installed(text: str) -> dict[str, str]:
    """Package -> version in the output of ``apt-get --simulate install``, in apt's order."""
    return {match["name"]: match["version"] for match in _INSTALLED.finditer(text)}


def parse_served(text: str) -> dict[tuple[str, str], set[str]]:
    """(Package, version) -> suites, from the output of ``apt-cache madison``."""
    served: dict[tuple[str, str], set[str]] = {}
    for line in text.splitlines():
        if match := _SERVED.match(line):
            served.setdefault((match["name"], match["version"]), set()).add(match["suite"])
    return served


def package_of(record: Mapping[str, str], suite: str) -> Package:
    """A record of ``suite`` as a Package; HostError if it lacks the hash or the size."""
    try:
        return Package(
            name=record["Package"],
            version=record["Version"],
            arch=record["Architecture"],
            suite=suite,
            sha256=record["SHA256"].lower(),
            download_bytes=int(record["Size"]),
            installed_bytes=int(record.get("Installed-Size", "0")) * 1024,
            depends=parse_depends(record.get("Depends", "")),
        )
    except (KeyError, ValueError) as error:
        name = record.get("Package", "a package")
        raise HostError(
            f"apt's record of {name} is incomplete ({error})",
            next_step="run it again; if the error persists, use another mirror",
        ) from error


def reachable(
    roots: Iterable[str], packages: Mapping[str, Package], without: frozenset[str]
) -> tuple[Package, ...]:
    """The roots and what they depend on, of the resolved ``packages``, sorted by name.

    ``without`` and what only they need are left out, as are names that apt resolved by another
    alternative or a virtual package.
    """
    found: dict[str, Package] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in found or name in without or name not in packages:
            continue
        found[name] = packages[name]
        waiting += [needed for needed, _ in packages[name].depends]
    return tuple(found[name] for name in sorted(found))
