"""What a virtual device boots, and what proves it live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from foundation.contract.device import Expectation
from harness.virtual.kernels import KernelBundle


@dataclass(frozen=True)
class Recipe:
    """A kernel with its modules and parameters, and what must be seen once it runs."""

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
        """Release and build ids are the bundle's; the rest is as in `Expectation`."""
        return cls(
            bundle,
            Expectation(
                release=bundle.release,
                build_ids=dict(bundle.build_ids),
                compression_thread=compression_thread,
                live_counter=live_counter,
                parameters=parameters or {},
            ),
        )
