"""Perfetto's own Python client on the offline engine: for notebooks and other people's scripts."""

from __future__ import annotations

import contextlib
import hashlib
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from analysis.trace_processor.choice import MEMORY64_FROM_BYTES
from analysis.trace_processor.module_cache import private_folder
from foundation.errors import HostError
from foundation.files import write_atomic

if TYPE_CHECKING:
    from perfetto.trace_processor import TraceProcessor, TraceProcessorConfig

_ROOT: Final = Path(__file__).resolve().parents[2]
_STOP_S: Final = 5.0


def client_config(trace: Path | None = None) -> TraceProcessorConfig:
    """A configuration with which ``perfetto.trace_processor.TraceProcessor`` needs no network.

    The client itself starts the engine then, and asks once a second whether it is up:
    `open_client` does not have that wait.
    """
    from perfetto.trace_processor import TraceProcessorConfig

    flags = ["--memory64"] if _is_large(trace) else []
    return TraceProcessorConfig(bin_path=str(program()), ingest_ftrace_in_raw=True, extra_flags=flags)


@contextlib.contextmanager
def open_client(trace: Path) -> Iterator[TraceProcessor]:
    """Perfetto's client with ``trace`` loaded; engine and connection are closed on the way out."""
    from perfetto.trace_processor import TraceProcessor

    with serve(memory64=_is_large(trace)) as address:
        client = TraceProcessor(trace=str(trace), addr=address)
        try:
            yield client
        finally:
            client.close()


@contextlib.contextmanager
def serve(*, memory64: bool = False) -> Iterator[str]:
    """Start an engine and wait until it answers; yields ``host:port``. HostError if it does not start."""
    command = [str(program()), "-D", "--announce", *(["--memory64"] if memory64 else [])]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            # The line comes, or the pipe closes because the process ended.
            port = process.stdout.readline().strip() if process.stdout else ""
            if not port.isdigit():
                said = process.stderr.read().strip() if process.stderr else ""
                raise HostError(
                    f"the offline engine did not start: {said or 'it said nothing'}",
                    next_step="install requirements.txt again",
                )
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def program() -> Path:
    """A program that behaves as a trace_processor_shell: a script in the private cache."""
    text = (
        "#!/bin/sh\n"
        f"PYTHONPATH={shlex.quote(str(_ROOT))}${{PYTHONPATH:+:$PYTHONPATH}}\n"
        "export PYTHONPATH\n"
        f'exec {shlex.quote(sys.executable)} -m analysis.trace_processor.server "$@"\n'
    )
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = private_folder() / f"trace_processor-{digest}"
    if not path.is_file():
        write_atomic(path, text, mode=0o700)
    return path


def _is_large(trace: Path | None) -> bool:
    return trace is not None and trace.is_file() and trace.stat().st_size >= MEMORY64_FROM_BYTES
