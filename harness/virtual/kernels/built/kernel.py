"""Builds a whole kernel, or takes it from the cache: once without a patch, then only what a patch touches.

Below the folder of the builds:

- ``source-VERSION``: Debian's source, never written to after it was unpacked;
- ``objects-KEY``: the objects of the build without a patch, which each patched build starts from;
- ``work``: the build that runs. Its path is always the same, since kbuild keeps absolute paths and
  builds everything anew when they change. Source files are hard links, objects are copies;
- ``kernels/RELEASE``: finished kernels, whole or absent;
- ``logs``: all that make said.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import HostError, SuiteError, UsageError
from foundation.progress import Progress
from harness.virtual.kernels.built import config, make
from harness.virtual.kernels.built.apply import apply_patch
from harness.virtual.kernels.built.patch_file import PatchFile
from harness.virtual.kernels.built.source import (
    KernelSource,
    builds_dir,
    exclusive_builds,
    kernel_source,
    known_source,
    products_dir,
    scratch,
)
from harness.virtual.kernels.bzimage import release_of
from harness.virtual.kernels.elf import gnu_build_id, sections
from harness.virtual.kernels.host_command import run
from harness.virtual.kernels.products import (
    building,
    damage,
    facts_of,
    require_space,
)

LOCAL_VERSION = "-suite-"

_KEY_DIGITS = 8
_COPY_DEADLINE_S = 600.0
_OBJECTS_BYTES = 1_000_000_000
_IMAGE = Path("arch/x86/boot/bzImage")
# Changes when kernels are made in another way from the same content.
_RECIPE = "1"


@dataclass(frozen=True)
class BuildRequest:
    """What to build: Debian's source with our configuration, plus these."""

    patch: PatchFile | None = None
    fragment: str = ""

    @property
    def plain(self) -> bool:
        return self.patch is None and not self.fragment


@dataclass(frozen=True)
class BuiltKernel:
    """A finished kernel in the cache. ``build_id`` is vmlinux's, as /sys/kernel/notes shows it."""

    release: str
    image: Path
    build_id: str


def content_key(package_version: str, compiler: str, suite_config: str, wish: BuildRequest) -> str:
    """Eight hex digits that stand for everything a kernel is made of."""
    digest = hashlib.sha256()
    for part in (
        _RECIPE,
        package_version,
        compiler,
        suite_config,
        wish.patch.digest if wish.patch else "",
        wish.fragment,
    ):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:_KEY_DIGITS]


def cached_kernel(wish: BuildRequest) -> BuiltKernel | None:
    """The kernel if it is in the cache and undamaged, else None. Builds nothing."""
    source = known_source()
    if source is None or shutil.which(make.COMPILER) is None:
        return None
    return _product(_release(source, wish))


def build_kernel(wish: BuildRequest, progress: Progress) -> BuiltKernel:
    """The kernel, built if it is not in the cache: some minutes the first time, then seconds.

    UsageError if the patch does not apply or does not compile, HostError for everything that
    this machine lacks. The cache stays as it was on every way out.
    """
    found = cached_kernel(wish)
    if found is not None:
        return found
    make.require_tools()
    with exclusive_builds(progress):
        source = kernel_source(progress)
        release = _release(source, wish)
        found = _product(release)
        if found is not None:
            return found
        with scratch() as folder:
            # Before the long build: a patch that does not fit is known at once.
            changed = apply_patch(wish.patch, source.folder, folder, source.version) if wish.patch else {}
            objects = _plain_objects(source, progress)
            if not wish.plain:
                _build_patched(source, objects, wish, changed, release, progress)
    built = _product(release)
    if built is None:
        raise HostError(f"the kernel {release} was built and is not whole", next_step="run it again")
    return built


def _release(source: KernelSource, wish: BuildRequest) -> str:
    key = content_key(
        source.package_version, make.compiler_version(), config.SUITE_CONFIG.read_text(), wish
    )
    return f"{source.version}{LOCAL_VERSION}{key}"


def _product(release: str) -> BuiltKernel | None:
    folder = products_dir() / release
    if damage(folder) is not None:
        return None
    return BuiltKernel(release, folder / "bzImage", str(facts_of(folder)["build_id"]))


@dataclass(frozen=True)
class _Work:
    """The folder of the build that runs. ``purpose`` says what it holds, if it was cut short."""

    release: str

    @property
    def top(self) -> Path:
        return builds_dir() / "work"

    @property
    def source(self) -> Path:
        return self.top / "source"

    @property
    def objects(self) -> Path:
        return self.top / "objects"

    @property
    def purpose(self) -> Path:
        return self.top / "purpose"

    @property
    def log(self) -> Path:
        logs = builds_dir() / "logs"
        logs.mkdir(exist_ok=True)
        return logs / f"{self.release}.log"

    def begun(self) -> bool:
        try:
            return self.purpose.read_text() == self.release
        except FileNotFoundError:
            return False

    def fresh(self, source: KernelSource) -> None:
        self.remove()
        self.top.mkdir()
        run(["cp", "-al", str(source.folder), str(self.source)], deadline_s=_COPY_DEADLINE_S)

    def remove(self) -> None:
        shutil.rmtree(self.top, ignore_errors=True)


def _plain_objects(source: KernelSource, progress: Progress) -> Path:
    """The objects of the build without a patch; makes them, and that kernel, if they are absent."""
    release = _release(source, BuildRequest())
    objects = builds_dir() / f"objects-{release}"
    if objects.is_dir() and _product(release) is not None:
        return objects
    require_space(builds_dir(), _OBJECTS_BYTES, "building a kernel")
    work = _Work(release)
    if work.begun():
        progress(f"going on with the build of {release}, which was cut short")
    else:
        work.fresh(source)
        work.log.write_bytes(b"")
        if objects.is_dir():
            # Only the finished kernel is damaged or gone.
            objects.rename(work.objects)
            work.purpose.write_text(release)
    progress(f"building {release} without a patch: some minutes, and only once; log: {work.log}")
    if not work.begun():
        _expect(make.run_make(work.source, work.objects, ["tinyconfig"], work.log), work, HostError)
        _configure(work, config.SUITE_CONFIG.read_text(), HostError, str(config.SUITE_CONFIG))
        work.purpose.write_text(release)
    result = _make_image(work, progress, HostError)
    _seal(work, result, {"source": source.package_version})
    for old in builds_dir().glob("objects-*"):
        shutil.rmtree(old, ignore_errors=True)
    work.purpose.unlink()
    work.objects.rename(objects)
    work.remove()
    progress(f"{release} is ready: {result.files} files in {result.dur_s / 60:.1f} min")
    return objects


def _build_patched(
    source: KernelSource,
    objects: Path,
    wish: BuildRequest,
    changed: Mapping[str, Path | None],
    release: str,
    progress: Progress,
) -> None:
    require_space(builds_dir(), _OBJECTS_BYTES, "building a kernel")
    work = _Work(release)
    progress(f"building {release}: what the patch touches ({_named(list(changed))}); log: {work.log}")
    try:
        work.fresh(source)
        run(["cp", "-a", "--reflink=auto", str(objects), str(work.objects)], deadline_s=_COPY_DEADLINE_S)
        work.log.write_bytes(b"")
        _install(changed, work.source)
        _configure(work, wish.fragment, UsageError, "the additional configuration")
        result = _make_image(work, progress, UsageError)
        facts: dict[str, object] = {"source": source.package_version}
        if wish.patch is not None:
            facts["patch"] = wish.patch.path.name
            facts["parts"] = [part.title for part in wish.patch.parts]
        _seal(work, result, facts)
    finally:
        work.remove()
    progress(f"{release} is ready: {result.files} files in {result.dur_s:.0f} s")


def _named(files: list[str]) -> str:
    shown = ", ".join(files[:3]) or "its configuration"
    return shown if len(files) <= 3 else f"{shown} and {len(files) - 3} more"


def _install(changed: Mapping[str, Path | None], source: Path) -> None:
    """Put changed files in place. Unlinked first: what lies there is shared with the clean source."""
    for name, content in changed.items():
        target = source / name
        target.unlink(missing_ok=True)
        if content is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            # Without its time: make must see it as new.
            shutil.copy(content, target)


def _configure(work: _Work, fragment: str, blame: Callable[..., SuiteError], name: str) -> None:
    dot_config = work.objects / ".config"
    if fragment:
        text = config.merged(dot_config.read_text(), fragment)
        dot_config.unlink()
        dot_config.write_text(text)
    _expect(make.run_make(work.source, work.objects, ["olddefconfig"], work.log), work, blame)
    missing = config.lost(dot_config.read_text(), fragment)
    if missing:
        raise blame(
            f"kconfig dropped {', '.join(missing[:3])} of {name}",
            next_step="no such option in this source, or what it depends on is not set",
        )


def _make_image(work: _Work, progress: Progress, blame: Callable[..., SuiteError]) -> make.MakeResult:
    local = work.release[work.release.index(LOCAL_VERSION) :]
    result = make.run_make(
        work.source, work.objects, [f"LOCALVERSION={local}", "bzImage"], work.log, progress
    )
    _expect(result, work, blame)
    return result


def _expect(result: make.MakeResult, work: _Work, blame: Callable[..., SuiteError]) -> None:
    if result.error is not None:
        raise blame(
            f"the kernel {work.release} does not build: {result.error}", next_step=f"read {work.log}"
        )


def _seal(work: _Work, result: make.MakeResult, facts: dict[str, object]) -> None:
    image = work.objects / _IMAGE
    named = release_of(image)
    if named != work.release:
        raise HostError(f"the built kernel names itself {named}, not {work.release}")
    build_id = gnu_build_id(sections((work.objects / "vmlinux").read_bytes(), "vmlinux").get(".notes", b""))
    if build_id is None:
        raise HostError(f"the vmlinux of {work.release} has no build id")
    facts |= {
        "build_id": build_id,
        "release": named,
        "files": result.files,
        "dur_s": round(result.dur_s, 1),
    }
    with building(products_dir() / work.release, facts) as folder:
        shutil.copy(image, folder / "bzImage")
        shutil.copy(work.objects / ".config", folder / "config")
        shutil.copy(work.objects / "System.map", folder / "System.map")
