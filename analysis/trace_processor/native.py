"""A native trace processor as a child process that answers over loopback HTTP."""

from __future__ import annotations

import http.client
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from analysis.trace_processor import messages
from foundation.errors import HostError, TraceError
from foundation.ports import LOOPBACK, TRACE_PROCESSOR_PORT, free_port

_START_S: Final = 30.0
_ANSWER_S: Final = 600.0


class NativeProcess:
    """One child process, killed by `close`. HostError if it does not start or does not answer.

    Perfetto's client can start one as well, but polls only once a second whether it listens, and
    waits for an answer without a deadline.
    """

    def __init__(self, program: Path) -> None:
        self._program = program
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        port = free_port(avoid=(TRACE_PROCESSOR_PORT,))
        try:
            self._process = subprocess.Popen(
                [str(program), "-D", "--http-port", str(port)],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            raise HostError(
                f"cannot run the trace processor {program}: {error.strerror}", next_step="check --engine"
            ) from error
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_ANSWER_S)
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def request(self, data: bytes) -> bytes:
        """Send bytes of the request stream; return all bytes of the reply stream.

        TraceError if the process has died, or does not answer within 10 minutes.
        """
        try:
            self._connection.request("POST", "/rpc", body=data)
            with self._connection.getresponse() as response:
                content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise TraceError(
                f"lost the trace processor {self._program}: {error or type(error).__name__}",
                next_step="use --engine wasm, or record the trace again",
            ) from error
        if response.status != http.HTTPStatus.OK:
            raise TraceError(
                f"the trace processor {self._program} answered HTTP {response.status}",
                next_step="use --engine wasm",
            )
        return content

    def close(self) -> None:
        """Kill the child and reap it. May be called twice."""
        self._connection.close()
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_S
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                self.request(messages.request(messages.STATUS))
            except TraceError:
                # Not listening yet.
                time.sleep(0.01)
                continue
            return
        self._log.seek(0)
        output = self._log.read().decode("utf-8", "replace").strip().splitlines()
        raise HostError(
            f"the trace processor {self._program} did not start: {output[-1] if output else 'no output'}",
            next_step="check --engine, or use --engine wasm",
        )
