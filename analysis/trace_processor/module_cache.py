"""Compiled WebAssembly in the host cache: loading it executes it, so only this user may write it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import stat
from importlib import metadata
from pathlib import Path
from typing import Final

import wasmtime

from foundation.cache import cache_dir
from foundation.errors import HostError
from foundation.files import cached_sha256_of, write_atomic

_FOLDER: Final = "engine-modules"
_DIGEST_BYTES: Final = 32


def load_module(engine: wasmtime.Engine, wasm: Path, *, memory64: bool) -> wasmtime.Module:
    """``wasm`` compiled for this machine: from the cache, else compiled (3 to 6 s) and cached.

    HostError if the file cannot be read or is not WebAssembly. A damaged cache entry is compiled
    again; a cache that cannot be written only costs time.
    """
    # The name covers everything that the compiled code depends on.
    facts = f"{cached_sha256_of(wasm)} {metadata.version('wasmtime')} {platform.machine()} {memory64}"
    cached = private_folder() / f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.cwasm"
    module = _from_cache(engine, cached)
    if module is not None:
        return module
    try:
        module = wasmtime.Module(engine, wasm.read_bytes())
    except wasmtime.WasmtimeError as error:
        raise HostError(
            f"{wasm} is not a WebAssembly module that wasmtime can run",
            next_step="reinstall requirements.txt, or give --engine PATH",
        ) from error
    _keep(cached, bytes(module.serialize()))
    return module


def private_folder() -> Path:
    """Cache folder for executable code, mode 0700; created. HostError if another user owns it."""
    folder = cache_dir() / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.stat()
    if facts.st_uid != os.geteuid():
        raise HostError(
            f"the engine cache {folder} belongs to another user",
            next_step="set RECLAIM_SUITE_CACHE to your own folder",
        )
    if stat.S_IMODE(facts.st_mode) & 0o077:
        folder.chmod(0o700)
    return folder


def _from_cache(engine: wasmtime.Engine, path: Path) -> wasmtime.Module | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(code).digest() != digest:
        return None
    try:
        return wasmtime.Module.deserialize(engine, code)
    except wasmtime.WasmtimeError:
        # Compiled for CPU features that this machine lacks.
        return None


def _keep(path: Path, code: bytes) -> None:
    with contextlib.suppress(OSError):
        write_atomic(path, hashlib.sha256(code).digest() + code, mode=0o600)
