"""From a variant to the kernel, modules and parameters of a virtual device, and what proves it live."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.contract.device import Expectation
from foundation.contract.variant import Variant
from foundation.errors import UsageError
from foundation.progress import Progress
from foundation.words import did_you_mean
from harness.virtual.kernels import (
    KernelBundle,
    kcompressd_bundle,
    stock_bundle,
    user_bundle,
)
from harness.virtual.kernels.built import built_bundle, page_io_bundle, patched_bundle

KINDS: Final = ("stock", "kcompressd", "built", "kcompressd-page-io", "patch", "kernel", "as-is")
PARAMETERS: Final = "/sys/module/zram/parameters"
LIVE_COUNTER: Final = "/sys/kernel/zram_kcompressd/done"
PAGE_IO_LIVE_COUNTER: Final = "/sys/kernel/mm/kcompressd/done"
# Option -> lowest and highest value the module takes (its own limits are in kcompressd.c).
_KCOMPRESSD_OPTIONS: Final[Mapping[str, tuple[int, int]]] = {
    "threads": (0, 4),
    "depth": (1, 4096),
    "delay_us": (0, 10_000),
    "fail_every": (0, 2**31 - 1),
    "wake_batch": (1, 4096),
    "same_filled_direct": (0, 1),
    "nice": (-20, 19),
}
_WHOLE: Final = re.compile(r"-?[0-9]{1,10}")
_KERNEL_OPTIONS: Final = ("image", "modules")
_PATCH_OPTIONS: Final = ("file", "config", "thread", "content")
_THREAD: Final[Mapping[str, bool]] = {"yes": True, "no": False}


@dataclass(frozen=True)
class Recipe:
    """What a virtual device boots for one variant."""

    bundle: KernelBundle
    expectation: Expectation


def to_stderr(line: str) -> None:
    """Where the lines of a long build go, unless somebody else takes them."""
    print(line, file=sys.stderr, flush=True)


def recipe(
    variant: Variant, user_kernel: tuple[Path, Path] | None = None, progress: Progress = to_stderr
) -> Recipe:
    """Work out what ``variant`` boots. ``user_kernel`` (image, modules) takes the place of stock.

    UsageError for an unknown kind or option, or a value out of range. A kind that is a kernel
    of its own (built, patch, kcompressd-page-io) is built now if it is not in the cache: minutes.
    """
    options = dict(variant.options)
    if variant.kind in ("stock", "as-is"):
        _reject_unknown(variant, options, ())
        return _of_user(*user_kernel) if user_kernel else _of_stock()
    if variant.kind == "kcompressd":
        _reject_unknown(variant, options, tuple(_KCOMPRESSD_OPTIONS))
        return _of_kcompressd(variant, options)
    if variant.kind == "kernel":
        _reject_unknown(variant, options, _KERNEL_OPTIONS)
        missing = [key for key in _KERNEL_OPTIONS if key not in options]
        if missing:
            raise UsageError(
                f"variant '{variant.name}' lacks {missing[0]}=",
                next_step="write NAME=kernel:image=BZIMAGE,modules=DIR",
            )
        return _of_user(Path(options["image"]), Path(options["modules"]))
    if variant.kind == "built":
        _reject_unknown(variant, options, ())
        return _of_whole(built_bundle(progress), compression_thread=False)
    if variant.kind == "kcompressd-page-io":
        _reject_unknown(variant, options, ())
        bundle = page_io_bundle(progress)
        return _of_whole(bundle, compression_thread=True, live_counter=PAGE_IO_LIVE_COUNTER)
    if variant.kind == "patch":
        _reject_unknown(variant, options, _PATCH_OPTIONS)
        return _of_patch(variant, options, progress)
    raise UsageError(
        f"variant '{variant.name}': a virtual device has no kind '{variant.kind}'",
        next_step=did_you_mean(variant.kind, KINDS),
    )


def check_recipe(variant: Variant, user_kernel: tuple[Path, Path] | None = None) -> None:
    """What `recipe` would find wrong with the words and files of ``variant``, without building anything.

    UsageError.
    """
    options = dict(variant.options)
    if variant.kind == "kcompressd":
        _reject_unknown(variant, options, tuple(_KCOMPRESSD_OPTIONS))
        for key, text in options.items():
            _number(variant, key, text)
    elif variant.kind == "kernel" or (user_kernel and variant.kind in ("stock", "as-is")):
        recipe(variant, user_kernel)


def _of_stock() -> Recipe:
    bundle = stock_bundle()
    return Recipe(
        bundle,
        Expectation(
            release=bundle.release,
            build_ids=_module_ids(bundle),
            compression_thread=bundle.compression_thread,
        ),
    )


def _of_user(image: Path, modules: Path) -> Recipe:
    bundle = user_bundle(image, modules)
    # Whether somebody else's kernel has the thread is what is to be found out.
    return Recipe(bundle, Expectation(release=bundle.release, build_ids=_module_ids(bundle)))


def _of_whole(
    bundle: KernelBundle, *, compression_thread: bool | None, live_counter: str | None = None
) -> Recipe:
    return Recipe(
        bundle,
        Expectation(
            release=bundle.release,
            build_ids=_module_ids(bundle),
            compression_thread=compression_thread,
            live_counter=live_counter,
        ),
    )


def _of_patch(variant: Variant, options: Mapping[str, str], progress: Progress) -> Recipe:
    if "file" not in options:
        raise UsageError(
            f"variant '{variant.name}' lacks its patch", next_step=f"write {variant.name}=patch:FILE"
        )
    thread = options.get("thread")
    if thread is not None and thread not in _THREAD:
        raise UsageError(
            f"variant '{variant.name}': thread={thread} is neither yes nor no",
            next_step="leave it out if it is not known whether the patch brings a compression thread",
        )
    config = Path(options["config"]) if "config" in options else None
    bundle = patched_bundle(Path(options["file"]), config, progress, content=options.get("content"))
    return _of_whole(bundle, compression_thread=_THREAD[thread] if thread else None)


def _of_kcompressd(variant: Variant, options: Mapping[str, str]) -> Recipe:
    values = {key: _number(variant, key, text) for key, text in options.items()}
    bundle = kcompressd_bundle()
    given = {f"kcompressd_{key}": str(value) for key, value in values.items()}
    modules = tuple(
        dataclasses.replace(module, params={**module.params, **given}) if module.name == "zram" else module
        for module in bundle.modules
    )
    on = values.get("threads", 1) > 0
    expectation = Expectation(
        release=bundle.release,
        build_ids=_module_ids(bundle),
        compression_thread=bundle.compression_thread and on,
        live_counter=LIVE_COUNTER if on else None,
        parameters={f"{PARAMETERS}/{name}": text for name, text in given.items()},
    )
    return Recipe(dataclasses.replace(bundle, modules=modules), expectation)


def _module_ids(bundle: KernelBundle) -> dict[str, str]:
    return dict(bundle.build_ids)


def _number(variant: Variant, key: str, text: str) -> int:
    lowest, highest = _KCOMPRESSD_OPTIONS[key]
    if not (_WHOLE.fullmatch(text) and lowest <= int(text) <= highest):
        raise UsageError(
            f"variant '{variant.name}': {key}={text} is no number from {lowest} to {highest}",
            next_step="correct the value",
        )
    return int(text)


def _reject_unknown(variant: Variant, options: Mapping[str, str], known: tuple[str, ...]) -> None:
    for key in options:
        if key not in known:
            raise UsageError(
                f"variant '{variant.name}': kind {variant.kind} has no option '{key}'",
                next_step=did_you_mean(key, known) if known else "leave the option out",
            )
