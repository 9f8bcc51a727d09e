"""The modules to load, in the order of their dependencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import UsageError
from foundation.words import nearest
from harness.virtual.kernels.elf import ModuleInfo, canonical, read_module

# virtio_pci is a root too: virtio_net works over any transport and depends on none.
ROOTS = ("virtio_pci", "virtio_net", "lz4", "lzo", "lzo_rle", "zstd", "zram")

_COMPRESSED = (".ko.xz", ".ko.zst", ".ko.gz")


@dataclass(frozen=True)
class ModuleTree:
    """The modules below a folder, by canonical name, and those the kernel has built in.

    ``builtin`` is None if the folder has no ``modules.builtin``.
    """

    folder: Path
    files: Mapping[str, Path]
    builtin: frozenset[str] | None


def scan(folder: Path, replaced: Mapping[str, Path] | None = None) -> ModuleTree:
    """Index a module folder of any depth; ``replaced`` modules override those of the same name.

    UsageError if it is not a folder, or holds only compressed modules.
    """
    if not folder.is_dir():
        raise UsageError(
            f"{folder} is not a folder", next_step="give the folder with the kernel's .ko files"
        )
    files = {canonical(path.stem): path for path in sorted(folder.rglob("*.ko"))}
    if not files:
        packed = next((p for p in folder.rglob("*.ko.*") if p.name.endswith(_COMPRESSED)), None)
        if packed is not None:
            raise UsageError(
                f"the modules below {folder} are compressed ({packed.name})",
                next_step="unpack them (xz -d, zstd -d or gunzip): the guest loads plain .ko files",
            )
    files.update(replaced or {})
    lists = sorted(folder.rglob("modules.builtin"))
    builtin = None
    if lists:
        lines = (line for path in lists for line in path.read_text().splitlines())
        builtin = frozenset(canonical(Path(line).stem) for line in lines if line.strip())
    return ModuleTree(folder, files, builtin)


def below_release(folder: Path, release: str) -> Path:
    """The part of ``folder`` for ``release``: an installed tree may hold several releases."""
    candidates = (folder / "lib" / "modules" / release, folder / "modules" / release, folder / release)
    return next((candidate for candidate in candidates if candidate.is_dir()), folder)


def load_order(
    tree: ModuleTree, release: str, roots: Sequence[str] = ROOTS
) -> list[tuple[Path, ModuleInfo]]:
    """The roots and their dependencies, each after its own dependencies.

    A root without a file counts as built in, unless ``modules.builtin`` lacks it. UsageError for a
    module of another release, a missing dependency, or a cycle.
    """
    order: dict[str, tuple[Path, ModuleInfo]] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in order:
            return
        if name in path:
            raise UsageError(f"the modules have a dependency cycle: {' -> '.join((*path, name))}")
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


def _require_builtin(tree: ModuleTree, name: str, needed_by: Sequence[str]) -> None:
    if needed_by:
        # A module's depends= never names what is built in.
        raise UsageError(
            f"{tree.folder} lacks {name}.ko, which {needed_by[-1]} needs",
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
