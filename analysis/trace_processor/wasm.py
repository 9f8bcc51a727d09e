"""Perfetto's trace processor as WebAssembly, run in this process by wasmtime.

The module is an Emscripten build that speaks one protocol: it takes bytes of a
``TraceProcessorRpcStream`` in a buffer in its memory, and returns bytes of the same message through
a callback. It has clocks, but no access to files, sockets or the environment.
"""

from __future__ import annotations

import calendar
import contextlib
import errno
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import wasmtime

from analysis.trace_processor.module_cache import load_module
from foundation.errors import TraceError
from foundation.signals import signals_held

#: Largest request in bytes.
REQUEST_BUFFER: Final = 8 << 20
#: Bytes of a trace in one request.
CHUNK: Final = 4 << 20
#: Address space for the 64-bit module, so that its memory never moves as it grows.
_RESERVATION_64: Final = 64 << 30
_PAGE: Final = 1 << 16
_HEAP_MAX_32: Final = (1 << 32) - _PAGE
_HEAP_MAX_64: Final = 16 << 30

_LOCK: Final = threading.Lock()
_MODULES: Final[dict[Path, tuple[wasmtime.Engine, wasmtime.Module]]] = {}


class WasmAborted(TraceError):
    """The module aborted: it ran out of memory, or the trace broke it. The instance is dead."""


class _AbortedItself(Exception):
    """Unwinds the module when it calls abort()."""


def _module(path: Path, *, memory64: bool) -> tuple[wasmtime.Engine, wasmtime.Module]:
    with _LOCK:
        if path not in _MODULES:
            config = wasmtime.Config()
            if memory64:
                config.wasm_memory64 = True
                config.memory_reservation = _RESERVATION_64
            engine = wasmtime.Engine(config)
            _MODULES[path] = (engine, load_module(engine, path, memory64=memory64))
        return _MODULES[path]


class WasmInstance:
    """One trace processor with its own memory; create one for each trace.

    A second trace would share the first one's string pool and memory. An instance costs only 20 ms, so
    only the compiled code is reused.
    """

    def __init__(self, path: Path, *, memory64: bool = False) -> None:
        engine, module = _module(path, memory64=memory64)
        self._pointer = "<Q" if memory64 else "<I"
        self._word = 8 if memory64 else 4
        self._heap_max = _HEAP_MAX_64 if memory64 else _HEAP_MAX_32
        self._store = wasmtime.Store(engine)
        self._replies: list[bytes] = []
        self._log = bytearray()
        self._dead: str | None = None
        imports = [self._import(imported) for imported in module.imports]
        exports = wasmtime.Instance(self._store, module, imports).exports(self._store)
        self._memory: Any = exports["memory"]
        self._exports: Any = exports
        self._call("emscripten_stack_init")
        self._call("__wasm_call_ctors")
        table: Any = exports["__indirect_function_table"]
        pointer = wasmtime.ValType.i64() if memory64 else wasmtime.ValType.i32()
        on_reply = wasmtime.Func(
            self._store, wasmtime.FuncType([pointer, wasmtime.ValType.i32()], []), self._on_reply
        )
        slot = table.grow(self._store, 1, on_reply)
        self._buffer = self._unsigned(self._call("trace_processor_rpc_init", slot, REQUEST_BUFFER))

    def request(self, data: bytes) -> bytes:
        """Send bytes of the request stream; return all bytes of the reply stream.

        ValueError for more than `REQUEST_BUFFER` bytes. WasmAborted if the module aborts or has
        aborted, or if the instance is closed.
        """
        if len(data) > REQUEST_BUFFER:
            raise ValueError(f"request of {len(data)} bytes is larger than the buffer")
        if self._dead is not None:
            raise WasmAborted(self._dead)
        self._memory.write(self._store, data, self._buffer)
        self._replies.clear()
        self._call("trace_processor_on_rpc_request", len(data))
        return b"".join(self._replies)

    def close(self) -> None:
        """Free the memory. May be called twice."""
        self._dead = self._dead or "the engine was closed"
        self._exports = self._memory = None
        self._store.close()

    def _call(self, name: str, *args: int) -> int:
        try:
            # A signal handler that raises while wasmtime calls back into Python would unwind
            # compiled code: about one Ctrl-C in three ended in SIGSEGV.
            with signals_held(python_handlers_only=True):
                return self._exports[name](self._store, *args) or 0
        except (wasmtime.WasmtimeError, wasmtime.Trap, _AbortedItself) as error:
            lines = bytes(self._log[-400:]).decode("utf-8", "replace").strip().splitlines()
            cause = lines[-1] if lines else str(error).splitlines()[0]
            self._dead = f"the trace processor gave up: {cause}"
            raise WasmAborted(self._dead) from error

    def _unsigned(self, value: int) -> int:
        return value & ((1 << (8 * self._word)) - 1)

    def _read(self, address: int, size: int) -> bytearray:
        start = self._unsigned(address)
        data: bytearray = self._memory.read(self._store, start, start + size)
        return data

    def _write(self, address: int, data: bytes) -> None:
        self._memory.write(self._store, data, self._unsigned(address))

    def _on_reply(self, address: int, size: int) -> None:
        self._replies.append(bytes(self._read(address, size & 0xFFFFFFFF)))

    # What Emscripten's JavaScript would provide.

    def _import(self, imported: Any) -> wasmtime.Func:
        signature = imported.type
        name = str(imported.name)
        provided: dict[str, Callable[..., Any]] = {
            "emscripten_get_now": lambda: time.monotonic() * 1e3,
            "emscripten_date_now": lambda: time.time() * 1e3,
            "clock_time_get": self._clock_time_get,
            "emscripten_get_heap_max": lambda: self._signed(self._heap_max),
            "emscripten_resize_heap": self._resize_heap,
            "emscripten_err": lambda text: self._log_line(self._c_string(text)),
            "__assert_fail": self._assert_fail,
            "_abort_js": self._abort,
            "fd_write": self._fd_write,
            "environ_sizes_get": self._environ_sizes_get,
            "environ_get": lambda pointers, text: 0,
            "_tzset_js": self._tzset,
            "_timegm_js": self._timegm,
            "_gmtime_js": self._gmtime,
            "_localtime_js": self._gmtime,
        }
        function = provided.get(name)
        if function is None:
            # Files and memory maps: not provided. WASI functions return a positive errno.
            failure = errno.ENOSYS if str(imported.module).startswith("wasi") else -errno.ENOSYS
            function = (lambda *_: failure) if signature.results else (lambda *_: None)
        return wasmtime.Func(self._store, signature, function)

    def _signed(self, value: int) -> int:
        bits = 8 * self._word
        return value - (1 << bits) if value >> (bits - 1) else value

    def _log_line(self, text: bytes) -> None:
        self._log += text + b"\n"
        del self._log[:-4096]

    def _c_string(self, address: int) -> bytes:
        if not address:
            return b""
        start = self._unsigned(address)
        end = min(start + 512, self._memory.data_len(self._store))
        return bytes(self._memory.read(self._store, start, end)).partition(b"\0")[0]

    def _abort(self) -> None:
        raise _AbortedItself

    def _assert_fail(self, condition: int, file: int, line: int, function: int) -> None:
        self._log_line(b"assertion failed: " + self._c_string(condition))
        raise _AbortedItself

    def _resize_heap(self, size: int) -> int:
        needed = self._unsigned(size)
        current: int = self._memory.data_len(self._store)
        if needed <= self._heap_max:
            # Grow by at least a fifth if possible: fewer and larger steps.
            preferred = min(max(needed, current + current // 5), self._heap_max)
            for goal in (preferred, needed):
                with contextlib.suppress(wasmtime.WasmtimeError):
                    self._memory.grow(self._store, -(-(goal - current) // _PAGE))
                    return 1
        self._log_line(b"out of memory")
        return 0

    def _clock_time_get(self, clock: int, precision: int, out: int) -> int:
        now = time.time_ns() if clock == 0 else time.monotonic_ns()
        self._write(out, struct.pack("<Q", now))
        return 0

    def _fd_write(self, fd: int, vectors: int, count: int, out: int) -> int:
        written = 0
        vector = struct.Struct(f"<2{self._pointer[1]}")
        for index in range(count & 0xFFFFFFFF):
            address, size = vector.unpack(self._read(vectors + index * vector.size, vector.size))
            self._log += self._read(address, size)
            written += size
        del self._log[:-4096]
        self._write(out, struct.pack(self._pointer, written))
        return 0

    def _environ_sizes_get(self, count: int, size: int) -> int:
        self._write(count, struct.pack(self._pointer, 0))
        self._write(size, struct.pack(self._pointer, 0))
        return 0

    def _tzset(self, timezone: int, daylight: int, standard_name: int, daylight_name: int) -> None:
        # Always UTC: a trace must give the same figures in every time zone.
        self._write(timezone, struct.pack(self._pointer, 0))
        self._write(daylight, struct.pack("<i", 0))
        for name in (standard_name, daylight_name):
            self._write(name, b"UTC\0")

    def _timegm(self, tm: int) -> int:
        sec, minute, hour, day, month, year = struct.unpack("<6i", self._read(tm, 24))
        return calendar.timegm((year + 1900, month + 1, day, hour, minute, sec))

    def _gmtime(self, seconds: int, tm: int) -> None:
        year, month, day, hour, minute, sec, weekday, yearday, _ = time.gmtime(seconds)
        fields = (sec, minute, hour, day, month - 1, year - 1900, (weekday + 1) % 7, yearday - 1, 0)
        self._write(tm, struct.pack("<9i", *fields))
