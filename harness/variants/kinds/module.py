"""The zsmalloc and zram modules of a running kernel, exchanged for the user's or loaded again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Self

from foundation.contract.device import Expectation, Lane
from foundation.contract.threads import role_of
from foundation.errors import UsageError
from foundation.progress import Progress
from harness.device.modules.fit import OwnModules, PairFiles
from harness.variants.kind import Bindings, Booted, VariantKind
from harness.variants.on_phone import PhoneKind
from harness.variants.on_virtual import VirtualKind, to_stderr
from harness.variants.option import one_of, option, path, text
from harness.virtual.kernels import stock_bundle
from harness.virtual.recipe import Recipe

if TYPE_CHECKING:
    from harness.device.preconditions.zram_modules import ZramModulesPin

_OWN: Final = one_of({"own": True}, "{key}={value} is not 'own'", "write NAME=module:own")


def _thread(key: str, value: str) -> str:
    """Convert to the name of a compression thread. UsageError for a name that no metric knows."""
    if role_of(value) != "compression":
        raise UsageError(
            f"{key}={value} is no compression thread that the metrics know",
            next_step="such as thread=kcompressd:0 or thread=kcompressd0",
        )
    return value


@dataclass(frozen=True)
class _Modules(VariantKind):
    """``recorded`` is what `content` returned when the campaign was planned."""

    usage: ClassVar[str] = "module:zsmalloc=FILE,zram=FILE"
    page: ClassVar[str] = "docs/phone-modules.md"
    bare: ClassVar[str | None] = "own"

    zsmalloc: Path = field(metadata=option(path, "FILE", "your zsmalloc.ko; not with `own`"))
    zram: Path = field(
        metadata=option(path, "FILE", "your zram.ko, built together with it; not with `own`")
    )
    own: bool = field(
        default=False, metadata=option(_OWN, "own", "the device's own pair, loaded again: `module:own`")
    )
    thread: str | None = field(
        default=None,
        metadata=option(_thread, "NAME", "the compression thread that must run after the warm-up"),
    )
    parameters: str = field(
        default="", metadata=option(text, "'KEY=VALUE KEY=VALUE'", "parameters of your zram module")
    )
    recorded: str | None = field(
        default=None,
        metadata=option(text, "HEX", "hash of the files' content, filled in by the suite", key="content"),
    )

    @classmethod
    def parse(cls, options: Mapping[str, str], bindings: Bindings) -> Self:
        """Make the kind from its options. UsageError for a pair that is not whole."""
        if "own" not in options:
            return super().parse(options, bindings)
        if given := sorted(options.keys() & {"zsmalloc", "zram", "parameters"}):
            raise UsageError(
                f"'own' is the device's pair, and {given[0]} another", next_step="give one of them"
            )
        return super().parse({**options, "zsmalloc": "own", "zram": "own"}, bindings)

    @property
    def modules(self) -> PairFiles | OwnModules:
        """What to load."""
        if self.own:
            return OwnModules()
        return PairFiles(self.zsmalloc, self.zram, self.parameters)

    def content(self) -> Mapping[str, str]:
        """Hash of both files. UsageError if it is not the recorded one."""
        modules = self.modules
        if isinstance(modules, OwnModules):
            return {}
        digests = (hashlib.sha256(each).digest() for each in modules.contents)
        found = hashlib.sha256(b"".join(digests)).hexdigest()[:16]
        if self.recorded not in (None, found):
            raise UsageError(
                f"{self.zsmalloc} and {self.zram} have content {found}, not {self.recorded}",
                next_step="leave content= out, or restore the original files",
            )
        return {"content": found}

    def check(self) -> None:
        """Check what the files say of themselves. UsageError."""
        if isinstance(self.modules, PairFiles):
            self.modules.check()


@dataclass(frozen=True)
class PhoneModules(_Modules, PhoneKind):
    """The modules of a phone."""

    word: ClassVar[str] = "module"
    summary: ClassVar[str] = (
        "your zsmalloc and zram modules in the phone's running kernel, exchanged before each block: no"
        " flashing, no restart; compare it with `module:own`"
    )

    def apply(self, lane: Lane, name: str) -> Booted:
        """Exchange the modules. DeviceError, StateError, UsageError, ModuleLoadFailed."""
        device = self._phone(lane).boot(modules=self.modules)
        return Booted(device, self.expectation(lane))

    def expectation(self, lane: Lane) -> Expectation:
        """Build ids and source versions of the modules, and the thread."""
        return self._phone(lane).expectation(thread=self.thread)


@dataclass(frozen=True)
class VirtualModules(_Modules, VirtualKind):
    """The modules of a virtual device that has booted Debian's kernel."""

    word: ClassVar[str] = "module"
    summary: ClassVar[str] = (
        "your zsmalloc and zram modules in Debian's kernel, exchanged once it has booted, as on a phone;"
        " compare it with `module:own`"
    )

    def recipe(self, progress: Progress = to_stderr) -> Recipe:
        """Debian's kernel, whose modules are exchanged once it has booted."""
        recipe = Recipe.of(stock_bundle(self.base))
        return replace(recipe, expectation=replace(recipe.expectation, build_ids={}, thread=self.thread))

    def apply(self, lane: Lane, name: str) -> Booted:
        """Boot, and exchange the modules. UsageError, StateError, KernelError, HostError."""
        from harness.device.preconditions.pinned import PinnedState
        from harness.device.preconditions.zram_modules import modules_pin

        device, expectation = super().apply(lane, name)
        pin = modules_pin(device, self.modules)
        # Every block boots a new device: nothing is put back.
        PinnedState(device).apply([pin])
        return Booted(device, _with(expectation, pin))


def _with(expectation: Expectation, pin: ZramModulesPin) -> Expectation:
    build_ids, sources = pin.expected()
    return replace(expectation, build_ids=build_ids, parameters={**expectation.parameters, **sources})
