"""A real shell of this machine behind the fake device, for what only a real one can show.

Its commands see this machine's files: for tests of quoting, pipes, processes and signals.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import IO, Final

from tests.stand_ins.device.processes import Process
from tests.stand_ins.device.shells import Io

_CHUNK: Final = 32 * 1024


class HostShell:
    """``argv`` is the shell, such as ``["busybox", "sh"]``; each command leads a session, as with adbd."""

    def __init__(self, argv: Sequence[str] = ("/bin/sh",)) -> None:
        self._argv = list(argv)

    def run(self, text: str, io: Io, process: Process, *, root: bool) -> int:
        child = subprocess.Popen(
            [*self._argv, "-c", os.fsencode(text)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
        )
        assert child.stdin
        assert child.stdout
        assert child.stderr
        threading.Thread(target=self._feed, args=(io.stdin, child.stdin), daemon=True).start()
        pumps = [
            threading.Thread(target=self._pump, args=(child.stdout, io.out), daemon=True),
            threading.Thread(target=self._pump, args=(child.stderr, io.err), daemon=True),
        ]
        for pump in pumps:
            pump.start()
        for pump in pumps:
            pump.join()
        status = child.wait()
        return 128 - status if status < 0 else status

    def _feed(self, read: Callable[[], bytes], pipe: IO[bytes]) -> None:
        try:
            while data := read():
                pipe.write(data)
                pipe.flush()
        except OSError:
            return
        finally:
            with contextlib.suppress(OSError):
                pipe.close()

    def _pump(self, pipe: IO[bytes], write: Callable[[bytes], None]) -> None:
        with pipe:
            while data := os.read(pipe.fileno(), _CHUNK):
                try:
                    write(data)
                except ConnectionError:
                    # As adbd: the pipe is closed, and the command learns it when it next writes.
                    return
