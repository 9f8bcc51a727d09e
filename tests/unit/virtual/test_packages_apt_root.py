"""The private apt root: which archive it asks on which host, what it writes, what it says without one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foundation.errors import HostError, UsageError
from harness.virtual.base import BASES
from harness.virtual.kernels.debian import SUITES
from harness.virtual.packages import archive as archive_module
from harness.virtual.packages.apt_root import (
    AptRoot,
    configuration_text,
    has_security,
    open_root,
    sources_text,
)
from harness.virtual.packages.archive import (
    PUBLIC_ARCHIVE,
    Archive,
    archive_of_setting,
    archive_of_sources,
    choose_archive,
)

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
    assert sources_text(("trixie", "forky", "sid"), "aarch64", archive, KEYRING) == (
        "Types: deb\nURIs: http://mirror.example.org/debian\nSuites: trixie forky sid\n"
        "Components: main\nArchitectures: arm64\nSigned-By: /keys/debian-archive-keyring.gpg\n\n"
        "Types: deb\nURIs: http://mirror.example.org/debian-security\n"
        "Suites: trixie-security forky-security\n"
        "Components: main\nArchitectures: arm64\nSigned-By: /keys/debian-archive-keyring.gpg\n"
    )


def test_sources_without_a_security_archive() -> None:
    text = sources_text(("bookworm",), "x86_64", Archive(PUBLIC_ARCHIVE, None, "x"), KEYRING)
    assert text.count("Types: deb") == 1
    assert "security" not in text
    assert "Architectures: amd64" in text


@pytest.mark.parametrize(
    ("suite", "secured"), [("trixie", True), ("forky", True), ("sid", False), ("bookworm-backports", False)]
)
def test_suites_with_a_security_suite(suite: str, secured: bool) -> None:
    assert has_security(suite) is secured


def test_setting() -> None:
    assert archive_of_setting("http://a/debian/").main == "http://a/debian"
    both = archive_of_setting("http://a/debian  http://a/debian-security/")
    assert (both.main, both.security) == ("http://a/debian", "http://a/debian-security")


@pytest.mark.parametrize("value", ["mirror.example.org", "http://a/debian b", "http://a http://b http://c"])
def test_malformed_setting(value: str) -> None:
    with pytest.raises(UsageError, match="RECLAIM_SUITE_DEBIAN_MIRROR is") as caught:
        archive_of_setting(value)
    assert "http://HOST/debian" in str(caught.value.next_step)


APT_CACHE = """\
#!/bin/sh
printf '%s\\n' "$*" >> "{log}"
case "$*" in
*madison*) cat "{answers}/madison" ;;
*) cat "{answers}/show" ;;
esac
"""
APT_GET = """\
#!/bin/sh
printf '%s\\n' "$*" >> "{log}"
case "$*" in
*--print-uris*) cat "{uris}" ;;
*--simulate*) cat "{answers}/install" ;;
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
        self.answers = folder / "answers"
        self.answers.mkdir()
        places = {"log": self.log, "uris": self.uris, "broken": self.broken, "answers": self.answers}
        for name, text in (("apt-get", APT_GET), ("apt-cache", APT_CACHE), ("dpkg-deb", "#!/bin/sh\n")):
            (self.programs / name).write_text(text.format(**places))
            (self.programs / name).chmod(0o755)

    def answer(self, install: str, show: str, madison: str) -> None:
        """What apt-get --simulate and apt-cache will print."""
        for name, text in (("install", install), ("show", show), ("madison", madison)):
            (self.answers / name).write_text(text)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)
    monkeypatch.setenv("PATH", f"{made.programs}:{os.environ['PATH']}")
    monkeypatch.setenv("RECLAIM_SUITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECLAIM_SUITE_DEBIAN_MIRROR", raising=False)
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setattr(archive_module, "KEYRINGS", (tmp_path / "absent.gpg", keyring))
    return made


def test_the_setting_goes_before_the_hosts_sources(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.uris.write_text(DEBIAN_13)
    assert choose_archive().main == "http://mirror.example.org/debian"
    monkeypatch.setenv("RECLAIM_SUITE_DEBIAN_MIRROR", "http://b/debian")
    assert choose_archive().main == "http://b/debian"


def test_ubuntu_host_asks_the_public_archive(host: Host) -> None:
    host.uris.write_text(UBUNTU)
    assert choose_archive() == Archive(PUBLIC_ARCHIVE, None, "Debian's public address")


def quiet(line: str) -> None:
    """Drop a progress line."""


def test_the_private_root(host: Host, tmp_path: Path) -> None:
    host.uris.write_text(DEBIAN_13)
    with open_root(("trixie", "forky"), "aarch64", quiet) as apt:
        assert apt.suites == ("trixie", "forky")
    root = tmp_path / "cache" / "apt" / "trixie+forky-arm64"
    assert f"Signed-By: {tmp_path}/keyring.gpg" in (root / "debian.sources").read_text()
    assert (root / "apt.conf").read_text() == configuration_text(root, "trixie", "aarch64")
    assert host.log.read_text().splitlines()[-1] == f"-c {root}/apt.conf update"


def test_the_guests_architecture_is_the_only_one() -> None:
    text = configuration_text(Path("/r"), "trixie", "aarch64")
    assert 'APT::Architecture "arm64";' in text
    assert "#clear APT::Architectures;\nAPT::Architecture" in text
    assert 'APT::Default-Release "/^trixie(-security)?$/";' in text


def record(name: str, version: str, depends: str, sha256: str = "AB") -> str:
    return (
        f"Package: {name}\nVersion: {version}\nArchitecture: arm64\nInstalled-Size: 10\n"
        f"Depends: {depends}\nSize: 1000\nSHA256: {sha256}\n\n"
    )


INSTALL = """\
Reading package lists...
The following NEW packages will be installed:
  adduser libc6 libz1 tool
Inst libc6 (2.41-12 Debian:13.8/stable [arm64]) []
Inst passwd (4.17-2 Debian:13.8/stable [arm64])
Inst adduser (3.152 Debian:13.8/stable [all])
Inst libz1 (1:1.3+x-1 Debian:13.8/stable, Debian-Security:13/stable-security [arm64])
Inst tool (56.0-1 Debian:testing, Debian:unstable [arm64])
Conf libc6 (2.41-12 Debian:13.8/stable [arm64])
"""
SHOW = (
    record("libc6", "2.41-12", "libgcc-s1")
    + record("passwd", "4.17-2", "libc6")
    + record("adduser", "3.152", "passwd")
    + record("libz1", "1:1.3+x-1", "libc6 (>= 2.38)", "CD")
    + record("tool", "56.0-1", "adduser, libz1 (>= 1:1.1), libc6 (>= 2.38), awk | mawk")
)
MADISON = """\
     libz1 | 1:1.3+x-1 | http://m/debian-security trixie-security/main arm64 Packages
     libz1 | 1:1.2 | http://m/debian trixie/main arm64 Packages
     libc6 |  2.41-12 | http://m/debian-security trixie-security/main arm64 Packages
     libc6 |  2.41-12 | http://m/debian trixie/main arm64 Packages
tool:arm64 |     56.0-1 | http://m/debian forky/main arm64 Packages
"""


@pytest.fixture
def apt(host: Host, tmp_path: Path) -> AptRoot:
    host.answer(INSTALL, SHOW, MADISON)
    return AptRoot(("trixie", "forky"), "aarch64", tmp_path / "root", Archive("http://m/debian", None, "x"))


def test_closure_is_what_apt_resolves_less_what_only_scripts_need(apt: AptRoot, host: Host) -> None:
    found = apt.closure(["tool/forky"], without=["adduser"])
    assert [(p.name, p.version, p.suite) for p in found] == [
        ("libc6", "2.41-12", "trixie"),
        ("libz1", "1:1.3+x-1", "trixie-security"),
        ("tool", "56.0-1", "forky"),
    ]
    calls = host.log.read_text()
    assert "--no-install-recommends install tool/forky\n" in calls
    assert "show libc6=2.41-12 passwd=4.17-2 adduser=3.152 libz1=1:1.3+x-1 tool=56.0-1\n" in calls


def test_a_fact_has_what_a_result_records(apt: AptRoot) -> None:
    (libz,) = (p for p in apt.closure(["tool/forky"], without=["adduser"]) if p.name == "libz1")
    fact = libz.fact
    assert (fact.name, fact.version, fact.arch, fact.suite, fact.sha256) == (
        "libz1",
        "1:1.3+x-1",
        "arm64",
        "trixie-security",
        "cd",
    )


def test_absent_package(apt: AptRoot, host: Host) -> None:
    host.answer("", "", "")
    with pytest.raises(HostError, match=r"trixie, forky \(arm64\) has no package nothing"):
        apt.show("nothing")


def test_no_keyring(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(archive_module, "KEYRINGS", (tmp_path / "absent.gpg",))
    with (
        pytest.raises(HostError, match="lacks Debian's archive keyring") as caught,
        open_root(("bookworm",), "x86_64", quiet),
    ):
        pass
    assert caught.value.next_step == "apt-get install debian-archive-keyring"


def test_a_mirror_without_the_suite_is_named(host: Host) -> None:
    host.broken.touch()
    with (
        pytest.raises(
            HostError,
            match=rf"cannot fetch packages of bookworm \(amd64\) from {PUBLIC_ARCHIVE} \(Debian's",
        ) as caught,
        open_root(("bookworm",), "x86_64", quiet),
    ):
        pass
    assert "no Release file" in caught.value.what
    assert "set RECLAIM_SUITE_DEBIAN_MIRROR" in str(caught.value.next_step)


def test_each_series_has_a_suite() -> None:
    assert {base.series for base in BASES} == set(SUITES)
