"""Command lines: one-line errors and exit statuses."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import ClassVar, Final, NoReturn

from foundation.errors import SuiteError, UsageError

#: The status that a shell reports for a program killed by SIGINT.
INTERRUPTED: Final = 130


class OneLineParser(argparse.ArgumentParser):
    """An ArgumentParser whose errors come without the usage text; subclasses may set the exit status."""

    status: ClassVar[int] = 2

    def error(self, message: str) -> NoReturn:
        """Print ``message`` in one line on stderr and exit."""
        self.exit(self.status, f"error: {message} -> see {self.prog} --help\n")


def print_error(error: SuiteError) -> None:
    """Print the error in one line on stderr."""
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
