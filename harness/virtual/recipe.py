"""What a virtual device boots, and the proof that it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from foundation.contract.device import Expectation
from harness.virtual.kernels import KernelBundle


@dataclass(frozen=True)
class Recipe:
    """A kernel with its modules and parameters, and what the running device must show."""

    bundle: KernelBundle
    expectation: Expectation

    @classmethod
    def of(
        cls,
        bundle: KernelBundle,
        *,
        compression_thread: bool | None = None,
        live_counter: str | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Self:
        """Expect the bundle's release, build ids and page size; the rest is as in `Expectation`."""
        return cls(
            bundle,
            Expectation(
                release=bundle.release,
                build_ids=dict(bundle.build_ids),
                compression_thread=compression_thread,
                live_counter=live_counter,
                parameters=parameters or {},
                page_size_bytes=bundle.base.page_kb * 1024,
            ),
        )
