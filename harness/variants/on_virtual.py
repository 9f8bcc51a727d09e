"""Kinds for a virtual device: each boots a kernel bundle."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from foundation.contract.device import Expectation, Lane
from foundation.progress import Progress
from harness.variants.kind import VIRTUAL, Bindings, Booted, VariantKind
from harness.virtual.base import DEFAULT_BASE, Base
from harness.virtual.recipe import Recipe


def to_stderr(line: str) -> None:
    """The default destination of a long build's progress lines."""
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class VirtualKind(VariantKind):
    """A kind that a virtual device of ``base`` boots. A subclass defines `recipe`."""

    device: ClassVar[str] = VIRTUAL
    page: ClassVar[str] = "docs/virtual-device.md"

    base: Base = field(default=DEFAULT_BASE, kw_only=True)

    @classmethod
    def parse(cls, options: Mapping[str, str], bindings: Bindings) -> Self:
        """Take the base from ``bindings``. UsageError for an unknown or missing option, or a bad value."""
        return replace(super().parse(options, bindings), base=bindings.base)

    @abstractmethod
    def recipe(self, progress: Progress = to_stderr) -> Recipe:
        """What to boot, and what proves it; builds what the cache lacks. UsageError, HostError."""

    def prepare(self, progress: Progress) -> None:
        """Build the kernel, unless it is in the cache. UsageError, HostError."""
        self.recipe(progress)

    def apply(self, lane: Lane, name: str) -> Booted:
        """Boot `recipe` in QEMU. BootFailed, HostError."""
        from harness.virtual.lane import VirtualLane

        if not isinstance(lane, VirtualLane):
            raise self.wrong_device()
        recipe = self.recipe()
        return Booted(lane.boot(recipe), recipe.expectation)

    def expectation(self, lane: Lane) -> Expectation:
        """That of `recipe`."""
        return self.recipe().expectation
