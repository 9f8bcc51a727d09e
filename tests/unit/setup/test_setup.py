"""setup/setup.sh as a process, on systems that fake programs on PATH stand for."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TABLE = (ROOT / "setup" / "debian-packages.txt").read_text()
ENTRIES = [line.split()[0] for line in TABLE.splitlines() if line and not line.startswith("#")]
#: The same in all systems.
PLAIN = [entry for entry in ENTRIES if "|" not in entry and "?" not in entry]
OF_SYSTEM = {
    "Debian 12": [*PLAIN, "libelf1", "libssl3", "chromium"],
    "Debian 13": [*PLAIN, "libelf1t64", "libssl3t64", "chromium"],
    "Ubuntu 24.04": [*PLAIN, "libelf1t64", "libssl3t64"],
}
TOOLS = (
    "sh",
    "cat",
    "sed",
    "awk",
    "tr",
    "dirname",
    "cut",
    "sha256sum",
    "grep",
    "rm",
    "mkdir",
    "chmod",
    "touch",
)

DPKG_QUERY = 'for name; do :; done\ngrep -qx "$name" "{installed}" && printf "ii "'
APT_CACHE = 'if grep -qx "$2" "{known}"; then echo "  Candidate: 1"; else echo "  Candidate: (none)"; fi'
APT_GET = 'echo "apt-get $*" >> "{log}"\ncase "$1" in install) {installs} ;; esac'
PYTHON = """\
case "$*" in
-V) echo "Python {version}" ;;
*version_info*) exit {old} ;;
*ensurepip*) exit {without_venv} ;;
"-m venv .venv")
    echo "{name} -m venv" >> "{log}"
    mkdir -p .venv/bin
    printf '#!/bin/sh\\necho "venv $*" >> "{log}"\\n{in_venv}\\n' > .venv/bin/python
    chmod +x .venv/bin/python ;;
esac
"""


@dataclass
class System:
    """A checkout with setup.sh, and a PATH that holds nothing but the fakes and plain tools."""

    root: Path
    known: list[str]
    installed: list[str] = field(default_factory=list)
    uid: int = 0

    def __post_init__(self) -> None:
        self.bin, self.log = self.root / "bin", self.root / "log"
        self.checkout = self.root / "suite"
        self.bin.mkdir()
        (self.checkout / "setup").mkdir(parents=True)
        self.log.touch()
        for name in ("setup.sh", "debian-packages.txt"):
            shutil.copy(ROOT / "setup" / name, self.checkout / "setup" / name)
        for name in ("requirements.txt", "requirements-docs.txt"):
            (self.checkout / name).write_text("")
        for name in TOOLS:
            found = shutil.which(name)
            assert found is not None
            (self.bin / name).symlink_to(found)
        self.program("dpkg-query", DPKG_QUERY.format(installed=self.root / "installed"))
        self.program("apt-cache", APT_CACHE.format(known=self.root / "known"))
        self.apt_get()

    def program(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def apt_get(self, installs: str = ":") -> None:
        self.program("apt-get", APT_GET.format(log=self.log, installs=installs))

    def python(self, name: str, version: str, *, venv: bool = True, in_venv: str = "") -> None:
        old = tuple(map(int, version.split("."))) < (3, 11)
        self.program(
            name,
            PYTHON.format(
                name=name,
                version=version,
                old=int(old),
                without_venv=int(not venv),
                log=self.log,
                in_venv=in_venv,
            ),
        )

    def run(self) -> subprocess.CompletedProcess[str]:
        (self.root / "known").write_text("\n".join(self.known) + "\n")
        (self.root / "installed").write_text("\n".join(self.installed) + "\n")
        self.program("id", f"echo {self.uid}")
        return subprocess.run(
            ["/bin/sh", str(self.checkout / "setup" / "setup.sh")],
            env={"PATH": str(self.bin)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def steps(self) -> list[str]:
        return self.log.read_text().splitlines()


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The only line that a failed setup wrote to stderr."""
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("name", OF_SYSTEM)
def test_packages_of_each_system(name: str, tmp_path: Path) -> None:
    system = System(tmp_path, known=OF_SYSTEM[name])
    system.python("python3", "3.13.5")
    assert system.run().returncode == 0
    installs = [step for step in system.steps if step.startswith("apt-get install")]
    assert len(installs) == 1
    asked = installs[0].split("--no-install-recommends ")[1].split()
    # This Python brings its venv.
    assert sorted(asked) == sorted(set(OF_SYSTEM[name]) - {"python3-venv"})


@pytest.mark.parametrize("name", OF_SYSTEM)
def test_what_is_there_is_not_installed(name: str, tmp_path: Path) -> None:
    system = System(tmp_path, known=[], installed=OF_SYSTEM[name])
    system.python("python3", "3.11.2")
    done = system.run()
    assert done.returncode == 0, done.stderr
    assert not [step for step in system.steps if step.startswith("apt-get install")]
    assert system.steps[-2:] == ["venv -m harness.native", "venv -m android_tests.virtual prepare"]


def test_a_second_run_makes_no_environment(tmp_path: Path) -> None:
    system = System(tmp_path, known=[], installed=OF_SYSTEM["Debian 13"])
    system.python("python3", "3.13.5")
    assert system.run().returncode == 0
    assert system.run().returncode == 0
    assert system.steps.count("python3 -m venv") == 1
    system.python("python3", "3.14.1")
    assert system.run().returncode == 0
    assert system.steps.count("python3 -m venv") == 2


def test_a_system_without_python_gets_its_own(tmp_path: Path) -> None:
    system = System(tmp_path, known=OF_SYSTEM["Debian 13"])
    new = tmp_path / "new-python"
    system.python("python3", "3.13.5")
    (system.bin / "python3").rename(new)
    system.apt_get(installs=f'cat "{new}" > "{system.bin}/python3"; chmod +x "{system.bin}/python3"')
    done = system.run()
    assert done.returncode == 0, done.stderr
    assert "python3-venv" in next(step for step in system.steps if "install" in step).split()


def test_without_root_one_line(tmp_path: Path) -> None:
    system = System(tmp_path, known=OF_SYSTEM["Ubuntu 24.04"], uid=1000)
    system.installed = [name for name in PLAIN if name not in ("gcc-12", "debian-archive-keyring")]
    system.python("python3", "3.12.3")
    said = one_line(system.run())
    wanted = " gcc-12 libelf1t64 libssl3t64 debian-archive-keyring"
    assert said == (
        f"setup: missing packages:{wanted} -> as root: apt-get install -y --no-install-recommends{wanted}"
    )
    assert system.steps == []


def test_a_package_that_apt_does_not_know(tmp_path: Path) -> None:
    known = [name for name in OF_SYSTEM["Ubuntu 24.04"] if name not in ("mksh", "gcc-12")]
    system = System(tmp_path, known=known)
    system.python("python3", "3.12.3")
    assert "apt does not know gcc-12 mksh -> enable" in one_line(system.run())


def test_no_dpkg(tmp_path: Path) -> None:
    system = System(tmp_path, known=[])
    (system.bin / "dpkg-query").unlink()
    system.python("python3", "3.12.3")
    said = one_line(system.run())
    assert "this system has no dpkg" in said
    assert " libelf1t64 libssl3t64 " in said
    assert "?" not in said


def test_python_too_old(tmp_path: Path) -> None:
    system = System(tmp_path, known=OF_SYSTEM["Debian 12"])
    system.python("python3", "3.10.12")
    said = one_line(system.run())
    assert "the suite needs Python 3.11 or newer, python3 is Python 3.10.12 -> " in said
    assert system.steps == []


def test_another_python_on_path(tmp_path: Path) -> None:
    system = System(tmp_path, known=[], installed=OF_SYSTEM["Debian 12"])
    system.python("python3", "3.10.12")
    system.python("python3.11", "3.11.9", venv=False)
    system.python("python3.13", "3.13.1")
    assert system.run().returncode == 0
    assert "python3.13 -m venv" in system.steps


def test_no_python_with_venv(tmp_path: Path) -> None:
    system = System(tmp_path, known=[], installed=OF_SYSTEM["Debian 12"])
    system.python("python3", "3.10.12")
    system.python("python3.12", "3.12.9", venv=False)
    assert "with venv; without it: python3.12 -> install" in one_line(system.run())


def test_without_a_chromium_package_playwright_is_asked_once(tmp_path: Path) -> None:
    system = System(tmp_path, known=[], installed=OF_SYSTEM["Ubuntu 24.04"])
    system.python("python3", "3.12.3", in_venv='case "$*" in *playwright*) exit 1 ;; esac')
    done = system.run()
    assert done.returncode == 0, done.stderr
    assert "venv -m playwright install --with-deps --only-shell chromium" in system.steps
    assert "no Chromium (see .venv/chromium.log)" in done.stdout
    before = len(system.steps)
    assert system.run().returncode == 0
    assert not [step for step in system.steps[before:] if "playwright" in step or "apt-get" in step]


def test_chrome_serves_as_chromium(tmp_path: Path) -> None:
    system = System(tmp_path, known=[], installed=OF_SYSTEM["Ubuntu 24.04"])
    system.python("python3", "3.12.3")
    system.program("google-chrome", "")
    assert system.run().returncode == 0
    assert not [step for step in system.steps if "playwright" in step]
