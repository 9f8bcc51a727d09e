"""A time limit that several waits share."""

from __future__ import annotations

import time
from collections.abc import Callable

from foundation.errors import UsageError


class Deadline:
    """A point in time on the monotonic clock. UsageError for ``seconds`` that are not positive."""

    def __init__(self, seconds: float) -> None:
        if seconds <= 0:
            raise UsageError(f"a deadline must be positive, not {seconds} s")
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.left_s == 0.0


def wait_until(condition: Callable[[], bool], deadline: Deadline, *, every_s: float = 0.05) -> bool:
    """Poll ``condition`` until it holds or ``deadline`` has passed; whether it held."""
    while not condition():
        if deadline.passed:
            return False
        time.sleep(min(every_s, max(deadline.left_s, 0.001)))
    return True
