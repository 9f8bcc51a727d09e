"""PROVISIONAL stand-in until the packages room lands."""
from __future__ import annotations
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from foundation.contract.arch import Arch
@dataclass(frozen=True)
class Userland:
    files: Mapping[str, Path]
    links: Mapping[str, str]
    packages: tuple[object, ...] = ()
def userland(arch: Arch) -> Userland:
    root = Path("/tmp/spike/ul-" + {"aarch64": "arm64", "x86_64": "amd64"}[arch])
    files = {str(p.relative_to(root)): p for p in sorted(root.rglob("*")) if p.is_file()}
    links = {f"system/bin/{name}": "toybox" for name in (root / "applets").read_text().split()}
    files.pop("applets")
    return Userland(files, links)
