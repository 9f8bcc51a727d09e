"""Builds a kernel, or takes it from the cache. A patched build starts from the objects of the plain one.

Below the folder of the builds:

- ``source-VERSION``: Debian's source of a series, never written to after it was unpacked;
- ``objects-BASE-RELEASE``: the objects of the base's build without a patch;
- ``work-BASE``: the running build. Its path is always the same, because kbuild stores absolute
  paths and rebuilds everything when they change. Source files are hard links, objects are copies;
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
from harness.device.modules.elf import sections
from harness.device.notes import gnu_build_id
from harness.virtual.base import Base
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
from harness.virtual.kernels.built.toolchain import Toolchain, require_tools, toolchain
from harness.virtual.packages.host_command import run
from harness.virtual.packages.products import building, damage, facts_of, require_space

LOCAL_VERSION = "-suite-"

_KEY_DIGITS = 8
_COPY_DEADLINE_S = 600.0
_OBJECTS_BYTES = 1_000_000_000
# Changes when the same content is built in another way.
_RECIPE = "2"


@dataclass(frozen=True)
class BuildRequest:
    """What to build: Debian's source of a base with our configuration, a patch and additional options."""

    base: Base
    patch: PatchFile | None = None
    fragment: str = ""

    @property
    def plain(self) -> bool:
        """Whether there is neither a patch nor an option."""
        return self.patch is None and not self.fragment

    @property
    def without_patch(self) -> BuildRequest:
        """The build that this one starts from."""
        return BuildRequest(self.base)


@dataclass(frozen=True)
class BuiltKernel:
    """A finished kernel in the cache. ``build_id`` is that of vmlinux, as in /sys/kernel/notes."""

    release: str
    image: Path
    build_id: str


def content_key(package_version: str, compiler: str, suite_config: str, request: BuildRequest) -> str:
    """Eight hex digits that identify everything a kernel is made of."""
    patch = request.patch.digest if request.patch else ""
    parts = (_RECIPE, str(request.base), package_version, compiler, suite_config, patch, request.fragment)
    return hashlib.sha256("".join(f"{part}\0" for part in parts).encode()).hexdigest()[:_KEY_DIGITS]


def cached_kernel(request: BuildRequest) -> BuiltKernel | None:
    """The kernel if it is in the cache and undamaged, else None. Builds nothing."""
    source = known_source(request.base.series)
    tools = toolchain(request.base.arch)
    if source is None or shutil.which(tools.compiler) is None:
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
    # An impossible base is refused before anything is fetched.
    config.suite_config(request.base)
    require_tools(toolchain(request.base.arch))
    with exclusive_builds(progress):
        source = kernel_source(request.base.series, progress)
        release = _release(source, request)
        cached = _product(release)
        if cached is not None:
            return cached
        with scratch() as folder:
            # Before the long build, so that a patch that does not apply fails at once.
            patch = request.patch
            changed = apply_patch(patch, source.folder, folder, source.version) if patch else {}
            objects = _plain_objects(source, request.without_patch, progress)
            if not request.plain:
                _build_patched(source, objects, request, changed, release, progress)
    built = _product(release)
    if built is None:
        raise HostError(f"the kernel {release} was built but is incomplete", next_step="run it again")
    return built


def _release(source: KernelSource, request: BuildRequest) -> str:
    base = request.base
    compiler = toolchain(base.arch).version()
    key = content_key(source.package_version, compiler, config.suite_config(base), request)
    return f"{source.version}{LOCAL_VERSION}{key}"


def _product(release: str) -> BuiltKernel | None:
    folder = products_dir() / release
    if damage(folder) is not None:
        return None
    facts = facts_of(folder)
    return BuiltKernel(release, folder / str(facts["image"]), str(facts["build_id"]))


@dataclass(frozen=True)
class _Work:
    """The folder of the running build. ``purpose`` holds its release, also if it was interrupted."""

    base: Base
    release: str

    @property
    def tools(self) -> Toolchain:
        return toolchain(self.base.arch)

    @property
    def top(self) -> Path:
        return builds_dir() / f"work-{self.base}"

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


def _plain_objects(source: KernelSource, request: BuildRequest, progress: Progress) -> Path:
    """The objects of the build without a patch; builds them, and that kernel, if they are absent."""
    base = request.base
    release = _release(source, request)
    objects = builds_dir() / f"objects-{base}-{release}"
    if objects.is_dir() and _product(release) is not None:
        return objects
    require_space(builds_dir(), _OBJECTS_BYTES, "building a kernel")
    work = _Work(base, release)
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
        _configure_from_nothing(work)
        work.purpose.write_text(release)
    result = _make_image(work, progress, HostError)
    _seal(work, result, {"source": source.package_version})
    for old in builds_dir().glob(f"objects-{base}-*"):
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
    work = _Work(request.base, release)
    progress(f"building {release}: what the patch touches ({_named(list(changed))}); log: {work.log}")
    try:
        work.fresh(source)
        run(["cp", "-a", "--reflink=auto", str(objects), str(work.objects)], deadline_s=_COPY_DEADLINE_S)
        work.log.write_bytes(b"")
        _install(changed, work.source)
        _reconfigure(work, request.fragment)
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


def _configure_from_nothing(work: _Work) -> None:
    """Answer n to every option that ours does not need."""
    ours = config.suite_config(work.base)
    given = work.top / "suite.config"
    given.write_text(ours)
    arguments = [f"KCONFIG_ALLCONFIG={given}", "allnoconfig"]
    _expect(make.run_make(work.source, work.objects, arguments, work.log, work.tools), work, HostError)
    _require_kept(work, ours, HostError, str(config.CONFIGS))


def _reconfigure(work: _Work, fragment: str) -> None:
    """Put the options of ``fragment`` into the existing configuration, and settle new ones."""
    dot_config = work.objects / ".config"
    if fragment:
        text = config.merged(dot_config.read_text(), fragment)
        dot_config.unlink()
        dot_config.write_text(text)
    done = make.run_make(work.source, work.objects, ["olddefconfig"], work.log, work.tools)
    _expect(done, work, UsageError)
    _require_kept(work, fragment, UsageError, "the additional configuration")


def _require_kept(work: _Work, fragment: str, blame: Callable[..., SuiteError], name: str) -> None:
    missing = config.lost((work.objects / ".config").read_text(), fragment)
    if missing:
        raise blame(
            f"kconfig dropped {', '.join(missing[:3])} from {name}",
            next_step="check that this source has the option, and that its dependencies are set",
        )


def _make_image(work: _Work, progress: Progress, blame: Callable[..., SuiteError]) -> make.MakeResult:
    local = work.release[work.release.index(LOCAL_VERSION) :]
    arguments = [f"LOCALVERSION={local}", work.tools.target]
    result = make.run_make(work.source, work.objects, arguments, work.log, work.tools, progress)
    _expect(result, work, blame)
    return result


def _expect(result: make.MakeResult, work: _Work, blame: Callable[..., SuiteError]) -> None:
    if result.error is not None:
        raise blame(
            f"the kernel {work.release} does not build: {result.error}", next_step=f"read {work.log}"
        )


def _seal(work: _Work, result: make.MakeResult, facts: dict[str, object]) -> None:
    image = work.objects / work.tools.image
    named = (work.objects / "include" / "config" / "kernel.release").read_text().strip()
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
        "base": str(work.base),
        "image": image.name,
        "files": result.files,
        "dur_s": round(result.dur_s, 1),
    }
    with building(products_dir() / work.release, facts) as folder:
        shutil.copy(image, folder / image.name)
        shutil.copy(work.objects / ".config", folder / "config")
        shutil.copy(work.objects / "System.map", folder / "System.map")
