"""Which modules to load and in which order, from the dependencies that the modules state."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import UsageError
from foundation.words import nearest
from harness.device.modules.elf import ModuleInfo, canonical
from harness.device.modules.module_file import SUFFIXES, read_module

# virtio_pci is a root too: virtio_net works over any transport and depends on none.
_NETWORK = ("virtio_pci", "virtio_net")
# zram asks the crypto interface for its compressors until 6.11, and depends on their libraries from 6.12.
_CRYPTO = ("lz4", "lzo", "lzo_rle", "zstd")
_ZRAM_HAS_COMPRESSORS = (6, 12)


@dataclass(frozen=True)
class ModuleTree:
    """The modules below ``folder`` by canonical name, and the names of those built into the kernel.

    ``builtin`` is None if the folder has no ``modules.builtin``.
    """

    folder: Path
    files: Mapping[str, Path]
    builtin: frozenset[str] | None


def roots_of(release: str) -> tuple[str, ...]:
    """The modules that a guest with kernel ``release`` loads: virtio network, compressors, zram."""
    numbers = tuple(int(word) for word in re.findall(r"\d+", release)[:2])
    crypto = () if numbers >= _ZRAM_HAS_COMPRESSORS else _CRYPTO
    return (*_NETWORK, *crypto, "zram")


def scan(folder: Path, replaced: Mapping[str, Path] | None = None) -> ModuleTree:
    """Index a module folder recursively; ``replaced`` modules take the place of those of the same name.

    UsageError if it is not a folder, or contains only modules of a compression that we cannot read.
    """
    if not folder.is_dir():
        raise UsageError(
            f"{folder} is not a folder", next_step="give the folder with the kernel's .ko files"
        )
    packed = sorted(folder.rglob("*.ko*"))
    files = {
        canonical(path.name.partition(".ko")[0]): path for path in packed if path.name.endswith(SUFFIXES)
    }
    if packed and not files:
        raise UsageError(
            f"the modules below {folder} are compressed ({packed[0].name})",
            next_step="unpack them (zstd -d): the suite reads .ko, .ko.xz and .ko.gz",
        )
    files.update(replaced or {})
    lists = sorted(folder.rglob("modules.builtin"))
    lines = (line for path in lists for line in path.read_text().splitlines())
    builtin = frozenset(canonical(Path(line).stem) for line in lines if line.strip())
    return ModuleTree(folder, files, builtin if lists else None)


def below_release(folder: Path, release: str) -> Path:
    """The subfolder of ``folder`` for ``release`` (an installed tree may have several), else ``folder``."""
    places = (folder / "lib" / "modules" / release, folder / "modules" / release, folder / release)
    return next((place for place in places if place.is_dir()), folder)


def load_order(tree: ModuleTree, release: str, roots: Sequence[str]) -> list[tuple[Path, ModuleInfo]]:
    """The roots and everything they depend on, each after its dependencies.

    A root without a file counts as built in, unless ``modules.builtin`` exists and does not list it.
    UsageError for a module of another release, a missing dependency, or a dependency cycle.
    """
    order: dict[str, tuple[Path, ModuleInfo]] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in order:
            return
        if name in path:
            raise UsageError(f"modules depend on each other in a cycle: {' -> '.join((*path, name))}")
        if name not in tree.files:
            _require_builtin(tree, name, path)
            return
        info = read_module(tree.files[name])
        if info.release != release:
            raise UsageError(
                f"{tree.files[name]} is for kernel {info.release or 'unknown'}, the image is {release}",
                next_step="give the modules of the same build as the image",
            )
        for dependency in info.depends:
            visit(canonical(dependency), (*path, name))
        order[name] = (tree.files[name], info)

    for root in roots:
        visit(canonical(root), ())
    return list(order.values())


def _require_builtin(tree: ModuleTree, name: str, chain: Sequence[str]) -> None:
    if chain:
        # A module's depends= lists modules only, never built-in ones.
        raise UsageError(
            f"{tree.folder} lacks {name}.ko, which {chain[-1]} needs",
            next_step="give the complete module folder",
        )
    if tree.builtin is None or name in tree.builtin:
        return
    near = nearest(name, tree.files)
    hint = f" (nearest: {near})" if near else ""
    raise UsageError(
        f"{tree.folder} has no {name}.ko{hint}, and modules.builtin does not list it",
        next_step=f"build the kernel with {name} as a module or built in",
    )
