"""The part of the shell's grammar that the suite's own texts use.

Lists, and-or lists, pipelines, ``!``, groups, subshells, redirections, quoting, ``$$``, ``$?``,
``$(...)``, variables that ``read`` or an assignment has set, and globs. Anything else is a
SyntaxError, so that no test passes by chance.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_BLANKS: Final = " \t"
_ENDS_WORD: Final = " \t\n;&|<>(){}"
_KEYWORDS: Final = frozenset(
    {"if", "then", "for", "while", "until", "case", "do", "done", "fi", "function"}
)


@dataclass(frozen=True)
class Text:
    """Literal characters; ``quoted`` ones are no glob."""

    text: str
    quoted: bool


@dataclass(frozen=True)
class Substitution:
    """``$(...)``, or ``$$`` and ``$?`` by ``name``."""

    name: str
    quoted: bool
    body: str = ""


@dataclass
class Word:
    parts: list[Text | Substitution] = field(default_factory=list)

    @property
    def literal(self) -> str | None:
        """The unquoted text, if it is nothing else (for reserved words)."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Text) and not self.parts[0].quoted:
            return self.parts[0].text
        return None


@dataclass(frozen=True)
class Redirection:
    """``fd`` to or from a file, or to where ``duplicate`` goes."""

    fd: int
    how: str
    target: Word | None = None
    duplicate: int | None = None


@dataclass
class Command:
    """A simple command, or a group if ``body`` is set."""

    words: list[Word] = field(default_factory=list)
    body: Script | None = None
    subshell: bool = False
    redirections: list[Redirection] = field(default_factory=list)


@dataclass
class Pipeline:
    commands: list[Command]
    negated: bool = False


@dataclass
class Script:
    """Pipelines, each with what joins it to the one before: ``;``, ``&&`` or ``||``."""

    steps: list[tuple[str, Pipeline]] = field(default_factory=list)


def parse(text: str) -> Script:
    """SyntaxError for what the fake shell does not know."""
    return _Parser(text).script(ends="")


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def script(self, ends: str) -> Script:
        script = Script()
        joint = ";"
        while True:
            self._skip(_BLANKS + "\n;" if joint == ";" else _BLANKS + "\n")
            if self._at >= len(self._text) or (ends and self._peek() in ends):
                return script
            script.steps.append((joint, self._pipeline()))
            self._skip(_BLANKS)
            two = self._text[self._at : self._at + 2]
            if two in ("&&", "||"):
                self._at += 2
                joint = two
            elif self._peek() == "&":
                raise SyntaxError("fake shell: background jobs are not supported")
            else:
                joint = ";"

    def _pipeline(self) -> Pipeline:
        negated = False
        if self._text.startswith("! ", self._at):
            negated = True
            self._at += 2
        commands = [self._command()]
        while self._peek() == "|" and self._text[self._at : self._at + 2] != "||":
            self._at += 1
            self._skip(_BLANKS)
            commands.append(self._command())
        return Pipeline(commands, negated)

    def _command(self) -> Command:
        command = Command()
        self._skip(_BLANKS)
        if self._peek() == "{" and self._text[self._at + 1 : self._at + 2] in (" ", "\n"):
            self._at += 1
            command.body = self.script(ends="}")
            if self._peek() != "}":
                raise SyntaxError("fake shell: a group without its end")
            self._at += 1
        elif self._peek() == "(":
            self._at += 1
            command.body, command.subshell = self.script(ends=")"), True
            if self._peek() != ")":
                raise SyntaxError("fake shell: a subshell without its end")
            self._at += 1
        while True:
            self._skip(_BLANKS)
            if redirection := self._redirection():
                command.redirections.append(redirection)
            elif self._peek() == "" or self._peek() in "\n;&|)}":
                break
            elif self._peek() == "#":
                self._at = (self._text + "\n").index("\n", self._at)
                break
            elif command.body is not None:
                raise SyntaxError("fake shell: words after a group")
            else:
                command.words.append(self._word())
        if command.words and command.words[0].literal in _KEYWORDS:
            raise SyntaxError(f"fake shell: '{command.words[0].literal}' is not supported")
        if not command.words and command.body is None and not command.redirections and self._peek() != "\n":
            raise SyntaxError(f"fake shell: syntax error near {self._text[self._at : self._at + 10]!r}")
        return command

    def _redirection(self) -> Redirection | None:
        start = self._at
        digits = ""
        if self._peek().isdigit() and self._text[self._at + 1 : self._at + 2] in ("<", ">"):
            digits = self._peek()
            self._at += 1
        how = self._peek()
        if how not in ("<", ">") or not how:
            self._at = start
            return None
        self._at += 1
        if self._peek() == ">":
            self._at += 1
            how = ">>"
        fd = int(digits) if digits else (0 if how == "<" else 1)
        if self._peek() == "&":
            self._at += 1
            word = self._word().literal or ""
            return Redirection(fd, how, duplicate=int(word))
        self._skip(_BLANKS)
        return Redirection(fd, how, target=self._word())

    def _word(self) -> Word:
        word = Word()
        while (char := self._peek()) and char not in _ENDS_WORD:
            self._at += 1
            if char == "'":
                end = self._text.index("'", self._at)
                word.parts.append(Text(self._text[self._at : end], quoted=True))
                self._at = end + 1
            elif char == '"':
                self._double_quoted(word)
            elif char == "\\":
                word.parts.append(Text(self._peek(), quoted=True))
                self._at += 1
            elif char == "$":
                word.parts.append(self._dollar(quoted=False))
            elif char == "`":
                raise SyntaxError("fake shell: backquotes are not supported")
            else:
                word.parts.append(Text(char, quoted=False))
        return _joined(word)

    def _double_quoted(self, word: Word) -> None:
        word.parts.append(Text("", quoted=True))
        while (char := self._peek()) != '"':
            if not char:
                raise SyntaxError("fake shell: unterminated quote")
            self._at += 1
            if char == "$":
                word.parts.append(self._dollar(quoted=True))
            elif char == "\\" and self._peek() in '$`"\\':
                word.parts.append(Text(self._peek(), quoted=True))
                self._at += 1
            else:
                word.parts.append(Text(char, quoted=True))
        self._at += 1

    def _dollar(self, *, quoted: bool) -> Text | Substitution:
        char = self._peek()
        if char in ("$", "?") and char:
            self._at += 1
            return Substitution(char, quoted)
        if char == "(":
            self._at += 1
            start = self._at
            self.script(ends=")")
            if self._peek() != ")":
                raise SyntaxError("fake shell: a substitution without its end")
            self._at += 1
            return Substitution("(", quoted, self._text[start : self._at - 1])
        if name := re.match(r"[A-Za-z_]\w*", self._text[self._at :]):
            self._at += len(name[0])
            return Substitution(name[0], quoted)
        if char in ("{", "@", "*", "!") or char.isdigit():
            raise SyntaxError(f"fake shell: '${char}' is not supported")
        return Text("$", quoted)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, chars: str) -> None:
        while self._peek() and self._peek() in chars:
            self._at += 1


def _joined(word: Word) -> Word:
    """Neighbouring texts of one kind as one part."""
    parts: list[Text | Substitution] = []
    for part in word.parts:
        last = parts[-1] if parts else None
        if isinstance(part, Text) and isinstance(last, Text) and last.quoted == part.quoted:
            parts[-1] = Text(last.text + part.text, part.quoted)
        else:
            parts.append(part)
    return Word(parts)
