"""Command lines: mistakes and errors in one line, and the exit status of each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import ClassVar, Final, NoReturn

from foundation.errors import SuiteError, UsageError

#: As a shell reports a program that SIGINT ended.
INTERRUPTED: Final = 130


class OneLineParser(argparse.ArgumentParser):
    """An ArgumentParser without the usage text before an error; subclasses may set the exit status."""

    status: ClassVar[int] = 2

    def error(self, message: str) -> NoReturn:
        self.exit(self.status, f"error: {message} -> see {self.prog} --help\n")


def print_error(error: SuiteError) -> None:
    """One line on stderr."""
    print(f"error: {error}", file=sys.stderr)


def exit_status_of(run: Callable[[], int], *, usage: int = 2, failed: int = 1) -> int:
    """Run a command and return its exit status.

    A SuiteError becomes one line on stderr and ``usage`` for a UsageError, ``failed`` for any
    other; Ctrl-C becomes the line "interrupted" and 130.
    """
    try:
        return run()
    except SuiteError as error:
        print_error(error)
        return usage if isinstance(error, UsageError) else failed
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
