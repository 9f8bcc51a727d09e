"""Which zram compresses on a device, and whether two sides of a comparison differ in it.

zram and zsmalloc are modules of GKI kernels (``CONFIG_ZRAM=m`` in gki_defconfig) and lie in system_dlkm,
which `fastboot boot` does not bring; vendors load their own instead (zram_gs with zcomp_* on Pixels,
vendor_zram on Samsung's phones). So a patched kernel may run while the phone's own zram compresses.
``srcversion`` is a hash of a module's sources (scripts/mod/sumversion.c), the build id one of what was
linked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeVar

import msgspec

from foundation.contract.records import VariantRecord

#: Where zram's code is: in modules, in the kernel, or nowhere; or /proc/modules cannot be read.
Form = Literal["module", "built in", "none", "unknown"]

_MODULE: Final = re.compile(r"zram|zsmalloc|^zcomp_|hybridswap|kcompressd")
#: Kinds of variant that bring a kernel, or modules for one, to a phone.
_KERNELS: Final = ("boot", "flash", "module")
#: Names in comp_algorithm whose work an engine does, asynchronously: no thread of the kernel compresses.
#: lz77eh: Pixels since the 6 (device/google/zuma, conf/init.zuma.rc; zcomp_eh.c of their zram).
HARDWARE_ALGORITHMS: Final = {"lz77eh": "Emerald Hill, the compression engine of Google's Tensor chips"}
_T = TypeVar("_T")


class ModuleIdentity(msgspec.Struct, frozen=True):
    """A loaded module; None for what it lacks, or the shell may not read."""

    srcversion: str | None = None
    build_id: str | None = None

    def __str__(self) -> str:
        known = (("srcversion", self.srcversion), ("build id", self.build_id and self.build_id[:12]))
        return ", ".join(f"{name} {value}" for name, value in known if value) or "unknown build"


class ZramIdentity(msgspec.Struct, frozen=True):
    """What compresses: the modules that make up zram, by name; none unless ``form`` is ``module``."""

    form: Form
    modules: Mapping[str, ModuleIdentity] = {}

    def __str__(self) -> str:
        if self.form != "module":
            return self.form
        return "; ".join(f"{name} ({one})" for name, one in sorted(self.modules.items()))

    def same_as(self, other: ZramIdentity) -> bool | None:
        """Whether both are one build; None if that is not known. Build ids count, else source versions."""
        if self.form != "module" or other.form != "module":
            return None if self.form == other.form or "unknown" in (self.form, other.form) else False
        if self.modules.keys() != other.modules.keys():
            return False
        same = [
            _equal(
                one.build_id, other.modules[name].build_id, one.srcversion, other.modules[name].srcversion
            )
            for name, one in self.modules.items()
        ]
        if False in same:
            return False
        return None if None in same else True

    def other_sources(self, other: ZramIdentity) -> list[str]:
        """Modules of both whose source versions differ."""
        return [
            name
            for name, one in sorted(self.modules.items())
            if name in other.modules and _equal(one.srcversion, other.modules[name].srcversion) is False
        ]


def zram_modules(proc_modules: str) -> tuple[str, ...]:
    """The modules of /proc/modules that make up zram, and those that use them, sorted."""
    rows = {words[0]: words[3] for words in map(str.split, proc_modules.splitlines()) if len(words) > 3}
    own = {name for name in rows if _MODULE.search(name)}
    users = {user for name in own for user in rows[name].split(",") if user not in ("", "-")}
    return tuple(sorted(own | (users & rows.keys())))


def engine_of(algorithm: str, mode: str = "") -> str | None:
    """The hardware that compresses, in words; None if a CPU does.

    ``mode`` is comp_mode of MediaTek's zram: hwonly, hybrid and kcompressd:hw use its engine.
    """
    if algorithm in HARDWARE_ALGORITHMS:
        return f"{algorithm} ({HARDWARE_ALGORITHMS[algorithm]})"
    if mode == "hybrid" or "hw" in mode:
        return f"{algorithm} in comp_mode {mode} (an engine of the chip)"
    return None


def zram_of(identity: Mapping[str, Any]) -> ZramIdentity | None:
    """That of a block's ``identity``; None in older files."""
    content = identity.get("zram")
    return None if content is None else msgspec.convert(content, ZramIdentity)


def objection(
    baseline: VariantRecord,
    variant: VariantRecord,
    of_baseline: ZramIdentity | None,
    of_variant: ZramIdentity | None,
) -> str | None:
    """Why blocks with these zrams say nothing about ``variant``, in one line; None if they may.

    The options of a variant say where its patch is: ``zram=own`` in a zram that it brings, ``zram=same`` in
    the kernel alone; a ``thread`` proves itself. An unknown build proves nothing. Only variants that bring
    a kernel or modules are judged, and not a kernel against itself.
    """
    if (
        variant.kind not in _KERNELS
        or "own" in variant.options
        or of_baseline is None
        or of_variant is None
    ):
        return None
    if (variant.kind, variant.options) == (baseline.kind, baseline.options):
        return None
    said = "own" if variant.kind == "module" else variant.options.get("zram")
    if said == "same":
        differing = of_variant.other_sources(of_baseline)
        if not differing:
            return None
        return (
            f"'{variant.name}' says zram=same, but its {', '.join(differing)} is built from other sources"
        )
    if of_variant.form not in ("module", "unknown") or (said is None and "thread" in variant.options):
        return None
    same = of_variant.same_as(of_baseline)
    if same is False:
        return None
    if same:
        return f"'{baseline.name}' and '{variant.name}' compress with the same zram: {of_variant}"
    return (
        f"nothing shows that '{variant.name}' compresses with another zram than '{baseline.name}':"
        f" {of_variant}"
    )


def advice(variant: VariantRecord) -> str:
    """The next step after an `objection`."""
    typed = f"{variant.name}={variant.kind}:..."
    return (
        f"if the patch is not in zram, say so: {typed},zram=same; if its thread proves it, name that:"
        f" {typed},thread=NAME; a patched zram needs module:, or flash: with the image that holds zram.ko"
    )


def _equal(*pairs: _T | None) -> bool | None:
    """Whether the first two that are both known are equal; None if none are."""
    for one, other in zip(pairs[::2], pairs[1::2], strict=True):
        if one is not None and other is not None:
            return one == other
    return None
