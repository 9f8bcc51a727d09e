"""Which packages make a kernel of a base."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from foundation.errors import HostError
from harness.virtual.base import BASES, NEWEST, Base
from harness.virtual.kernels.debian import MODULE_BASE, meta_package, resolve
from harness.virtual.packages.records import Package


def package(name: str, version: str, *depends: str) -> Package:
    pairs = tuple((each, version) for each in depends)
    return Package(name, version, "arm64", "trixie", f"hash of {name}", 1000, 2000, pairs)


class Apt:
    """The part of an AptRoot that `resolve` uses, with these packages."""

    name = "trixie (arm64)"

    def __init__(self, *packages: Package) -> None:
        self._packages: Mapping[str, Package] = {each.name: each for each in packages}

    def show(self, wanted: str) -> Package:
        name, _, version = wanted.partition("=")
        if name not in self._packages or version not in ("", self._packages[name].version):
            raise HostError(f"no package {wanted}")
        return self._packages[name]


def test_meta_packages() -> None:
    assert {str(base): meta_package(base) for base in BASES} == {
        "6.12-arm64": "linux-image-cloud-arm64",
        "6.12-arm64-16k": "linux-image-arm64-16k",
        "6.12-amd64": "linux-image-cloud-amd64",
        "6.1-amd64": "linux-image-cloud-amd64",
        "newest-arm64": "linux-image-cloud-arm64",
        "newest-arm64-16k": "linux-image-arm64-16k",
        "newest-amd64": "linux-image-cloud-amd64",
    }


def test_image_and_modules_in_one_package() -> None:
    abi = "6.12.999+deb13-cloud-arm64"
    apt = Apt(
        package("linux-image-cloud-arm64", "6.12.999-1", f"linux-image-{abi}"),
        package(f"linux-image-{abi}", "6.12.999-1", "kmod", "linux-base", "initramfs-tools"),
        package("linux-source-6.12", "6.12.999-1"),
    )
    found = resolve(apt, Base("6.12", "aarch64", 4))  # type: ignore[arg-type]
    assert (found.abi, found.version, found.key) == (abi, "6.12.999-1", f"{abi}_6.12.999-1")
    assert [each.name for each in found.image] == [f"linux-image-{abi}"]
    assert (found.source.name, found.build) == ("linux-source-6.12", ())


def test_image_modules_and_their_list_apart() -> None:
    abi = "7.9.1+deb14-cloud-amd64"
    parts = [f"linux-{part}-{abi}" for part in ("base", "binary", "modules")]
    apt = Apt(
        package("linux-image-cloud-amd64", "7.9.1-1", "linux-base-cloud-amd64", f"linux-image-{abi}"),
        package(f"linux-image-{abi}", "7.9.1-1", "dracut", *parts),
        *(package(part, "7.9.1-1") for part in parts),
        package("linux-source-7.9", "7.9.1-1"),
    )
    found = resolve(apt, Base(NEWEST, "x86_64", 4))  # type: ignore[arg-type]
    assert [each.name for each in found.image] == [f"linux-image-{abi}", *parts]


def test_headers_are_resolved_where_the_module_is_built() -> None:
    abi = "6.1.0-99-cloud-amd64"
    apt = Apt(
        package("linux-image-cloud-amd64", "6.1.999-2", f"linux-image-{abi}"),
        package(f"linux-image-{abi}", "6.1.999-2", "kmod"),
        package(f"linux-headers-{abi}", "6.1.999-2", "linux-headers-6.1.0-99-common", "linux-kbuild-6.1"),
        package("linux-headers-6.1.0-99-common", "6.1.999-2"),
        package("linux-kbuild-6.1", "6.1.999-2"),
        package("linux-source-6.1", "6.1.999-2"),
    )
    found = resolve(apt, MODULE_BASE)  # type: ignore[arg-type]
    assert [each.name for each in found.build] == [
        f"linux-headers-{abi}",
        "linux-headers-6.1.0-99-common",
        "linux-kbuild-6.1",
    ]


def test_a_suite_that_has_moved_on_is_refused() -> None:
    abi = "6.18.1+deb13-cloud-arm64"
    apt = Apt(package("linux-image-cloud-arm64", "6.18.1-1", f"linux-image-{abi}"))
    with pytest.raises(HostError, match=r"trixie \(arm64\) has kernel 6\.18\.1.*, not 6\.12"):
        resolve(apt, Base("6.12", "aarch64", 4))  # type: ignore[arg-type]
