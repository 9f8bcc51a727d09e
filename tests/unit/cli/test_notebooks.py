"""Notebooks have no outputs in the repository, run from top to bottom, and report bad input in one line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from analysis.cli import main
from analysis.notebooks.command import make
from analysis.notebooks.running import NOTEBOOKS, filled, notebook_for, run
from foundation.errors import UsageError
from tests.unit.golden.builder import MS
from tests.unit.golden.reading import of_suite, write

_ROOT = Path(__file__).parents[3]
_FOLDER = _ROOT / "analysis" / "notebooks"
_FINDINGS = _ROOT / "findings"


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(_FINDINGS, tmp_path_factory.mktemp("notebooks") / "findings"))


@pytest.mark.parametrize("file", sorted(_FOLDER.glob("*.ipynb")), ids=lambda file: file.stem)
def test_no_output_is_in_the_repository_and_no_logic(file: Path) -> None:
    assert file.stem in NOTEBOOKS
    text = file.read_text(encoding="utf-8")
    book = nbformat.reads(text, as_version=4)
    nbformat.validate(book)
    assert text == nbformat.writes(book) + "\n"
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    for cell in code:
        assert cell.outputs == []
        assert cell.execution_count is None
        for word in ("def ", "class ", "lambda", "while ", "    for "):
            assert word not in cell.source, cell.source
    assert code[0].metadata["tags"] == ["parameters"]
    assert str(_ROOT) not in text


def _outputs(book: object, kind: str) -> int:
    return sum(kind in output.get("data", {}) for cell in book.cells for output in cell.get("outputs", ()))  # type: ignore[attr-defined]


def test_a_trace(tmp_path: Path) -> None:
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.kswapd_awake(50, 1300 * MS, 1320 * MS)
    builder.direct_reclaim(70, 1315 * MS, 1330 * MS)
    builder.switch("com.example.app", 1300 * MS, 1400 * MS, index=3, launch_state="HOT", total_time_ms=80.0)
    builder.capture()
    trace = write(tmp_path, builder.build())
    into = tmp_path / "a notebook.ipynb"
    assert make([trace], into, execute=True) == into
    book = nbformat.read(into, as_version=4)
    nbformat.validate(book)
    assert _outputs(book, "application/vnd.plotly.v1+json") == 3
    assert "com.example.app" in json.dumps(book)
    assert all(cell.execution_count for cell in book.cells if cell.cell_type == "code")


def test_several_campaigns(findings: Path) -> None:
    name, parameters = notebook_for([findings / "zram-level", findings / "handicap"])
    book = filled(name, parameters)
    run(book)
    assert _outputs(book, "application/vnd.plotly.v1+json") == 1
    assert "handicap" in json.dumps([cell.get("outputs") for cell in book.cells])


def test_the_page_in_the_docs_is_what_the_notebook_says(findings: Path, tmp_path: Path) -> None:
    page = make([findings / "zram-level"], tmp_path / "campaign.md", execute=True)
    published = _ROOT / "docs" / "notebooks" / "campaign.md"
    assert published.read_text(encoding="utf-8") == page.read_text(encoding="utf-8")
    pictures = {
        line.partition("](")[2].rstrip(")") for line in page.read_text().splitlines() if "![" in line
    }
    assert pictures == {file.name for file in published.parent.glob("campaign-*.png")}
    assert pictures


def test_what_fails_in_a_cell_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(b"nonsense " * 100)
    assert main(["notebook", str(bad), "--run", "--into", str(tmp_path / "out.ipynb")]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "TraceError" in said[0]
    assert not (tmp_path / "out.ipynb").exists()


def test_nothing_is_overwritten_and_paths_must_fit(tmp_path: Path) -> None:
    file = tmp_path / "trace"
    file.write_bytes(b"x")
    into = tmp_path / "there.ipynb"
    into.write_text("mine")
    with pytest.raises(UsageError, match="already exists"):
        make([file], into, execute=False)
    assert into.read_text() == "mine"
    with pytest.raises(UsageError, match="add --run"):
        make([file], tmp_path / "page.md", execute=False)
    with pytest.raises(UsageError, match=r"neither \.ipynb nor \.md"):
        make([file], tmp_path / "page.html", execute=False)
    with pytest.raises(UsageError, match="does not exist"):
        notebook_for([tmp_path / "absent"])
    with pytest.raises(UsageError, match="not all of them folders"):
        notebook_for([file, tmp_path])


def test_a_notebook_is_written_for_jupyter_elsewhere(tmp_path: Path) -> None:
    code = (
        "import importlib.util\n"
        "found, absent = importlib.util.find_spec, ('jupyterlab', 'notebook')\n"
        "importlib.util.find_spec = lambda name: None if name in absent else found(name)\n"
        "from analysis.cli import main\n"
        f"sys.exit(main(['notebook', {str(_FINDINGS / 'handicap')!r}, '--into', 'mine.ipynb']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(_ROOT)!r})\n{code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "mine.ipynb" in done.stdout
    book = nbformat.read(tmp_path / "mine.ipynb", as_version=4)
    (given,) = [cell.source for cell in book.cells if cell.id == "injected"]
    assert f"suite = {str(_ROOT)!r}" in given
    assert "handicap" in given
