"""The stock kernel with a zram module that has the compression thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from foundation.progress import Progress
from harness.variants.on_virtual import VirtualKind, to_stderr
from harness.variants.option import integer, option
from harness.virtual.kernels import kcompressd_bundle, require_module_base
from harness.virtual.recipe import Recipe

PARAMETERS: Final = "/sys/module/zram/parameters"
LIVE_COUNTER: Final = "/sys/kernel/zram_kcompressd/done"


def _parameter(lowest: int, highest: int, help_text: str) -> int | None:
    """An option for a module parameter, with the module's own limits (kcompressd.c)."""
    metadata = option(integer(lowest, highest), f"{lowest}..{highest}", help_text)
    made: int | None = field(default=None, metadata=metadata)
    return made


@dataclass(frozen=True)
class Kcompressd(VirtualKind):
    """Each option is a ``kcompressd_*`` parameter of the module; None keeps the default."""

    word: ClassVar[str] = "kcompressd"
    usage: ClassVar[str] = "kcompressd[:KEY=VALUE,...]"
    summary: ClassVar[str] = "the stock kernel with a compression thread in zram"

    delay_us: int | None = _parameter(
        0, 10_000, "CPU time to waste in each page write, to check the suite (default 0)"
    )
    depth: int | None = _parameter(
        1, 4096, "queue length in pages; when it is full, kswapd compresses (default 256)"
    )
    fail_every: int | None = _parameter(
        0, 2**31 - 1, "fail every n-th queued page write, to check the suite (default 0: never)"
    )
    nice: int | None = _parameter(-20, 19, "nice value of the threads (default 0)")
    same_filled_direct: int | None = _parameter(
        0, 1, "1: kswapd stores same-filled pages itself (default 0)"
    )
    threads: int | None = _parameter(0, 4, "compression threads; 0 is off (default 1)")
    wake_batch: int | None = _parameter(
        1, 4096, "queued pages that wake a thread; fewer wake it after a tick (default 1)"
    )

    def check(self) -> None:
        """UsageError for a base that the module is not written for."""
        require_module_base(self.base)

    def recipe(self, progress: Progress = to_stderr) -> Recipe:
        """Stock with our module and its parameters, which are read back; needs a finished ``prepare``."""
        bundle = kcompressd_bundle(self.base)
        given = {
            f"kcompressd_{each.field}": str(value)
            for each in self.options().values()
            if (value := getattr(self, each.field)) is not None
        }
        on = self.threads != 0
        return Recipe.of(
            bundle.with_parameters("zram", given),
            compression_thread=bundle.compression_thread and on,
            live_counter=LIVE_COUNTER if on else None,
            parameters={f"{PARAMETERS}/{name}": text for name, text in given.items()},
        )
