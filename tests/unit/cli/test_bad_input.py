"""Every command with bad input: one clear line, a non-zero status, no stack trace, no files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import analysis.cli
import android_tests.__main__ as devices
import harness.campaign.command as campaign
import harness.native.__main__ as native
import harness.variants.command as virtual
from analysis.judging.pipeline import judge

ROOT = Path(__file__).parents[3]
HANDICAP = ROOT / "findings" / "handicap"

#: Files and folders that are wrong in some way, by the name under which the tables have them.
BAD: dict[str, Callable[[Path], object]] = {
    "FILE": lambda path: path.write_text("x"),
    "EMPTY": lambda path: path.mkdir(),
    "EMPTY-TRACE": lambda path: path.write_bytes(b""),
    "GARBAGE-TRACE": lambda path: path.write_bytes(bytes(range(256)) * 20),
    "NOT-TOML.toml": lambda path: path.write_text("= = ="),
    "NOT-TEXT.toml": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "UNKNOWN-KEY.toml": lambda path: path.write_text('workloat = "app-switching"\n'),
    "NOT-JSON": lambda path: _results(path, "{"),
    "A-LIST": lambda path: _results(path, "[]"),
    "NO-PLAN": lambda path: _results(path, '{"schema_version": 1}'),
    "OTHER-FILES": lambda path: _of_another(path),
    "NO-BLOCK": lambda path: _damaged(path, "blocks/000*/block.json", "{}"),
    "NO-REP": lambda path: _damaged(path, "blocks/000*/rep-0/rep.json", "nonsense"),
    "GOOD": lambda path: judge(Path(shutil.copytree(HANDICAP, path))),
}

PHONES = ("--device", "phone", "--variant", "a=as-is", "--variant", "b=as-is")

PYTEST: list[tuple[tuple[str, ...], str]] = [
    (("--device", "phon"), "did you mean 'phone'?"),
    (("--fail-on", "x"), "known: regressed, none"),
    (("--variant", "x"), "has no kind"),
    (("--variant", "=stock", "--variant", "b=stock"), "cannot be used in a file name"),
    (("--variant", "a=stock", "--variant", "a=stock"), "two variants have the name 'a'"),
    (("--variant", "a=stock", "--variant", "b=kcompressd:thread=1"), "did you mean 'threads'?"),
    (("--variant", "a=stock", "--variant", "b=kcompressd:threads=x"), "is not an integer from 0 to 4"),
    (("--variant", "a=stock", "--variant", "b=kcompressd:threads=99"), "is not an integer from 0 to 4"),
    (
        ("--variant", "a=stock", "--variant", "b=kernel:image=/no,modules=/no"),
        "cannot read the kernel image",
    ),
    (
        ("--variant", "a=stock", "--variant", "b=kernel:image=FILE,modules=EMPTY"),
        "is neither a bzImage nor an arm64 Image",
    ),
    (("--variant", "a=stock", "--variant", "b=patch:NONE"), "NONE"),
    (("--scenario", ""), "no scenario given"),
    (("--pairs", "x"), "'x' is not an integer"),
    (("--pairs", "-1"), "--pairs must be 1 to 200, not -1"),
    (("--pairs", "201"), "--pairs must be 1 to 200, not 201"),
    (("--reps", "1.5"), "is not an integer"),
    (("--seed", "x"), "is not an integer"),
    (("--profile", "NONE.toml"), "no profile"),
    (("--profile", "NOT-TOML.toml"), "cannot be read"),
    (("--profile", "NOT-TEXT.toml"), "cannot be read"),
    (("--profile", "UNKNOWN-KEY.toml"), "did you mean workload?"),
    (("--campaign", "NONE.toml"), "NONE.toml"),
    (("--campaign", "NOT-TOML.toml"), "cannot be read"),
    (("--campaign", "UNKNOWN-KEY.toml"), "workload"),
    (("--virtual-cpus", "0"), "--virtual-cpus must be 1 to 64"),
    (("--virtual-cpus", "two"), "is not an integer"),
    (("--virtual-base", "6.12-arm46"), "did you mean '6.12-arm64'"),
    (("--virtual-memory-mb", "1"), "must be 96 to 1048576"),
    (("--virtual-memory-mb", "99999999"), "must be 96 to 1048576"),
    (("--virtual-kernel", "FILE"), "go together"),
    (("--virtual-kernel", "FILE", "--virtual-modules", "EMPTY"), "is neither a bzImage nor an arm64 Image"),
    ((*PHONES, "--adb-port", "99999"), "--adb-port must be 1 to 65535"),
    ((*PHONES, "--adb-port", "x"), "is not an integer"),
    (("--device", "phone", "--variant", "a=stock", "--variant", "b=as-is"), "has no kind 'stock'"),
    (("--results", "FILE"), "is a file, not a results folder"),
    (("--results", "FILE/below"), "is a file, not a results folder"),
    (("--results", "OTHER-FILES"), "holds other files"),
    (("--results", "NOT-JSON"), "campaign.json is damaged"),
    (("--results", "A-LIST"), "campaign.json is damaged"),
    (("--results", "NO-PLAN"), "campaign.json is damaged"),
    (("--results", ""), "holds other files"),
    (("--results", "/proc/results"), "cannot be written"),
]

MODULES: list[tuple[str, tuple[str, ...], str]] = [
    ("analysis", (), "command"),
    ("analysis", ("walk",), "invalid choice"),
    *(
        ("analysis", (command, folder), words)
        for command in ("report", "mail")
        for folder, words in (
            ("NONE", "NONE"),
            ("FILE", "FILE"),
            ("EMPTY", "campaign.json"),
            ("NOT-JSON", "campaign.json"),
            ("A-LIST", "campaign.json"),
            ("NO-PLAN", "campaign.json"),
            ("NO-BLOCK", "block.json"),
            ("NO-REP", "rep.json"),
        )
    ),
    ("analysis", ("report", "GOOD", "--engine", "/no/engine"), "/no/engine"),
    ("analysis", ("report", "GOOD", "more"), "more"),
    ("analysis", ("pack", "GOOD"), "FOLDER"),
    ("analysis", ("pack", "GOOD", "EMPTY"), "EMPTY"),
    ("analysis", ("pack", "GOOD", "FILE/below"), "FILE"),
    ("analysis", ("pack", "NONE", "out"), "NONE"),
    ("analysis", ("reference", "x"), "x"),
    ("analysis", ("open",), "see "),
    ("analysis", ("open", "NONE", "--no-browser"), "NONE"),
    ("analysis", ("open", "GARBAGE-TRACE", "--no-browser"), "GARBAGE-TRACE"),
    ("analysis", ("open", "EMPTY", "--no-browser"), "EMPTY"),
    ("analysis", ("notebook",), "see "),
    ("analysis", ("notebook", "NONE"), "NONE"),
    ("analysis", ("notebook", "NOT-JSON", "--run", "--into", "out.md"), "campaign.json"),
    ("analysis", ("metrics",), "no trace was given"),
    ("analysis", ("metrics", "NONE"), "NONE"),
    ("analysis", ("metrics", "EMPTY"), "EMPTY"),
    ("analysis", ("metrics", "EMPTY-TRACE"), "EMPTY-TRACE"),
    ("analysis", ("metrics", "GARBAGE-TRACE"), "GARBAGE-TRACE"),
    ("analysis", ("metrics", "--metric", "kswap_cpu_ms", "FILE"), "did you mean kswapd_cpu_ms?"),
    ("campaign", (), "list|show|run"),
    ("campaign", ("walk",), "invalid choice"),
    ("campaign", ("list", "more"), "more"),
    ("campaign", ("run",), "FILE"),
    ("campaign", ("run", ""), "campaign"),
    ("campaign", ("run", "NONE.toml"), "NONE.toml"),
    ("campaign", ("run", "NOT-TOML.toml"), "cannot be read"),
    ("campaign", ("run", "EMPTY"), "EMPTY"),
    ("campaign", ("run", "algorithms", "--leg", "lz5"), "did you mean 'lz4'"),
    ("campaign", ("run", "algorithms", "--pairs", "0"), "--pairs must be 1 to 200"),
    ("campaign", ("run", "algorithms", "--pairs", "x"), "'x' is not an integer"),
    ("campaign", ("run", "algorithms", "--results", "FILE"), "is a file"),
    ("campaign", ("run", "reviewers", "--results", "/proc/x"), "cannot be written"),
    ("campaign", ("run", "reviewers", "--results", "NO-PLAN"), "missing required field"),
    ("virtual", (), "prepare|boot"),
    ("virtual", ("walk",), "invalid choice"),
    ("virtual", ("prepare", "more"), "more"),
    ("virtual", ("prepare", "--base", "6.12-amd6"), "did you mean '6.12-amd64'?"),
    ("virtual", ("boot", "--base", "6.12"), "there is no base '6.12'"),
    ("virtual", ("boot", "--variant", "stok"), "did you mean 'stock'"),
    ("virtual", ("boot", "--cpus", "0"), "0 CPUs"),
    ("virtual", ("boot", "--cpus", "x"), "invalid int value"),
    ("virtual", ("boot", "--memory-mb", "1"), "1 MB"),
    ("virtual", ("boot", "--accel", "x"), "invalid choice"),
    ("virtual", ("boot", "--workdir", "FILE"), "cannot be created"),
    ("virtual", ("boot", "--workdir", "/proc/x"), "cannot be created"),
    ("native", ("more",), "more"),
    ("devices", (), "doctor|survey|restore"),
    ("devices", ("docter",), "invalid choice"),
    ("devices", ("doctor", "--adb-port", "x"), "'x' is not an integer"),
    ("devices", ("doctor", "--adb-port", "99999"), "99999"),
    ("devices", ("doctor", "--adb-port", "1"), "no adb server answers"),
    ("devices", ("doctor", "--lab", "NONE.toml"), "NONE.toml"),
    ("devices", ("doctor", "--virtual-base", "6.12-amd64"), "--virtual-base is for a virtual device"),
    ("devices", ("doctor", "--device=virtual", "--serial", "x"), "--serial is for a phone"),
    ("devices", ("doctor", "--device=virtual", "--virtual-base", "6.12-amd46"), "6.12-amd64"),
    ("devices", ("doctor", "--device=virtual", "--virtual-clock", "hosts"), "did you mean 'host'"),
    ("devices", ("doctor", "--lab", "NOT-TOML.toml"), "cannot be read"),
    ("devices", ("survey", "--watch-minutes", "x"), "invalid"),
    ("devices", ("survey", "--watch-minutes", "999"), "0 to 120"),
    ("devices", ("survey", "--may-lose-swap"), "--may-lose-swap needs --may-change"),
    ("devices", ("restore", "--lab", "NOT-TEXT.toml"), "cannot be read"),
]

ENTRANCES: dict[str, Callable[[Sequence[str]], int]] = {
    "analysis": analysis.cli.main,
    "campaign": campaign.main,
    "virtual": lambda words: virtual.main(list(words)),
    "native": native.main,
    "devices": devices.main,
}

#: Many command lines in one process, each through pytest's own entrance.
DRIVER = """
import contextlib, io, json, sys
import pytest
said = []
for words in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = int(pytest.main(["android_tests", "-p", "no:cacheprovider", *words]))
    said.append([status, out.getvalue(), err.getvalue()])
json.dump(said, sys.__stdout__)
"""


def _results(path: Path, campaign_json: str) -> None:
    path.mkdir()
    (path / "campaign.json").write_text(campaign_json)


def _of_another(path: Path) -> None:
    path.mkdir()
    (path / "thesis.tex").touch()


def _damaged(path: Path, pattern: str, content: str) -> None:
    shutil.copytree(HANDICAP, path)
    next(path.glob(pattern)).write_text(content)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    for name, make in BAD.items():
        make(folder / name)
    return folder


def placed(words: Sequence[str], bad: Path) -> list[str]:
    """``words`` with the names of what is bad as paths."""
    known = sorted((*BAD, "NONE.toml", "NONE"), key=len, reverse=True)
    any_name = re.compile(rf"(?<![\w.-])({'|'.join(map(re.escape, known))})(?![\w-])")
    return [any_name.sub(lambda found: str(bad / found[1]), word) for word in words]


def is_one_clear_line(err: str, words: str) -> None:
    assert len(err.splitlines()) == 1, err
    assert words in err
    assert "Traceback" not in err


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(("entrance", "words", "said"), MODULES, ids=lambda value: str(value)[:60])
def test_a_program_says_one_line(
    entrance: str,
    words: tuple[str, ...],
    said: str,
    bad: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = listing(bad)
    try:
        status = ENTRANCES[entrance](placed(words, bad))
    except SystemExit as ended:
        status = int(ended.code or 0)
    shown = capsys.readouterr()
    assert status not in (0, None)
    assert shown.out == ""
    is_one_clear_line(shown.err, said)
    assert listing(bad) == before
    assert listing(tmp_path) == []


def test_pytest_says_one_line_for_each_bad_option(bad: Path, tmp_path: Path) -> None:
    before = listing(bad)
    lines = []
    for words, _ in PYTEST:
        results = [] if "--results" in words else ["--results", str(tmp_path / "r")]
        lines.append([*placed(words, bad), *results])
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps(lines),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for (words, said), (status, out, err) in zip(PYTEST, json.loads(done.stdout), strict=True):
        assert status == pytest.ExitCode.USAGE_ERROR, (words, out, err)
        assert out == "", words
        is_one_clear_line(err.strip(), said)
    assert listing(bad) == before
    assert not (tmp_path / "r").exists()
