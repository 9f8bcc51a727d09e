"""Reads the output of apt-cache: package records and dependency fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from foundation.errors import HostError

_DEPENDENCY = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9.+-]*)(?::\w+)?\s*(?:\((?P<op>[<>=]+)\s*(?P<version>[^)]+)\))?$"
)


@dataclass(frozen=True)
class Package:
    """One version of one package in the archive. Sizes in bytes."""

    name: str
    version: str
    sha256: str
    download_bytes: int
    installed_bytes: int
    depends: tuple[tuple[str, str | None], ...]

    @property
    def wanted(self) -> str:
        """The argument of apt-get for exactly this version."""
        return f"{self.name}={self.version}"


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


def package_of(record: Mapping[str, str]) -> Package:
    """A record as a Package; HostError if it lacks the hash or the size."""
    try:
        return Package(
            name=record["Package"],
            version=record["Version"],
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


def image_abi(meta: Package) -> str:
    """The ABI that the meta package currently depends on (``6.1.0-99-cloud-amd64``)."""
    for name, _ in meta.depends:
        if name.startswith("linux-image-") and name != meta.name:
            return name.removeprefix("linux-image-")
    raise HostError(
        f"{meta.name} {meta.version} depends on no kernel image",
        next_step="check the archive that apt is configured for",
    )
