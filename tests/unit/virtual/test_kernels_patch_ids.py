"""The stable ids of a patch's parts, by the real git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from foundation import published_patches
from foundation.errors import HostError
from harness.virtual.kernels import built
from harness.virtual.kernels.built.patch_file import read_patch
from harness.virtual.kernels.built.patch_ids import patch_ids

DIFF = "--- a/mm/one.c\n+++ b/mm/one.c\n@@ -1,3 +1,3 @@\n one\n-two\n+zwei\n three\n"


def mail(subject: str, diff: str) -> str:
    head = f"From 0123 Mon Sep 17 00:00:00 2001\nFrom: A <a@example.org>\nSubject: {subject}"
    return f"{head}\n\n{diff}-- \n2.39.5\n\n"


def ids(folder: Path, text: str, before: str | None = None) -> tuple[str, ...]:
    path, first = folder / "x.patch", folder / "first.patch"
    path.write_text(text)
    if before is not None:
        first.write_text(before)
    return patch_ids(read_patch(path, before=first if before is not None else None))


def test_the_id_is_of_the_change_alone(tmp_path: Path) -> None:
    plain = ids(tmp_path, DIFF)
    begun = f"diff --git a/mm/one.c b/mm/one.c\n{DIFF}"
    by_git = subprocess.run(
        ["git", "patch-id", "--stable"], input=begun, capture_output=True, text=True, check=True
    )
    assert plain == ids(tmp_path, begun) == (by_git.stdout.split()[0],)
    assert ids(tmp_path, DIFF.replace("@@ -1,3 +1,3 @@", "@@ -71,3 +71,3 @@")) == plain
    assert ids(tmp_path, mail("[PATCH] x", DIFF)) == plain
    assert ids(tmp_path, DIFF.replace("zwei", "deux")) != plain


def test_a_series_has_an_id_for_each_part_and_the_patch_before_it_comes_first(tmp_path: Path) -> None:
    other = DIFF.replace("one.c", "two.c")
    first, second = ids(tmp_path, DIFF)[0], ids(tmp_path, other)[0]
    series = mail("[PATCH 2/2] b", other) + mail("[PATCH 1/2] a", DIFF)
    assert ids(tmp_path, series) == (first, second)
    third = DIFF.replace("one.c", "three.c")
    assert ids(tmp_path, series, before=third) == (ids(tmp_path, third)[0], first, second)


def test_a_host_without_git_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="this machine lacks git"):
        ids(tmp_path, DIFF)


def test_the_suites_own_bases_are_known_by_the_ids_of_their_files() -> None:
    files = sorted(Path(built.__file__).parent.glob("published/*.diff"))
    found = {patch_ids(read_patch(file))[0]: f"the suite's {file.stem}" for file in files}
    assert found == published_patches.BASES
