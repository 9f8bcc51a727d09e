"""What apt-cache prints."""

from __future__ import annotations

import pytest

from foundation.errors import HostError
from harness.virtual.kernels.debian import image_abi
from harness.virtual.packages.records import (
    package_of,
    parse_depends,
    parse_fields,
)

META = """\
Package: linux-image-cloud-amd64
Source: linux-signed-amd64 (6.1.999+2)
Version: 6.1.999-2
Installed-Size: 13
Architecture: amd64
Depends: linux-image-6.1.0-99-cloud-amd64 (= 6.1.999-2)
Description: Linux for x86-64 cloud (meta-package)
 This package depends on the latest Linux kernel.
 .
 Version: not this one
Size: 1496
SHA256: ABCDEF

Package: linux-image-cloud-amd64
Version: 6.1.1-1
Depends: linux-image-6.1.0-1-cloud-amd64 (= 6.1.1-1)
Size: 1492
SHA256: 0123

"""


def test_records_are_apart_and_the_candidate_is_first() -> None:
    first, second = parse_fields(META)
    assert first["Version"] == "6.1.999-2"
    assert second["Version"] == "6.1.1-1"
    assert "depends on the latest" in first["Description"]


def test_package() -> None:
    package = package_of(parse_fields(META)[0], "bookworm-security")
    assert package.wanted == "linux-image-cloud-amd64=6.1.999-2"
    assert package.sha256 == "abcdef"
    assert (package.download_bytes, package.installed_bytes) == (1496, 13 * 1024)
    assert image_abi(package) == "6.1.0-99-cloud-amd64"


@pytest.mark.parametrize("line", ["\nSize: 1496", "\nSHA256: ABCDEF", "\nVersion: 6.1.999-2"])
def test_incomplete_record(line: str) -> None:
    record = parse_fields(META.split("\n\n")[0].replace(line, ""))[0]
    with pytest.raises(HostError, match="record of linux-image-cloud-amd64 is incomplete"):
        package_of(record, "bookworm")


def test_meta_package_without_an_image() -> None:
    record = {**parse_fields(META)[0], "Depends": "linux-base (>= 4.3~)"}
    with pytest.raises(HostError, match="depends on no kernel image"):
        image_abi(package_of(record, "bookworm"))


def test_dependencies() -> None:
    field = (
        "linux-headers-6.1.0-99-common (= 6.1.999-2), linux-kbuild-6.1 (>= 6.1.999-2), "
        "linux-compiler-gcc-12-x86, initramfs-tools (>= 0.120) | linux-initramfs-tool, perl:any"
    )
    assert parse_depends(field) == (
        ("linux-headers-6.1.0-99-common", "6.1.999-2"),
        ("linux-kbuild-6.1", None),
        ("linux-compiler-gcc-12-x86", None),
        ("initramfs-tools", None),
        ("perl", None),
    )


def test_nothing() -> None:
    assert parse_fields("") == []
    assert parse_depends("") == ()
