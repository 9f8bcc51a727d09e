"""What people hand in as a patch, and what is none."""

from __future__ import annotations

import base64
import gzip
import quopri
from pathlib import Path

import pytest

from foundation.errors import UsageError
from harness.virtual.kernels.built.patch_file import read_patch

DIFF = """\
diff --git a/mm/one.c b/mm/one.c
index 1111111..2222222 100644
--- a/mm/one.c
+++ b/mm/one.c
@@ -1,3 +1,3 @@
 first
-second = 2
+second = 22
 third
"""
ADDS = """\
diff --git a/mm/two.c b/mm/two.c
new file mode 100644
--- /dev/null
+++ b/mm/two.c
@@ -0,0 +1 @@
+From here on it is ours
"""


def mail(subject: str, body: str, *headers: str) -> str:
    lines = ["From 0123456789abcdef Mon Sep 17 00:00:00 2001", "From: A <a@example.org>", *headers]
    return "\n".join([*lines, f"Subject: {subject}", "", body, "-- ", "2.39.5", "", ""])


def saved(folder: Path, text: str | bytes, name: str = "mine.patch") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_plain_diff(tmp_path: Path) -> None:
    patch = read_patch(saved(tmp_path, "What it is for.\n\n" + DIFF))
    assert [part.title for part in patch.parts] == ["mine.patch"]
    assert patch.files == ("mm/one.c",)
    assert patch.parts[0].diff.startswith("diff --git a/mm/one.c")


def test_a_series_is_put_in_its_order_and_its_cover_letter_left_out(tmp_path: Path) -> None:
    text = (
        mail("[PATCH v2 2/2] mm: second", ADDS)
        + mail("[PATCH v2 0/2] mm: cover", "From 300 to 800 pages a second.\n\n mm/one.c | 2 +-\n")
        + mail("[PATCH v2 1/2] mm:\n first", DIFF)
        + mail("Re: [PATCH v2 1/2] mm: first", "> -second\n\nRather so:\n\n" + DIFF)
    )
    patch = read_patch(saved(tmp_path, text))
    assert [part.title for part in patch.parts] == ["[PATCH v2 1/2] mm: first", "[PATCH v2 2/2] mm: second"]
    assert patch.files == ("mm/one.c", "mm/two.c")
    assert (patch.parts[1].old, patch.parts[1].new) == (frozenset(), frozenset({"mm/two.c"}))


def test_the_words_around_a_diff_make_no_other_kernel(tmp_path: Path) -> None:
    bare = read_patch(saved(tmp_path, DIFF, "a.patch"))
    told = read_patch(saved(tmp_path, "Some words.\n\n" + DIFF, "b.patch"))
    other = read_patch(saved(tmp_path, DIFF.replace("22", "23"), "c.patch"))
    assert bare.digest == told.digest != other.digest


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64"])
def test_an_encoded_mail(tmp_path: Path, encoding: str) -> None:
    raw = DIFF.replace("third", "thïrd").encode()
    body = quopri.encodestring(raw) if encoding == "quoted-printable" else base64.encodebytes(raw)
    headers = ("MIME-Version: 1.0", 'Content-Type: text/plain; charset="utf-8"')
    text = mail("[PATCH] x", body.decode(), *headers, f"Content-Transfer-Encoding: {encoding}")
    if encoding == "base64":
        text = text.replace("-- \n2.39.5\n", "")
    (part,) = read_patch(saved(tmp_path, text)).parts
    assert "+second = 22\n thïrd\n" in part.diff


def test_a_gzipped_mbox(tmp_path: Path) -> None:
    patch = read_patch(saved(tmp_path, gzip.compress(mail("[PATCH] x", DIFF).encode()), "t.mbox.gz"))
    assert patch.files == ("mm/one.c",)


def test_bytes_that_are_no_utf8_stay_what_they_are(tmp_path: Path) -> None:
    (part,) = read_patch(saved(tmp_path, DIFF.encode().replace(b"third", b"th\xefrd"))).parts
    assert b" th\xefrd\n" in part.diff.encode("utf-8", "surrogateescape")


def test_a_rename_names_both_files(tmp_path: Path) -> None:
    text = (
        "diff --git a/mm/one.c b/mm/uno.c\nsimilarity index 100%\n"
        "rename from mm/one.c\nrename to mm/uno.c\n"
    )
    (part,) = read_patch(saved(tmp_path, text)).parts
    assert (part.old, part.new) == (frozenset({"mm/one.c"}), frozenset({"mm/uno.c"}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("hello\n", "is not a patch"),
        ("--- a/x\n+++ b/x\n", "is not a patch"),
        (mail("[PATCH 0/1] cover", "words alone\n"), "is not a patch"),
        ("<!DOCTYPE html>\n<html></html>\n", "it is a web page"),
        (b"\x7fELF\0\0\0", "it is a binary file"),
        (b"\x1f\x8bno gzip", "cannot be read"),
        ("*** a/x\n--- b/x\n***************\n*** 1 ****\n! a\n--- 1 ----\n! b\n", "it is a context diff"),
        (DIFF.replace("a/mm/one.c", "one.c").replace("b/mm/one.c", "one.c"), "without a leading folder"),
        (DIFF.replace("b/mm/one.c", "b/../../etc/x"), "reaches outside"),
        ("diff --git a/x b/x\nindex 1..2\nGIT binary patch\nliteral 0\n", "a binary file"),
        (mail("[PATCH 1/2] a", DIFF) + mail("[PATCH v2 1/2] a", DIFF), "holds part 1/2 more than once"),
        (mail("[PATCH 1/3] a", DIFF) + mail("[PATCH 3/3] b", ADDS), "lacks part 2/3"),
    ],
)
def test_what_is_no_patch_is_told_in_one_line(tmp_path: Path, content: str | bytes, words: str) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(UsageError) as caught:
        read_patch(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_patch(tmp_path / "none.patch")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_patch(tmp_path)
