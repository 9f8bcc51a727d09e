"""An adb server: the suite's own on a port of its own, or one that already runs."""

from __future__ import annotations

import atexit
import contextlib
import importlib.resources
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from adbutils.errors import AdbError

from foundation.errors import HostError, LabError, UsageError
from foundation.ports import free_port
from harness.device.adb.adb_link import Client, error_from_adb
from harness.device.adb.addresses import is_address
from harness.device.deadline import Deadline, wait_until

DEFAULT_PORT: Final = 5037
_START_ATTEMPTS: Final = 5

# The shell becomes adb. It first forks a watcher that ends adb once the write end of its
# stdin is closed: by stop(), or by the kernel when this process dies, however it dies. The
# watcher checks its parent, since the pid may have been reused.
_GUARDED: Final = """
exec 3<&0 </dev/null
(
    read -r _ <&3
    read -r _ _ _ parent _ </proc/self/stat
    [ "$parent" = "$$" ] && kill "$$"
) >/dev/null 2>&1 &
exec "$@" 3<&-
"""


@dataclass(frozen=True)
class ListedDevice:
    """One line of ``adb devices``: ``state`` is device, offline, unauthorized, ..."""

    serial: str
    state: str


def adb_binary() -> Path:
    """The adb in the adbutils wheel, else the one in PATH. HostError if there is none."""
    bundled = importlib.resources.files("adbutils") / "binaries" / "adb"
    with importlib.resources.as_file(bundled) as path:
        if path.is_file() and os.access(path, os.X_OK):
            return path
    adb = shutil.which("adb")
    if adb is None:
        raise HostError(
            "there is no adb on this machine: neither in adbutils nor in PATH",
            next_step="install the Android platform tools",
        )
    return Path(adb)


class AdbServer:
    """One adb server.

    `start` runs the suite's own: it listens on a free loopback port (never 5037), does not look
    for network services, nor unasked for emulators, and ends with `stop`, at exit, or when this
    process dies.
    `attach` uses a running server and never ends it. As a context manager it ends in `stop`.
    """

    def __init__(self, port: int, process: subprocess.Popen[bytes] | None, log: IO[bytes] | None) -> None:
        self.port = port
        self.client = Client("127.0.0.1", port, socket_timeout=10.0)
        self._process = process
        self._log = log

    @classmethod
    def start(cls, *, usb: bool = False, emulators: bool = False, deadline_s: float = 20.0) -> Self:
        """Start one and wait until it answers. HostError if it does not.

        ``usb`` lets it claim phones on USB, which it takes from any other server. ``emulators`` lets it
        look for emulators on this machine's ports 5555 to 5585.
        """
        deadline = Deadline(deadline_s)
        log = ""
        for _ in range(_START_ATTEMPTS):
            server = cls._launch(usb=usb, emulators=emulators)
            # If another process takes the port before adb binds it, adb ends.
            wait_until(lambda: server.alive or not server.running, deadline)  # noqa: B023
            if server.running and server.alive:
                atexit.register(server.stop)
                return server
            log = server._log_tail()
            server.stop()
            if deadline.passed:
                break
        raise HostError(
            f"the adb server did not come up within {deadline_s:g} s: {log or 'its log is empty'}",
            next_step=f"run it by hand: {adb_binary()} server nodaemon",
        )

    @classmethod
    def attach(cls, port: int = DEFAULT_PORT) -> Self:
        """Use the server on ``port`` of this machine. LabError if none answers, UsageError for the port."""
        if not 0 < port < 65536:
            raise UsageError(f"{port} is not a port", next_step="give a port from 1 to 65535")
        server = cls(port, None, None)
        if not server.alive:
            raise LabError(
                f"no adb server answers on port {port}",
                next_step="give the port of a running one, or omit it to use the suite's own",
            )
        return server

    @classmethod
    def _launch(cls, *, usb: bool, emulators: bool) -> Self:
        port = free_port(avoid=(DEFAULT_PORT,))
        # A file without a name leaves nothing behind; the server keeps it open to its end.
        log = tempfile.TemporaryFile()  # noqa: SIM115
        env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("ANDROID_ADB")},
            "ADB_LOCAL_TRANSPORT_MAX_PORT": "5585" if emulators else "0",
            "ADB_EMU": "1" if emulators else "0",
            "ADB_MDNS": "0",
            "ADB_USB": "1" if usb else "0",
        }
        env.pop("ADB_SERVER_SOCKET", None)
        command = [str(adb_binary()), "-L", f"tcp:localhost:{port}", "server", "nodaemon"]
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARDED, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                cwd="/",
                # Ctrl-C in the terminal must not end it: the restore needs it.
                start_new_session=True,
            )
        except OSError as error:
            log.close()
            raise HostError(f"the adb server could not be started: {error}") from error
        return cls(port, process, log)

    @property
    def owned(self) -> bool:
        """Whether this process started it."""
        return self._process is not None

    @property
    def running(self) -> bool:
        """Whether the process of the suite's own server lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def alive(self) -> bool:
        """Whether a server answers on the port."""
        try:
            self.client.server_version()
        except (AdbError, OSError, ValueError):
            return False
        return True

    def devices(self) -> list[ListedDevice]:
        """The devices that the server lists. LabError if it is gone."""
        try:
            return [ListedDevice(info.serial, info.state) for info in self.client.list()]
        except (AdbError, OSError) as error:
            raise self._gone() from error

    def state_of(self, serial: str) -> str | None:
        """``device``, ``offline``, ``unauthorized``, ..., or None for a serial that is not listed."""
        return next((device.state for device in self.devices() if device.serial == serial), None)

    def connect(self, address: str, *, deadline_s: float = 30.0) -> str:
        """Connect to adbd on ``HOST:PORT`` and wait until it is in state ``device``; its serial.

        Retries until the deadline: a port forwarder may accept before the device listens.
        LabError if it stays offline or refuses, and at once if it is unauthorized; UsageError
        for a malformed address.
        """
        port = address.rpartition(":")[2]
        if not (port.isdecimal() and 0 < int(port) < 65536):
            raise UsageError(
                f"{address} is not an address: its port must be 1 to 65535",
                next_step="write HOST:PORT, such as 192.168.1.20:5555, or vsock:CID:PORT",
            )
        deadline = Deadline(deadline_s)
        reason = "no answer"

        def decided() -> bool:
            nonlocal reason
            state = self.state_of(address)
            if state not in ("device", "unauthorized"):
                # An offline one stays offline until it is disconnected.
                self.disconnect(address)
                reason = self._try_connect(address, deadline)
                state = self.state_of(address)
            if state == "unauthorized":
                raise error_from_adb(state, address)
            if state == "offline":
                reason = "it is offline: it accepts the connection but does not answer"
            return state == "device"

        if wait_until(decided, deadline, every_s=0.1):
            return address
        raise LabError(
            f"no device within {deadline_s:g} s: {reason}",
            device=address,
            next_step="check that the device is up and that its adbd listens on this address",
        )

    def disconnect(self, address: str) -> None:
        """Disconnect a network device; does nothing for an unknown one."""
        with contextlib.suppress(AdbError, OSError):
            self.client.disconnect(address)

    def wait_for_device(self, serial: str, *, deadline_s: float) -> bool:
        """Wait for state ``device``, reconnecting a network device; whether it got there."""
        if is_address(serial):
            try:
                self.connect(serial, deadline_s=deadline_s)
            except LabError:
                return False
            return True
        return wait_until(lambda: self.state_of(serial) == "device", Deadline(deadline_s), every_s=0.2)

    def _log_tail(self) -> str:
        if self._log is None or self._log.closed:
            return ""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 2000))
        return self._log.read().decode("utf-8", "replace").strip()

    def stop(self, *, deadline_s: float = 5.0) -> None:
        """End the suite's own server; leaves an attached one alone. May be called twice."""
        process = self._process
        if process is None:
            return
        atexit.unregister(self.stop)
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(deadline_s)
        if self._log is not None:
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _try_connect(self, address: str, deadline: Deadline) -> str:
        try:
            answer: str = self.client.connect(address, timeout=max(deadline.left_s, 0.1))
        except (AdbError, OSError) as error:
            if not self.alive:
                raise self._gone() from error
            return str(error)
        return answer.strip()

    def _gone(self) -> LabError:
        return LabError(
            f"the adb server on port {self.port} does not answer",
            next_step="start again" if self.owned else "start it again, or omit --adb-port",
        )
