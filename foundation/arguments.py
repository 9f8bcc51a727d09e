"""Command lines whose mistakes are told in one line."""

from __future__ import annotations

import argparse
from typing import ClassVar, NoReturn


class OneLineParser(argparse.ArgumentParser):
    """An ArgumentParser without the usage text before an error; subclasses may set the exit status."""

    status: ClassVar[int] = 2

    def error(self, message: str) -> NoReturn:
        self.exit(self.status, f"error: {message} -> see {self.prog} --help\n")
