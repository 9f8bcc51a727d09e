"""Runtime switches of a phone's kernel: sysctls and parameters that make up a variant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from foundation.contract.variant import Variant
from foundation.errors import UsageError
from foundation.words import did_you_mean
from harness.device.preconditions import FilePin, sysctl, sysfs

#: Of variants on a phone; boot and flash bring a kernel, see `fastboot.choice`.
KINDS: Final = ("as-is", "sysctl", "param", "boot", "flash")
_SYSCTL_KEY: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+", re.IGNORECASE)


def switches_of(variant: Variant) -> list[FilePin]:
    """The switches that make up ``variant``; none for one that brings a kernel. UsageError."""
    if variant.kind == "sysctl":
        return [_sysctl(variant, key, value) for key, value in _options(variant).items()]
    if variant.kind == "param":
        return [_param(variant, path, value) for path, value in _options(variant).items()]
    if variant.kind == "as-is":
        _refuse_options(variant)
    elif variant.kind not in KINDS:
        raise UsageError(
            f"variant '{variant.name}': a phone has no kind '{variant.kind}'",
            next_step=did_you_mean(variant.kind, KINDS),
        )
    return []


def _options(variant: Variant) -> Mapping[str, str]:
    if not variant.options:
        example = "vm.kcompressd=0" if variant.kind == "sysctl" else "/sys/module/NAME/parameters/KEY=0"
        raise UsageError(
            f"variant '{variant.name}': kind '{variant.kind}' switches nothing",
            next_step=f"write {variant.name}={variant.kind}:{example}",
        )
    return variant.options


def _refuse_options(variant: Variant) -> None:
    if variant.options:
        raise UsageError(
            f"variant '{variant.name}': kind 'as-is' takes no options, got {', '.join(variant.options)}",
            next_step="use sysctl:KEY=VALUE or param:PATH=VALUE for switches",
        )


def _sysctl(variant: Variant, key: str, value: str) -> FilePin:
    if not _SYSCTL_KEY.fullmatch(key):
        raise UsageError(
            f"variant '{variant.name}': '{key}' is not a sysctl", next_step="write it as in vm.kcompressd=0"
        )
    return sysctl(key, value)


def _param(variant: Variant, path: str, value: str) -> FilePin:
    if not path.startswith(("/sys/", "/proc/sys/")) or "/../" in path or path.endswith("/.."):
        raise UsageError(
            f"variant '{variant.name}': '{path}' is not a file of /sys or /proc/sys",
            next_step="write the whole path, such as /sys/module/NAME/parameters/KEY=0",
        )
    return sysfs(path, value)
