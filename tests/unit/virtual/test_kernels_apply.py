"""Applying a patch with the real patch program, to a small tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import UsageError
from harness.virtual.kernels.built.apply import apply_patch, failure
from harness.virtual.kernels.built.patch_file import read_patch

LINES = [f"line {number}\n" for number in range(1, 41)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source" / "mm").mkdir(parents=True)
    (tmp_path / "source" / "mm" / "one.c").write_text("".join(LINES))
    (tmp_path / "source" / "mm" / "old.c").write_text("gone soon\n")
    return tmp_path / "source"


def hunk(line: int, old: str, new: str, *, before: str | None = None) -> str:
    above = before or f"line {line - 1}"
    return f"@@ -{line - 1},3 +{line - 1},3 @@\n {above}\n-{old}\n+{new}\n line {line + 1}\n"


def change(*hunks: str) -> str:
    return "--- a/mm/one.c\n+++ b/mm/one.c\n" + "".join(hunks)


def mail(subject: str, diff: str) -> str:
    return f"From 0123 Mon Sep 17 00:00:00 2001\nFrom: A <a@example.org>\nSubject: {subject}\n\n{diff}\n"


def applied(source: Path, tmp_path: Path, text: str, fuzz: int = 0) -> dict[str, Path | None]:
    path = tmp_path / "mine.patch"
    path.write_text(text)
    work = tmp_path / "work"
    work.mkdir()
    return apply_patch(read_patch(path, fuzz=fuzz), source, work, "6.1.0")


def error(source: Path, tmp_path: Path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        applied(source, tmp_path, text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_changed_new_and_removed_files_and_the_source_left_alone(source: Path, tmp_path: Path) -> None:
    removal = "--- a/mm/old.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone soon\n"
    creation = "--- /dev/null\n+++ b/mm/deep/new.c\n@@ -0,0 +1 @@\n+new\n"
    changed = applied(source, tmp_path, change(hunk(20, "line 20", "twenty")) + removal + creation)
    assert set(changed) == {"mm/one.c", "mm/old.c", "mm/deep/new.c"}
    one, new = changed["mm/one.c"], changed["mm/deep/new.c"]
    assert one is not None
    assert new is not None
    assert one.read_text() == "".join(LINES).replace("line 20\n", "twenty\n")
    assert new.read_text() == "new\n"
    assert changed["mm/old.c"] is None
    assert (source / "mm" / "one.c").read_text() == "".join(LINES)
    assert (source / "mm" / "old.c").exists()


def test_a_series_changes_one_place_twice(source: Path, tmp_path: Path) -> None:
    first = mail("[PATCH 1/2] a", change(hunk(20, "line 20", "twenty")))
    second = mail("[PATCH 2/2] b", change(hunk(20, "twenty", "vingt")))
    one = applied(source, tmp_path, second + first)["mm/one.c"]
    assert one is not None
    assert "vingt\n" in one.read_text()


def test_an_offset_is_allowed(source: Path, tmp_path: Path) -> None:
    moved = "@@ -9,3 +9,3 @@\n line 19\n-line 20\n+twenty\n line 21\n"
    assert applied(source, tmp_path, change(moved))["mm/one.c"] is not None


def test_a_hunk_that_does_not_fit_is_named(source: Path, tmp_path: Path) -> None:
    said = error(source, tmp_path, change(hunk(5, "line 5", "five"), hunk(20, "line 99", "twenty")))
    assert "does not apply to Debian's 6.1.0: mm/one.c, hunk 2 (line 19) -> " in said


def test_no_fuzz(source: Path, tmp_path: Path) -> None:
    said = error(source, tmp_path, change(hunk(20, "line 20", "twenty", before="another line")))
    assert "mm/one.c, hunk 1 (line 19)" in said


def test_several_hunks_are_counted(source: Path, tmp_path: Path) -> None:
    said = error(source, tmp_path, change(hunk(5, "five", "5"), hunk(20, "twenty", "20")))
    assert "hunk 1 (line 4), and 1 more" in said


def test_a_part_of_a_series_is_named(source: Path, tmp_path: Path) -> None:
    good = mail("[PATCH 1/2] a", change(hunk(20, "line 20", "twenty")))
    bad = mail("[PATCH 2/2] mm: b", change(hunk(20, "line 20", "vingt")))
    assert "('[PATCH 2/2] mm: b') does not apply" in error(source, tmp_path, good + bad)


def test_a_file_that_is_not_there(source: Path, tmp_path: Path) -> None:
    text = change(hunk(20, "line 20", "twenty")).replace("one.c", "eins.c")
    assert "Debian's 6.1.0 has no file mm/eins.c" in error(source, tmp_path, text)


def test_applied_already(source: Path, tmp_path: Path) -> None:
    said = error(source, tmp_path, change(hunk(20, "twenty", "line 20")))
    assert "mm/one.c" in said
    assert "does not apply" in said


def test_a_damaged_patch(source: Path, tmp_path: Path) -> None:
    text = change(hunk(20, "line 20", "twenty")).replace("-line 20\n", "line 20\n")
    assert "malformed patch at line" in error(source, tmp_path, text)


def test_a_patch_that_changes_nothing(source: Path, tmp_path: Path) -> None:
    text = change(hunk(20, "line 20", "twenty"))
    back = change(hunk(20, "twenty", "line 20"))
    said = error(source, tmp_path, mail("[PATCH 1/2] a", text) + mail("[PATCH 2/2] b", back))
    assert "changes nothing" in said


def test_output_without_a_reason() -> None:
    assert failure("") == "patch gave no reason"
    assert failure("patching file x\nsomething odd\n") == "something odd"


def test_fuzz_is_refused_unless_it_is_allowed(source: Path, tmp_path: Path) -> None:
    text = change(hunk(20, "line 20", "twenty", before="another line"))
    assert "does not apply" in error(source, tmp_path, text)
    (tmp_path / "work").rename(tmp_path / "old")
    one = applied(source, tmp_path, text, fuzz=1)["mm/one.c"]
    assert one is not None
    assert "twenty\n" in one.read_text()
    strict, loose = (read_patch(tmp_path / "mine.patch", fuzz=fuzz).digest for fuzz in (0, 1))
    assert strict != loose
