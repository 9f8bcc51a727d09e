"""Reads a patch: a diff, a mail, or an mbox with a series."""

from __future__ import annotations

import email
import email.policy
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path, PurePosixPath

from foundation.errors import UsageError

_MAX_BYTES = 64_000_000
_GZIP = b"\x1f\x8b"
_ENVELOPE = re.compile(rb"^From \S+ .*\d{4}\r?$", re.MULTILINE)
_HEADER = re.compile(rb"\A(?:From \S+ .*\n)?(?:[A-Za-z][A-Za-z0-9-]*:[^\n]*\n(?:[ \t][^\n]*\n)*){2,}\s*\n")
_FILE_PAIR = re.compile(r"^--- (\S[^\t\n]*)(?:\t.*)?\n\+\+\+ (\S[^\t\n]*)(?:\t.*)?\n@@ -\d", re.MULTILINE)
_GIT_ONLY = re.compile(
    r"^diff --git \S+ \S+\n(?:(?:old mode|new mode|new file mode|deleted file mode|similarity index"
    r"|rename from|copy from|index) .*\n)+",
    re.MULTILINE,
)
_BINARY = re.compile(r"^(?:GIT binary patch|Binary files .* differ)$", re.MULTILINE)
_BEGIN = re.compile(r"^(?:diff |Index: |--- \S)", re.MULTILINE)
_RENAMED = re.compile(r"^(?:rename|copy) (from|to) (\S.*)$", re.MULTILINE)
_NUMBER = re.compile(r"\[[^\]]*PATCH[^\]]*?\b(\d+)/(\d+)\s*\]", re.IGNORECASE)
_REPLY = re.compile(r"^\s*(?:re|aw|fwd?)\s*:", re.IGNORECASE)
_NOWHERE = "/dev/null"


@dataclass(frozen=True)
class PatchPart:
    """One patch of a series: the subject of its mail (or the file's name), and its diff.

    ``old`` are the files before it, ``new`` the files after it, relative to the top of the source.
    """

    title: str
    diff: str
    old: frozenset[str]
    new: frozenset[str]


@dataclass(frozen=True)
class PatchFile:
    """A patch file: its parts in the order in which they apply.

    ``fuzz`` is how many lines of context may differ where a hunk is applied (patch(1)).
    """

    path: Path
    parts: tuple[PatchPart, ...]
    fuzz: int = 0

    @property
    def files(self) -> tuple[str, ...]:
        """Every file of the kernel source in any part, sorted."""
        return tuple(sorted({name for part in self.parts for name in part.old | part.new}))

    @property
    def digest(self) -> str:
        """Hex hash of the diffs alone: the text around them does not change the kernel."""
        digest = hashlib.sha256()
        for part in self.parts:
            digest.update(part.diff.encode("utf-8", "surrogateescape") + b"\0")
        if self.fuzz:
            digest.update(f"fuzz {self.fuzz}".encode())
        return digest.hexdigest()


def read_patch(path: Path, *, fuzz: int = 0, before: Path | None = None) -> PatchFile:
    """Read a unified diff, a mail or an mbox (also gzipped); sorts a series by its numbers.

    ``before`` is a patch that applies first. UsageError if the file is missing, empty or not a patch,
    or if the series is incomplete.
    """
    content = _content(path)
    if _HEADER.match(content):
        parts = _of_mails(path, content)
    else:
        text = content.decode("utf-8", "surrogateescape")
        parts = [_part(path, path.name, text)] if _holds_diff(text) else []
    if not parts:
        raise UsageError(f"{path} is not a patch: {_instead(content)}", next_step=_GIVE)
    first = read_patch(before).parts if before is not None else ()
    return PatchFile(path, (*first, *parts), fuzz)


_GIVE = "give a unified diff (git diff, git format-patch), or the raw mail or mbox of a series"


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError(
                f"{path} is not a patch: it has more than {_MAX_BYTES // 10**6} MB", next_step=_GIVE
            )
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
    except FileNotFoundError as error:
        raise UsageError(f"the patch {path} does not exist", next_step="correct the path") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"the patch {path} cannot be read: {reason}", next_step=_GIVE) from error
    if not content.strip():
        raise UsageError(f"the patch {path} is empty", next_step=_GIVE)
    return content


def _instead(content: bytes) -> str:
    head = content.lstrip()[:200].lower()
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page"
    if b"\0" in content[:4096]:
        return "it is a binary file"
    if re.search(rb"^\*\*\* .*\n--- .*\n\*{15}$", content, re.MULTILINE):
        return "it is a context diff"
    return "it has no file header (---, +++) with a hunk (@@)"


def _of_mails(path: Path, content: bytes) -> list[PatchPart]:
    diffs: list[tuple[str, str]] = []
    for mail in _mails(content):
        text = _body(mail)
        if _holds_diff(text):
            diffs.append((" ".join(str(mail.get("Subject", path.name)).split()), text))
    # Replies in a thread may hold diffs as well: proposals, not parts of the series.
    own = [item for item in diffs if not _REPLY.match(item[0])] or diffs
    numbered = [(_NUMBER.search(title), title, text) for title, text in own]
    if len(own) > 1 and all(match for match, _, _ in numbered):
        own = _in_order(path, [(int(m[1]), int(m[2]), t, x) for m, t, x in numbered if m])
    return [_part(path, title, text) for title, text in own]


def _in_order(path: Path, numbered: list[tuple[int, int, str, str]]) -> list[tuple[str, str]]:
    numbers = [number for number, _, _, _ in numbered]
    total = max(total for _, total, _, _ in numbered)
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise UsageError(
            f"{path} holds part {twice[0]}/{total} more than once",
            next_step="give one version of one series",
        )
    missing = [number for number in range(1, total + 1) if number not in numbers]
    if missing:
        raise UsageError(f"{path} lacks part {missing[0]}/{total}", next_step="give the whole series")
    return [(title, text) for _, _, title, text in sorted(numbered)]


def _mails(content: bytes) -> Iterator[EmailMessage]:
    starts = [match.start() for match in _ENVELOPE.finditer(content) if _begins_mail(content, match)]
    if not starts or starts[0] != 0:
        starts.insert(0, 0)
    for start, end in zip(starts, [*starts[1:], len(content)], strict=True):
        chunk = content[start:end]
        envelope = _ENVELOPE.match(chunk)
        message = email.message_from_bytes(
            chunk[envelope.end() :].lstrip(b"\r\n") if envelope else chunk, policy=email.policy.default
        )
        if isinstance(message, EmailMessage):
            yield message


def _begins_mail(content: bytes, envelope: re.Match[bytes]) -> bool:
    """Whether a mail header follows: a sentence may also start with 'From '."""
    return _HEADER.match(content[envelope.start() : envelope.start() + 100_000]) is not None


def _body(mail: EmailMessage) -> str:
    texts = []
    for part in mail.walk():
        if part.get_content_maintype() != "text" or part.get_content_subtype() == "html":
            continue
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            texts.append(_decoded(payload, part.get_content_charset() or "utf-8").replace("\r\n", "\n"))
    return "\n".join(texts)


def _decoded(payload: bytes, charset: str) -> str:
    try:
        if charset not in ("us-ascii", "ascii", "utf-8"):
            return payload.decode(charset)
    except (LookupError, UnicodeDecodeError):
        pass
    return payload.decode("utf-8", "surrogateescape")


def _holds_diff(text: str) -> bool:
    return any(pattern.search(text) for pattern in (_FILE_PAIR, _GIT_ONLY, _BINARY))


def _part(path: Path, title: str, text: str) -> PatchPart:
    if _BINARY.search(text):
        raise UsageError(
            f"{path} changes a binary file ({title})",
            next_step="leave that file out: patch cannot apply it",
        )
    begin = _BEGIN.search(text)
    diff = text[begin.start() :] if begin else text
    old: set[str] = set()
    new: set[str] = set()
    for match in _FILE_PAIR.finditer(diff):
        for name, names in ((match[1], old), (match[2], new)):
            if name != _NOWHERE:
                names.add(_below_top(path, name))
    for match in _RENAMED.finditer(diff):
        (old if match[1] == "from" else new).add(_safe(path, match[2]))
    return PatchPart(title, diff if diff.endswith("\n") else diff + "\n", frozenset(old), frozenset(new))


def _below_top(path: Path, name: str) -> str:
    """``a/mm/page_io.c`` -> ``mm/page_io.c``."""
    first, _, rest = name.partition("/")
    if not first or not rest:
        raise UsageError(
            f"{path} names the file '{name}' without a leading folder",
            next_step="make the diff at the top of the source, with the prefixes a/ and b/ (git's default)",
        )
    return _safe(path, rest)


def _safe(path: Path, name: str) -> str:
    if name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise UsageError(
            f"{path} reaches outside the kernel source: '{name}'", next_step="correct the patch"
        )
    return name
