"""Copies the shared libraries and the loader that programs need, from one root to another."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import HostError


@dataclass(frozen=True)
class Needs:
    """Of an ELF file: its loader (an absolute path), the libraries that it names, and their folders."""

    loader: str | None
    libraries: tuple[str, ...]
    folders: tuple[str, ...]


def needs_of(file: Path) -> Needs:
    """Read a program's or library's dynamic section. HostError if it is not an ELF file."""
    # Most commands never read an ELF file, and the import takes 50 ms.
    from elftools.common.exceptions import ELFError
    from elftools.elf.dynamic import DynamicSegment
    from elftools.elf.elffile import ELFFile
    from elftools.elf.segments import InterpSegment

    loader: str | None = None
    libraries: list[str] = []
    folders: list[str] = []
    try:
        with file.open("rb") as stream:
            for segment in ELFFile(stream).iter_segments():
                if isinstance(segment, InterpSegment):
                    loader = segment.get_interp_name()
                elif isinstance(segment, DynamicSegment):
                    for tag in segment.iter_tags():
                        # The reader names a tag's string after the kind of tag.
                        words = vars(tag)
                        libraries += [words["needed"]] if "needed" in words else []
                        # $ORIGIN is the program's own folder, which the guest does not keep.
                        paths = words.get("runpath", "").split(":")
                        folders += [path for path in paths if path.startswith("/")]
    except ELFError as error:
        raise HostError(f"{file} is not an ELF file: {error}") from error
    return Needs(loader, tuple(libraries), tuple(folders))


def copy_needed(programs: Sequence[Path], source: Path, target: Path, default: Sequence[str]) -> None:
    """Copy what ``programs`` need, directly or not, from ``source`` to the same paths below ``target``.

    A library gets the name by which it is asked for. ``default`` are the folders that the loader
    searches, relative to the root. HostError if ``source`` lacks a library.
    """
    waiting = list(programs)
    loaders: set[str] = set()
    done: set[str] = set()
    while waiting:
        path = waiting.pop()
        needs = needs_of(path)
        if needs.loader is not None and needs.loader not in loaders:
            loaders.add(needs.loader)
            _copy(_inside(source, needs.loader), target / needs.loader.lstrip("/"))
        for name in needs.libraries:
            # The loader is a library of that name too, and is loaded already.
            if name in done or any(Path(loader).name == name for loader in loaders):
                continue
            done.add(name)
            folders = [*(folder.lstrip("/") for folder in needs.folders), *default]
            place = next(
                (f"{folder}/{name}" for folder in folders if (source / folder / name).exists()), None
            )
            if place is None:
                raise HostError(f"no package has {name}, which {path.name} needs")
            _copy(source / place, target / place)
            waiting.append(target / place)


def _inside(source: Path, loader: str) -> Path:
    """The loader in ``source``; packages have it below /usr, where /lib is a link to in Debian."""
    name = loader.lstrip("/")
    for place in (source / name, source / "usr" / name):
        if place.exists():
            return place
    raise HostError(f"no package has the loader {loader}")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755)
