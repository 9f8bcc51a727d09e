"""Builds a kernel, or takes it from the cache. A patched build starts from the objects of the plain one.

Below the folder of the builds:

- ``source-VERSION``: Debian's source, never written to after it was unpacked;
- ``objects-KEY``: the objects of the build without a patch;
- ``work``: the running build. Its path is always the same, because kbuild stores absolute paths
  and rebuilds everything when they change. Source files are hard links, objects are copies;
- ``kernels/RELEASE``: finished kernels, complete or absent;
- ``logs``: the output of make.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import HostError, SuiteError, UsageError
from foundation.progress import Progress
from harness.device.notes import gnu_build_id
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
from harness.virtual.kernels.elf import sections
from harness.virtual.packages.host_command import run
from harness.virtual.packages.products import building, damage, facts_of, require_space

LOCAL_VERSION = "-suite-"

_KEY_DIGITS = 8
_COPY_DEADLINE_S = 600.0
_OBJECTS_BYTES = 1_000_000_000
_IMAGE = Path("arch/x86/boot/bzImage")
# Changes when the same content is built in another way.
_RECIPE = "1"


@dataclass(frozen=True)
class BuildRequest:
    """What to build: Debian's source with our configuration, a patch and additional options."""

    patch: PatchFile | None = None
    fragment: str = ""

    @property
    def plain(self) -> bool:
        """Whether there is neither a patch nor an option."""
        return self.patch is None and not self.fragment


@dataclass(frozen=True)
class BuiltKernel:
    """A finished kernel in the cache. ``build_id`` is that of vmlinux, as in /sys/kernel/notes."""

    release: str
    image: Path
    build_id: str


def content_key(package_version: str, compiler: str, suite_config: str, request: BuildRequest) -> str:
    """Eight hex digits that identify everything a kernel is made of."""
    patch = request.patch.digest if request.patch else ""
    parts = (_RECIPE, package_version, compiler, suite_config, patch, request.fragment)
    return hashlib.sha256("".join(f"{part}\0" for part in parts).encode()).hexdigest()[:_KEY_DIGITS]


def cached_kernel(request: BuildRequest) -> BuiltKernel | None:
    """The kernel if it is in the cache and undamaged, else None. Builds nothing."""
    source = known_source()
    if source is None or shutil.which(make.COMPILER) is None:
        return None
    return _product(_release(source, request))


def build_kernel(request: BuildRequest, progress: Progress) -> BuiltKernel:
    """The kernel, built if it is not in the cache: some minutes the first time, then seconds.

    UsageError if the patch does not apply or compile, HostError for everything that this machine
    lacks. After an error the cache is unchanged.
    """
    cached = cached_kernel(request)
    if cached is not None:
        return cached
    make.require_tools()
    with exclusive_builds(progress):
        source = kernel_source(progress)
        release = _release(source, request)
        cached = _product(release)
        if cached is not None:
            return cached
        with scratch() as folder:
            # Before the long build, so that a patch that does not apply fails at once.
            patch = request.patch
            changed = apply_patch(patch, source.folder, folder, source.version) if patch else {}
            objects = _plain_objects(source, progress)
            if not request.plain:
                _build_patched(source, objects, request, changed, release, progress)
    built = _product(release)
    if built is None:
        raise HostError(f"the kernel {release} was built but is incomplete", next_step="run it again")
    return built


def _release(source: KernelSource, request: BuildRequest) -> str:
    key = content_key(
        source.package_version, make.compiler_version(), config.SUITE_CONFIG.read_text(), request
    )
    return f"{source.version}{LOCAL_VERSION}{key}"


def _product(release: str) -> BuiltKernel | None:
    folder = products_dir() / release
    if damage(folder) is not None:
        return None
    return BuiltKernel(release, folder / "bzImage", str(facts_of(folder)["build_id"]))


@dataclass(frozen=True)
class _Work:
    """The folder of the running build. ``purpose`` holds its release, also if it was interrupted."""

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
    """The objects of the build without a patch; builds them, and that kernel, if they are absent."""
    release = _release(source, BuildRequest())
    objects = builds_dir() / f"objects-{release}"
    if objects.is_dir() and _product(release) is not None:
        return objects
    require_space(builds_dir(), _OBJECTS_BYTES, "building a kernel")
    work = _Work(release)
    if work.begun():
        progress(f"resuming the interrupted build of {release}")
    else:
        work.fresh(source)
        work.log.write_bytes(b"")
        if objects.is_dir():
            # Only the finished kernel is damaged or missing.
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
    request: BuildRequest,
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
        _configure(work, request.fragment, UsageError, "the additional configuration")
        result = _make_image(work, progress, UsageError)
        facts: dict[str, object] = {"source": source.package_version}
        if request.patch is not None:
            facts["patch"] = request.patch.path.name
            facts["parts"] = [part.title for part in request.patch.parts]
        _seal(work, result, facts)
    finally:
        work.remove()
    progress(f"{release} is ready: {result.files} files in {result.dur_s:.0f} s")


def _named(files: list[str]) -> str:
    shown = ", ".join(files[:3]) or "its configuration"
    return shown if len(files) <= 3 else f"{shown} and {len(files) - 3} more"


def _install(changed: Mapping[str, Path | None], source: Path) -> None:
    """Install the changed files; unlink first, since the old ones are hard links to the clean source."""
    for name, content in changed.items():
        target = source / name
        target.unlink(missing_ok=True)
        if content is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            # Without its mtime: make must see it as new.
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
            f"kconfig dropped {', '.join(missing[:3])} from {name}",
            next_step="check that this source has the option, and that its dependencies are set",
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
    build_id = gnu_build_id(
        sections((work.objects / "vmlinux").read_bytes(), "vmlinux", ".notes").get(".notes", b"")
    )
    if build_id is None:
        raise HostError(f"the vmlinux of {work.release} has no build id")
    facts |= {
        "build_id": build_id,
        "release": work.release,
        "files": result.files,
        "dur_s": round(result.dur_s, 1),
    }
    with building(products_dir() / work.release, facts) as folder:
        shutil.copy(image, folder / "bzImage")
        shutil.copy(work.objects / ".config", folder / "config")
        shutil.copy(work.objects / "System.map", folder / "System.map")
