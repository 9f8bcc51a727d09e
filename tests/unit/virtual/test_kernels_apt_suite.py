"""The private apt root: which archive it asks on which host, what it writes, what it says without one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foundation.errors import HostError, UsageError
from harness.virtual.kernels import apt_suite
from harness.virtual.kernels.apt_suite import (
    PUBLIC_ARCHIVE,
    Archive,
    archive_of_setting,
    archive_of_sources,
    choose_archive,
    configuration_text,
    open_suite,
    sources_text,
)
from harness.virtual.kernels.debian import SERIES, SUITES

KEYRING = Path("/keys/debian-archive-keyring.gpg")


def uris(*indexes: str) -> str:
    """What ``apt-get --print-uris update`` prints for ``BASE SUITE COMPONENT`` entries."""
    lines = []
    for base, suite, component in map(str.split, indexes):
        lines.append(f"'{base}/dists/{suite}/InRelease' x_InRelease 0 ")
        lines.append(f"'{base}/dists/{suite}/{component}/binary-amd64/Packages.xz' x_Packages 0 ")
    return "\n".join(lines) + "\n"


DEBIAN_13 = uris(
    "https://packages.example.org/runner/debian trixie main",
    "https://docker.example.org/linux/debian trixie stable",
    "https://vendor.example.org/debian/13/prod trixie main",
    "http://mirror.example.org/debian trixie main",
    "http://mirror.example.org/debian trixie-updates main",
    "http://mirror.example.org/debian-security trixie-security main",
)
UBUNTU = uris(
    "http://archive.example.org/ubuntu noble main",
    "http://archive.example.org/ubuntu noble universe",
    "http://archive.example.org/ubuntu noble-security main",
)


def test_debian_host_asks_its_own_mirror() -> None:
    assert archive_of_sources(DEBIAN_13) == Archive(
        "http://mirror.example.org/debian",
        "http://mirror.example.org/debian-security",
        "this host's apt sources",
    )


@pytest.mark.parametrize(
    "base",
    [
        "mirror+file:/etc/apt/mirrors/debian.list",
        "https://example.org/artifactory/debian-remote",
        "http://example.org/archive/debian/20260520T000000Z",
        "http://localhost:3142/ftp.example.org/debian",
    ],
)
def test_debian_mirrors_of_other_forms(base: str) -> None:
    found = archive_of_sources(uris(f"{base} sid main"))
    assert found is not None
    assert (found.main, found.security) == (base, None)


def test_ubuntu_host_has_no_debian_archive() -> None:
    assert archive_of_sources(UBUNTU) is None
    assert archive_of_sources("") is None


def test_sources_of_a_debian_host() -> None:
    archive = archive_of_sources(DEBIAN_13)
    assert archive is not None
    assert sources_text("bookworm", archive, KEYRING) == (
        "Types: deb\nURIs: http://mirror.example.org/debian\nSuites: bookworm\n"
        "Components: main\nArchitectures: amd64\nSigned-By: /keys/debian-archive-keyring.gpg\n\n"
        "Types: deb\nURIs: http://mirror.example.org/debian-security\nSuites: bookworm-security\n"
        "Components: main\nArchitectures: amd64\nSigned-By: /keys/debian-archive-keyring.gpg\n"
    )


def test_sources_without_a_security_archive() -> None:
    text = sources_text("bookworm", Archive(PUBLIC_ARCHIVE, None, "x"), KEYRING)
    assert text.count("Types: deb") == 1
    assert "security" not in text


def test_setting() -> None:
    assert archive_of_setting("http://a/debian/").main == "http://a/debian"
    both = archive_of_setting("http://a/debian  http://a/debian-security/")
    assert (both.main, both.security) == ("http://a/debian", "http://a/debian-security")


@pytest.mark.parametrize("value", ["mirror.example.org", "http://a/debian b", "http://a http://b http://c"])
def test_malformed_setting(value: str) -> None:
    with pytest.raises(UsageError, match="RECLAIM_SUITE_DEBIAN_MIRROR is") as caught:
        archive_of_setting(value)
    assert "http://HOST/debian" in str(caught.value.next_step)


APT_GET = """\
#!/bin/sh
printf '%s\\n' "$*" >> "{log}"
case "$*" in
*--print-uris*) cat "{uris}" ;;
*update*) [ ! -e "{broken}" ] || {{ echo "E: The repository has no Release file" >&2; exit 100; }} ;;
esac
"""


class Host:
    """A PATH whose apt-get prints given addresses, and whose updates can fail."""

    def __init__(self, folder: Path) -> None:
        self.log, self.uris, self.broken = folder / "log", folder / "uris", folder / "broken"
        self.uris.write_text("")
        self.programs = folder / "bin"
        self.programs.mkdir()
        program = self.programs / "apt-get"
        program.write_text(APT_GET.format(log=self.log, uris=self.uris, broken=self.broken))
        program.chmod(0o755)
        for name in ("apt-cache", "dpkg-deb"):
            (self.programs / name).write_text("#!/bin/sh\n")
            (self.programs / name).chmod(0o755)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)
    monkeypatch.setenv("PATH", f"{made.programs}:{os.environ['PATH']}")
    monkeypatch.setenv("RECLAIM_SUITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECLAIM_SUITE_DEBIAN_MIRROR", raising=False)
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setattr(apt_suite, "KEYRINGS", (tmp_path / "absent.gpg", keyring))
    return made


def test_the_setting_goes_before_the_hosts_sources(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.uris.write_text(DEBIAN_13)
    assert choose_archive().main == "http://mirror.example.org/debian"
    monkeypatch.setenv("RECLAIM_SUITE_DEBIAN_MIRROR", "http://b/debian")
    assert choose_archive().main == "http://b/debian"


def test_ubuntu_host_asks_the_public_archive(host: Host) -> None:
    host.uris.write_text(UBUNTU)
    assert choose_archive() == Archive(PUBLIC_ARCHIVE, None, "Debian's public address")


def test_the_private_root(host: Host, tmp_path: Path) -> None:
    host.uris.write_text(DEBIAN_13)
    with open_suite("bookworm", lambda line: None) as apt:
        assert apt.suite == "bookworm"
    root = tmp_path / "cache" / "apt" / "bookworm"
    assert f"Signed-By: {tmp_path}/keyring.gpg" in (root / "debian.sources").read_text()
    assert (root / "apt.conf").read_text() == configuration_text(root)
    assert host.log.read_text().splitlines()[-1] == f"-c {root}/apt.conf update"


def test_no_keyring(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(apt_suite, "KEYRINGS", (tmp_path / "absent.gpg",))
    with (
        pytest.raises(HostError, match="lacks Debian's archive keyring") as caught,
        open_suite("bookworm", lambda line: None),
    ):
        pass
    assert caught.value.next_step == "apt-get install debian-archive-keyring"


def test_a_mirror_without_the_suite_is_named(host: Host) -> None:
    host.broken.touch()
    with (
        pytest.raises(
            HostError, match=rf"cannot fetch packages of bookworm from {PUBLIC_ARCHIVE} \(Debian's"
        ) as caught,
        open_suite("bookworm", lambda line: None),
    ):
        pass
    assert "no Release file" in caught.value.what
    assert "set RECLAIM_SUITE_DEBIAN_MIRROR" in str(caught.value.next_step)


def test_each_series_has_a_suite() -> None:
    assert SUITES[SERIES].isalpha()
