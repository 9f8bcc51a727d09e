"""A shell over the device's files in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tests.stand_ins.device import syntax
from tests.stand_ins.device.faults import Faults
from tests.stand_ins.device.processes import Process
from tests.stand_ins.device.shells import Io, no_input
from tests.stand_ins.device.tree import Tree

_GLOB_CHARS: Final = frozenset("*?[")


@dataclass(frozen=True)
class Call:
    """One program call. ``shell`` runs text as a child of it would."""

    argv: list[str]
    io: Io
    process: Process
    root: bool
    shell: TreeShell

    def read(self, path: str) -> bytes:
        """The file, if this caller may read it. OSError."""
        self.shell.tree.may(path, "read", root=self.root)
        return self.shell.tree.read(path)


#: A program: its exit status; OSError is printed as the program's own message, status 1.
Program = Callable[[Call], int]


class _Exit(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class TreeShell:
    """Runs the texts of `syntax` with the programs of a table; unknown programs end with 127.

    ``ran`` is each program call, in order; ``texts`` what came on standard input.
    """

    def __init__(self, tree: Tree, faults: Faults, programs: Mapping[str, Program]) -> None:
        self.tree = tree
        self.ran: list[list[str]] = []
        self.texts: list[str] = []
        self._faults = faults
        self._programs = programs

    def run(self, text: str, io: Io, process: Process, *, root: bool) -> int:
        run = _Run(self, process, root)
        try:
            return run.script(syntax.parse(text), io)
        except _Exit as end:
            return end.status
        except (SyntaxError, ValueError) as error:
            io.fail(f"sh: {error}")
            return 2

    def call(self, call: Call) -> int:
        """One program, with the faults that concern programs."""
        self.ran.append(call.argv)
        name = call.argv[0].rpartition("/")[2]
        if name in self._faults.hang:
            call.process.ignores_term = self._faults.ignore_term
            call.process.wait(None)
        program = self._programs.get(name)
        if program is None:
            call.io.fail(f"sh: {call.argv[0]}: not found")
            return 127
        try:
            status = program(call)
        except OSError as error:
            if isinstance(error, ConnectionError):
                raise
            call.io.fail(f"{name}: {error.strerror}")
            status = 1
        return self._faults.exit_status.get(name, status)


class _Run:
    """One shell process: its last status, its pid."""

    def __init__(self, shell: TreeShell, process: Process, root: bool) -> None:
        self._shell = shell
        self._process = process
        self._root = root
        self._status = 0
        self._variables: dict[str, str] = {}

    def script(self, script: syntax.Script, io: Io) -> int:
        for joint, pipeline in script.steps:
            if (joint == "&&" and self._status != 0) or (joint == "||" and self._status == 0):
                continue
            self._status = self._pipeline(pipeline, io)
        return self._status

    def _pipeline(self, pipeline: syntax.Pipeline, io: Io) -> int:
        stdin = io.stdin
        status = 0
        for command in pipeline.commands[:-1]:
            held = bytearray()
            self._command(command, replace(io, stdin=stdin, out=held.extend))
            stdin = _once(bytes(held))
        status = self._command(pipeline.commands[-1], replace(io, stdin=stdin))
        return int(status == 0) if pipeline.negated else status

    def _command(self, command: syntax.Command, io: Io) -> int:
        argv = [text for word in command.words for text in self._expand(word, io)]
        name = argv[0] if argv else "sh"
        files: list[tuple[str, bytearray, bool]] = []
        try:
            for redirection in command.redirections:
                io = self._redirected(redirection, io, files)
        except OSError as error:
            verb = "open" if redirection.how == "<" else "create"
            io.fail(f"sh: can't {verb} {self._target(redirection, io)}: {error.strerror}")
            return 1
        status = self._body(command, argv, io)
        for path, data, append in files:
            try:
                self._store(path, bytes(data), append=append)
            except OSError as error:
                io.fail(f"{name}: write error: {error.strerror}")
                status = 1
        return status

    def _body(self, command: syntax.Command, argv: list[str], io: Io) -> int:
        if command.body is not None and command.subshell:
            child = _Run(self._shell, self._process, self._root)
            child._variables = dict(self._variables)
            try:
                return child.script(command.body, io)
            except _Exit as end:
                return end.status
        if command.body is not None:
            return self.script(command.body, io)
        if not argv:
            return 0
        name, equals, value = argv[0].partition("=")
        if equals and name.isidentifier() and len(argv) == 1:
            self._variables[name] = value
            return 0
        if argv[0] == "exec":
            raise _Exit(self._call(argv[1:], io))
        if argv[0] == "exit":
            raise _Exit(int(argv[1]) if len(argv) > 1 else self._status)
        if argv[0] == "read":
            line = os.fsdecode(io.stdin()).partition("\n")[0].split(None, len(argv) - 2)
            self._variables |= dict(zip(argv[1:], [*line, *[""] * len(argv)], strict=False))
            return 0
        if argv[0] == "eval":
            text = " ".join(argv[1:])
            self._shell.texts.append(text)
            return self.script(syntax.parse(text), io)
        return self._call(argv, io)

    def _call(self, argv: list[str], io: Io) -> int:
        return self._shell.call(Call(argv, io, self._process, self._root, self._shell))

    def _target(self, redirection: syntax.Redirection, io: Io) -> str:
        assert redirection.target is not None
        return self._expand(redirection.target, io)[0]

    def _redirected(
        self, redirection: syntax.Redirection, io: Io, files: list[tuple[str, bytearray, bool]]
    ) -> Io:
        if redirection.duplicate is not None:
            writer = io.out if redirection.duplicate == 1 else io.err
        else:
            path = self._target(redirection, io)
            if redirection.how == "<":
                self._shell.tree.may(path, "read", root=self._root)
                content = b"" if path == "/dev/null" else self._shell.tree.read(path)
                return replace(io, stdin=_once(content))
            if path == "/dev/null":
                writer = _drop
            else:
                self._shell.tree.may_write(path, root=self._root)
                held = bytearray()
                files.append((path, held, redirection.how == ">>"))
                writer = held.extend
        return replace(io, out=writer) if redirection.fd == 1 else replace(io, err=writer)

    def _store(self, path: str, data: bytes, *, append: bool) -> None:
        tree = self._shell.tree
        if append and tree.exists(path):
            data = tree.read(path) + data
        # Nothing printed is no write(2): a file of sysfs does not notice it.
        if data or not path.startswith(("/sys/", "/proc/")):
            tree.write(path, data)

    def _expand(self, word: syntax.Word, io: Io) -> list[str]:
        pattern, plain, is_glob = "", "", False
        for part in word.parts:
            if isinstance(part, syntax.Text):
                text, quoted = part.text, part.quoted
            else:
                text, quoted = self._substitute(part, io), part.quoted
            plain += text
            if quoted:
                pattern += "".join(f"[{c}]" if c in _GLOB_CHARS else c for c in text)
            else:
                pattern += text
                is_glob = is_glob or bool(_GLOB_CHARS & set(text))
        if is_glob:
            return self._shell.tree.glob(pattern, root=self._root) or [plain]
        return [plain]

    def _substitute(self, part: syntax.Substitution, io: Io) -> str:
        if part.name == "$":
            return str(self._process.pid)
        if part.name == "?":
            return str(self._status)
        if part.name != "(":
            if part.name not in self._variables:
                raise SyntaxError(f"fake shell: '${part.name}' was not read")
            return self._variables[part.name]
        held = bytearray()
        self._shell.run(part.body, replace(io, out=held.extend), self._process, root=self._root)
        return os.fsdecode(bytes(held)).rstrip("\n")


def _drop(data: bytes) -> None:
    """/dev/null."""


def _once(data: bytes) -> Callable[[], bytes]:
    left = [data] if data else []
    return lambda: left.pop() if left else no_input()
