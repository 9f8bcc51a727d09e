"""Pages of the documentation as programs: their commands are run, their files written, their changes made.

Before each shell fence stands how it is checked:

``<!-- run: as-is -->``    run as it stands, and must succeed
``<!-- run: fails -->``    run as it stands, and must fail with one line on stderr
``<!-- run: dry-run -->``  takes minutes: with ``--dry-run`` (``make -n``) instead
``<!-- run: phone -->``    needs a phone: as dry-run where that needs none, else only read by the shell
``<!-- run: long -->``     has no dry run: its program must know its commands and options

A word that stands for something of the reader's is replaced by `STANDS_FOR`.

Fences with a ``title`` are files: ``python`` and ``toml`` are written, ``diff`` is applied. A diff
here has no line numbers: parts are separated by ``@@``, and what stands in a part (without its
``+`` lines) must occur exactly once. A line that ends in ``...`` stands for the rest of its line.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MODES: Final = ("as-is", "fails", "dry-run", "phone", "long")
SHELLS: Final = ("sh", "bash", "shell", "console")
#: What a reader puts in -> what the tests put in.
STANDS_FOR: Final = {
    "results/<campaign>": "results/first",
    "TRACE...": "golden.perfetto-trace",
    "/path/bzImage": "own-kernel/bzImage",
    "/path/modules": "own-kernel/modules",
}

_MARK: Final = re.compile(r"<!-- run: ([a-z-]+) -->")
_FENCE: Final = re.compile(r"```(\w*)(.*)")
_TITLE: Final = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Fence:
    """A block of code; ``mark`` is what the comment before it says, ``line`` counts from 1."""

    page: Path
    line: int
    language: str
    title: str | None
    mark: str | None
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.name}:{self.line}"


def fences_of(page: Path) -> list[Fence]:
    """All fences of a page, in order."""
    found: list[Fence] = []
    last = ""
    opened: tuple[int, str, str | None, str | None] | None = None
    body: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").split("\n"), 1):
        if opened is not None:
            if line == "```":
                found.append(Fence(page, *opened, "\n".join(body) + "\n"))
                opened, body, last = None, [], ""
            else:
                body.append(line)
            continue
        if start := _FENCE.fullmatch(line):
            mark, title = _MARK.fullmatch(last), _TITLE.search(start[2])
            opened = (number, start[1], title[1] if title else None, mark[1] if mark else None)
        elif line.strip():
            last = line.strip()
    assert opened is None, f"{page}: the fence of line {opened[0]} never ends"
    return found


class Reader:
    """Does what a page says, in ``root``, a copy of the suite with ``.venv`` in it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def follow(self, fence: Fence) -> None:
        """AssertionError naming page and line where something does not go as the page says."""
        if fence.language in SHELLS:
            self._shell(fence)
        elif fence.title is not None and fence.language == "diff":
            self._change(fence)
        elif fence.title is not None:
            path = self._root / fence.title
            assert not path.exists(), f"{fence.where}: {fence.title} is there already"
            path.write_text(fence.text, encoding="utf-8")

    def _shell(self, fence: Fence) -> None:
        assert fence.mark in MODES, f"{fence.where}: no mark, or none that is known, before a shell fence"
        text = fence.text
        for shown, real in STANDS_FOR.items():
            text = text.replace(shown, real)
        if fence.mark == "as-is":
            self._must(fence, text)
            return
        if fence.mark == "fails":
            done = self._run(text)
            assert done.returncode != 0, f"{fence.where}: did not fail"
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            assert len(lines) == 1, f"{fence.where}: {done.stderr}"
            return
        for command in _commands(text):
            self._in_short(fence, shlex.split(command, comments=True))

    def _in_short(self, fence: Fence, words: list[str]) -> None:
        """Check a command that cannot be run here as it stands."""
        short = _dry(words)
        if short is not None:
            self._must(fence, shlex.join(short))
        elif words[0].endswith("python") and fence.mark != "dry-run":
            self._knows(fence, words)
        else:
            assert fence.mark == "phone", f"{fence.where}: {words} has no dry run"
            self._must(fence, f"if false; then {shlex.join(words)}; fi")

    def _knows(self, fence: Fence, words: list[str]) -> None:
        """The program's help must name every subcommand and option that is used."""
        assert words[1] == "-m", f"{fence.where}: {words}"
        commands = [word for word in words[3:4] if not word.startswith("-")]
        done = self._run(shlex.join([*words[:3], *commands, "--help"]))
        assert done.returncode == 0, f"{fence.where}: {done.stderr}"
        for word in words[3:]:
            option = word.partition("=")[0]
            if option.startswith("--"):
                assert option in done.stdout, f"{fence.where}: {option} is not known"

    def _change(self, fence: Fence) -> None:
        assert fence.title is not None
        path = self._root / fence.title
        content = path.read_text(encoding="utf-8")
        for part in re.split(r"^@@\n", fence.text, flags=re.MULTILINE):
            content = _changed(content, part.splitlines(), fence)
        path.write_text(content, encoding="utf-8")

    def _must(self, fence: Fence, text: str) -> None:
        done = self._run(text)
        assert done.returncode == 0, f"{fence.where}: {text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"

    def _run(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", text],
            cwd=self._root,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def _commands(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if shlex.split(line, comments=True)]


def _dry(words: list[str]) -> list[str] | None:
    """The command without its work, or None where there is no such form."""
    if words[0] == "make":
        return ["make", "-n", *words[1:]]
    asks = words[1:3] == ["-m", "pytest"] and any(word.startswith("android_tests") for word in words)
    if asks or words[1:4] == ["-m", "android_tests.campaign", "run"]:
        return [*words, "--dry-run"]
    return None


def _changed(content: str, part: list[str], fence: Fence) -> str:
    old = [line[1:] for line in part if not line.startswith("+")]
    pattern = "".join(
        rf"{re.escape(line.removesuffix('...'))}(?P<rest{number}>.*)\n"
        if line.endswith("...")
        else re.escape(line) + "\n"
        for number, line in enumerate(old)
    )
    found = list(re.finditer(f"^{pattern}", content, flags=re.MULTILINE))
    assert len(found) == 1, f"{fence.where}: {fence.title} has {len(found)} times:\n" + "\n".join(old)
    rests = [rest for rest in found[0].groups() if rest is not None]
    new = [line[1:] for line in part if not line.startswith("-")]
    lines = [
        line.removesuffix("...") + rests[0] if line.endswith("...") and rests else line for line in new
    ]
    return content[: found[0].start()] + "".join(f"{line}\n" for line in lines) + content[found[0].end() :]
