"""The programs of the fake device's shell: those of toybox that the suite uses."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tests.stand_ins.device.processes import Processes
from tests.stand_ins.device.tree import How, refuse
from tests.stand_ins.device.tree_shell import Call, Program
from tests.stand_ins.device.zram_model import ZramModel

_ESCAPES: Final = {"n": "\n", "t": "\t", "\\": "\\"}
_SIGNALS: Final = {"TERM": signal.SIGTERM, "KILL": signal.SIGKILL, "9": signal.SIGKILL, "0": 0}


def _print(call: Call, text: str) -> int:
    call.io.out(os.fsencode(text))
    return 0


def _cat(call: Call) -> int:
    status = 0
    if len(call.argv) == 1:
        while data := call.io.stdin():
            call.io.out(data)
    for path in call.argv[1:]:
        try:
            call.io.out(call.read(path))
        except OSError as error:
            call.io.fail(f"cat: {path}: {error.strerror}")
            status = 1
    return status


def _date(call: Call) -> int:
    """Only ``date +%s``: the host's time."""
    return _print(call, f"{int(time.time())}\n") if call.argv[1:] == ["+%s"] else 1


def _logcat(call: Call) -> int:
    """An empty log, which ``-d`` does not wait for."""
    if "-d" not in call.argv:
        call.process.wait(None)
    return 0


def _printf(call: Call) -> int:
    """``%s`` and backslash escapes only; the form is used again while there are words."""
    form, words = call.argv[1], call.argv[2:]
    out = ""
    while True:
        left = len(words)
        at = 0
        while at < len(form):
            if form[at] == "\\":
                out += _ESCAPES[form[at + 1]]
                at += 2
            elif form.startswith("%s", at):
                out += words.pop(0) if words else ""
                at += 2
            else:
                out += form[at]
                at += 1
        if not words or len(words) == left:
            return _print(call, out)


def _test(call: Call) -> int:
    words = [word for word in call.argv[1:] if word != "]"]
    if len(words) == 2 and words[0] in ("-e", "-f", "-d", "-r", "-w"):
        return int(not _file_test(call, words[0], words[1]))
    if len(words) == 3 and words[1] in ("=", "!="):
        return int((words[0] == words[2]) != (words[1] == "="))
    raise refuse(errno.EINVAL)


def _file_test(call: Call, test: str, path: str) -> bool:
    tree = call.shell.tree
    folder = tree.is_folder(path)
    if not tree.exists(path) or not tree.allows(path, "list" if folder else "stat", root=call.root):
        return False
    if test == "-r":
        return tree.allows(path, "list" if folder else "read", root=call.root)
    if test == "-w":
        try:
            tree.may_write(path, root=call.root)
        except OSError:
            return False
    return {"-f": not folder, "-d": folder}.get(test, True)


def _ls(call: Call) -> int:
    status = 0
    for path in [word for word in call.argv[1:] if not word.startswith("-")]:
        how: How = "list" if call.shell.tree.is_folder(path) else "stat"
        try:
            call.shell.tree.may(path, how, root=call.root)
        except OSError as error:
            call.io.fail(f"ls: {path}: {error.strerror}")
            status = 1
            continue
        if not call.shell.tree.exists(path):
            call.io.fail(f"ls: {path}: {os.strerror(errno.ENOENT)}")
            status = 1
        elif "-d" in call.argv or not call.shell.tree.is_folder(path):
            _print(call, path + "\n")
        else:
            _print(call, "".join(f"{name}\n" for name in call.shell.tree.listing(path)))
    return status


def _stat(call: Call) -> int:
    """``stat -c FORM PATH``: ``%a``, the mode in octal, or ``%s``, the size."""
    form, path = call.argv[2:]
    if form not in ("%a", "%s"):
        raise refuse(errno.EINVAL)
    try:
        call.shell.tree.may(path, "stat", root=call.root)
        node = call.shell.tree.node(path)
        return _print(call, f"{node.mode:o}\n" if form == "%a" else f"{len(node.read())}\n")
    except OSError as error:
        call.io.fail(f"stat: '{path}': {error.strerror}")
        return 1


def _rm(call: Call) -> int:
    for path in [word for word in call.argv[1:] if not word.startswith("-")]:
        if not call.shell.tree.exists(path) and "-f" not in call.argv and "-rf" not in call.argv:
            call.io.fail(f"rm: {path}: {os.strerror(errno.ENOENT)}")
            return 1
        call.shell.tree.remove(path)
    return 0


def _mkdir(call: Call) -> int:
    call.shell.tree.make_folder(call.argv[-1])
    return 0


def _sha256sum(call: Call) -> int:
    path = call.argv[1]
    return _print(call, f"{hashlib.sha256(call.read(path)).hexdigest()}  {path}\n")


def _od(call: Call) -> int:
    path = call.argv[-1]
    try:
        data = call.read(path)
    except OSError as error:
        call.io.fail(f"od: {path}: {error.strerror}")
        return 1
    lines = (data[at : at + 16].hex(" ") for at in range(0, len(data), 16))
    return _print(call, "".join(f" {line}\n" for line in lines))


def _sleep(call: Call) -> int:
    call.process.wait(float(call.argv[1]))
    return 0


def _id(call: Call) -> int:
    return _print(call, "0\n" if call.root else "2000\n")


def command_of(programs: Mapping[str, Program]) -> Program:
    """``command -v NAME``: the path of a program, or nothing and status 1. Source: POSIX."""

    def command(call: Call) -> int:
        name = call.argv[-1]
        return _print(call, f"/system/bin/{name}\n") if name in programs else 1

    return command


def kill_with(processes: Processes) -> Program:
    """``kill -SIGNAL PID``, PID negative for a group."""

    def kill(call: Call) -> int:
        process = processes.find(int(call.argv[-1]))
        if process is None:
            raise refuse(errno.ESRCH)
        process.send(_SIGNALS[call.argv[1].lstrip("-")])
        return 0

    return kill


def device_wide(run: Callable[[Sequence[str]], str]) -> Program:
    """A program that needs root and answers with text; OSError for its failures."""

    def program(call: Call) -> int:
        if not call.root:
            raise refuse(errno.EPERM)
        try:
            return _print(call, run(call.argv))
        except OSError as error:
            call.io.fail(f"{call.argv[0]}: {call.argv[-1]}: {error.strerror}")
            return 1

    return program


def fixed(text: Callable[[], str]) -> Program:
    """A program that prints what ``text`` returns, whatever its words."""
    return lambda call: _print(call, text())


def standard(processes: Processes, zram: ZramModel) -> dict[str, Program]:
    """The table every fake device starts with; tests add to it."""
    return {
        "[": _test,
        "cat": _cat,
        "date": _date,
        "echo": lambda call: _print(call, " ".join(call.argv[1:]) + "\n"),
        "false": lambda call: 1,
        "getconf": lambda call: _print(call, "4096\n") if call.argv[1:] == ["PAGESIZE"] else 1,
        "id": _id,
        "kill": kill_with(processes),
        "logcat": _logcat,
        "ls": _ls,
        "mkdir": _mkdir,
        "mkswap": device_wide(zram.mkswap),
        "od": _od,
        "printf": _printf,
        "rm": _rm,
        "sha256sum": _sha256sum,
        "sleep": _sleep,
        "stat": _stat,
        "swapoff": device_wide(zram.swapoff),
        "swapon": device_wide(zram.swapon_argv),
        "test": _test,
        "true": lambda call: 0,
    }
