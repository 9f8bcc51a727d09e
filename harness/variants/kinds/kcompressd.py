"""The compression thread: in the zram module of the stock kernel (6.1), or in a built kernel (6.12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from foundation.errors import UsageError
from foundation.progress import Progress
from harness.variants.kinds.built import LIVE_COUNTER as BUILT_COUNTER
from harness.variants.on_virtual import VirtualKind, to_stderr
from harness.variants.option import integer, option
from harness.virtual.base import Base
from harness.virtual.kernels import kcompressd_bundle
from harness.virtual.kernels.built import thread_bundle, thread_patch
from harness.virtual.kernels.built.config import suite_config
from harness.virtual.recipe import Recipe

MODULE_PARAMETERS: Final = "/sys/module/zram/parameters"
MODULE_COUNTER: Final = "/sys/kernel/zram_kcompressd/done"
BUILT_PARAMETERS: Final = "/sys/module/kcompressd/parameters"

#: The base whose stock kernel takes our zram module.
_MODULE_BASE: Final = Base("6.1", "x86_64", 4)
# Options that the built thread has as well; ``threads`` is its switch.
_OF_BUILT: Final = ("delay_us", "depth", "nice")


def _parameter(lowest: int, highest: int, help_text: str) -> int | None:
    """An option for a parameter of the thread, with the thread's own limits."""
    metadata = option(integer(lowest, highest), f"{lowest}..{highest}", help_text)
    made: int | None = field(default=None, metadata=metadata)
    return made


@dataclass(frozen=True)
class Kcompressd(VirtualKind):
    """Each option is a parameter of the thread; None keeps the default."""

    word: ClassVar[str] = "kcompressd"
    usage: ClassVar[str] = "kcompressd[:KEY=VALUE,...]"
    summary: ClassVar[str] = (
        "our compression thread. Base 6.12: `built` with a thread above zram, to be compared with `built`."
        " Base 6.1-amd64: the stock kernel with a thread in its zram module, to be compared with `stock`"
    )

    delay_us: int | None = _parameter(
        0, 10_000, "CPU time to waste in each page write, to check the suite (default 0)"
    )
    depth: int | None = _parameter(
        1, 4096, "queue length in pages; when it is full, kswapd compresses (default 256)"
    )
    fail_every: int | None = _parameter(
        0, 2**31 - 1, "6.1: fail every n-th queued page write, to check the suite (default 0: never)"
    )
    nice: int | None = _parameter(-20, 19, "nice value of the threads (default 0)")
    same_filled_direct: int | None = _parameter(
        0, 1, "6.1: 1: kswapd stores same-filled pages itself (default 0)"
    )
    threads: int | None = _parameter(
        0, 4, "compression threads; 0 is off (default 1). 6.12: 0 or 1, for each node"
    )
    wake_batch: int | None = _parameter(
        1, 4096, "6.1: queued pages that wake a thread; fewer wake it after a tick (default 1)"
    )

    def check(self) -> None:
        """Check that the base has the thread, and the thread the options. UsageError."""
        if self._in_module:
            return
        suite_config(self.base)
        thread_patch(self.base)
        self._built_parameters()

    def recipe(self, progress: Progress = to_stderr) -> Recipe:
        """The kernel with the thread and its parameters, which are read back. UsageError, HostError.

        The module needs a finished ``prepare``; the built kernel is built if the cache lacks it.
        """
        on = self.threads != 0
        if not self._in_module:
            self.check()
            given = self._built_parameters()
            bundle = thread_bundle(self.base, progress)
            return Recipe.of(
                bundle.with_arguments(*(f"kcompressd.{name}={text}" for name, text in given.items())),
                compression_thread=True,
                live_counter=BUILT_COUNTER if on else None,
                parameters={f"{BUILT_PARAMETERS}/{name}": text for name, text in given.items()},
            )
        bundle = kcompressd_bundle(self.base)
        parameters = {f"kcompressd_{name}": str(value) for name, value in self._given().items()}
        return Recipe.of(
            bundle.with_parameters("zram", parameters),
            compression_thread=bundle.compression_thread and on,
            live_counter=MODULE_COUNTER if on else None,
            parameters={f"{MODULE_PARAMETERS}/{name}": text for name, text in parameters.items()},
        )

    @property
    def _in_module(self) -> bool:
        return self.base == _MODULE_BASE

    def _given(self) -> dict[str, int]:
        return {key: value for key in self.options() if (value := getattr(self, key)) is not None}

    def _built_parameters(self) -> Mapping[str, str]:
        """Parameters of the built thread by name, as the kernel prints them."""
        if self.base.series == "6.1" and self._given():
            raise UsageError(
                f"kind 'kcompressd' has no options on the base {self.base}",
                next_step=f"take the base {_MODULE_BASE}, or leave them out",
            )
        parameters = {}
        for key, value in self._given().items():
            if key == "threads" and value <= 1:
                parameters["enabled"] = "Y" if value else "N"
            elif key in _OF_BUILT:
                parameters[key] = str(value)
            else:
                raise UsageError(
                    f"kind 'kcompressd' has no {key}={value} on the base {self.base}",
                    next_step=f"take the base {_MODULE_BASE}, whose zram module has it",
                )
        return parameters
