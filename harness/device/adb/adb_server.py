"""An adb server of our own on a port of its own, or one that somebody else runs."""

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
from harness.device.deadline import Deadline, wait_until

DEFAULT_PORT: Final = 5037
_START_ATTEMPTS: Final = 5

# The shell becomes adb. Before that it leaves a watcher behind, which ends adb once the
# write end of its stdin is closed: by stop(), or by the kernel when this process dies,
# however it dies. The watcher asks who its parent is, for the pid may have been reused.
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
    """The adb that comes with adbutils, else the one in PATH. HostError if there is none."""
    bundled = importlib.resources.files("adbutils") / "binaries" / "adb"
    with importlib.resources.as_file(bundled) as path:
        if path.is_file() and os.access(path, os.X_OK):
            return path
    found = shutil.which("adb")
    if found is None:
        raise HostError(
            "no adb for this machine: adbutils brings none and PATH has none",
            next_step="install the Android platform tools",
        )
    return Path(found)


class AdbServer:
    """One adb server.

    `start` runs one that belongs to this process: it listens on the loopback interface
    on a free port (never 5037), looks for no emulators and no network services, and ends
    with `stop`, at exit, or when this process dies. `attach` uses a running server and
    never ends it. Also a context manager, which stops an own server.
    """

    def __init__(self, port: int, process: subprocess.Popen[bytes] | None, log: IO[bytes] | None) -> None:
        self.port = port
        self.client = Client("127.0.0.1", port, socket_timeout=10.0)
        self._process = process
        self._log = log

    @classmethod
    def start(cls, *, usb: bool = False, deadline_s: float = 20.0) -> Self:
        """Start one and wait until it answers.

        ``usb`` lets it claim phones on USB, which it takes away from any other server.
        HostError when it does not come up.
        """
        deadline = Deadline(deadline_s)
        said = ""
        for _ in range(_START_ATTEMPTS):
            server = cls._launch(usb=usb)
            # Another process may take the port between choosing and binding: then adb ends.
            wait_until(lambda: server.alive or not server.running, deadline)  # noqa: B023
            if server.running and server.alive:
                atexit.register(server.stop)
                return server
            said = server.log_tail()
            server.stop()
            if deadline.passed:
                break
        raise HostError(
            f"the adb server did not come up within {deadline_s:g} s: {said or 'it said nothing'}",
            next_step=f"run {adb_binary()} server nodaemon by hand",
        )

    @classmethod
    def attach(cls, port: int = DEFAULT_PORT) -> Self:
        """Use the server that listens on ``port`` of this machine. LabError if none answers."""
        if not 0 < port < 65536:
            raise UsageError(
                f"{port} is not a port", next_step="give the port of the adb server, 1 to 65535"
            )
        server = cls(port, None, None)
        if not server.alive:
            raise LabError(
                f"no adb server answers on port {port}",
                next_step="run 'adb start-server', or leave the port out to use the suite's own server",
            )
        return server

    @classmethod
    def _launch(cls, *, usb: bool) -> Self:
        port = free_port(avoid=(DEFAULT_PORT,))
        # The server keeps its descriptors to the end; a file that has no name leaves nothing behind.
        log = tempfile.TemporaryFile()  # noqa: SIM115
        env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("ANDROID_ADB")},
            "ADB_LOCAL_TRANSPORT_MAX_PORT": "0",
            "ADB_EMU": "0",
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
                # Ctrl-C in the terminal must not reach it: the restore still needs it.
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
        """Whether an own server's process lives."""
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
        """What the server sees. LabError when it is gone."""
        try:
            return [ListedDevice(info.serial, info.state) for info in self.client.list()]
        except (AdbError, OSError) as error:
            raise self._gone() from error

    def state_of(self, serial: str) -> str | None:
        """``device``, ``offline``, ``unauthorized``, ..., or None for a serial it does not see."""
        return next((known.state for known in self.devices() if known.serial == serial), None)

    def connect(self, address: str, *, deadline_s: float = 30.0) -> str:
        """Connect to an adb daemon on ``HOST:PORT`` and wait until it is a device; its serial.

        Tries again until the deadline: what forwards a port may accept before the device
        listens. LabError when it does not become a device (offline, refused), and at once
        when it is unauthorized; UsageError for an address that cannot be one.
        """
        port = address.rpartition(":")[2]
        if not (port.isdecimal() and 0 < int(port) < 65536):
            raise UsageError(
                f"{address} is no address: its port must be a number from 1 to 65535",
                next_step="write HOST:PORT, such as 192.168.1.20:5555",
            )
        deadline = Deadline(deadline_s)
        said = "no answer"

        def decided() -> bool:
            nonlocal said
            state = self.state_of(address)
            if state not in ("device", "unauthorized"):
                # One that is offline stays so until it is forgotten.
                self.disconnect(address)
                said = self._ask_connect(address, deadline)
                state = self.state_of(address)
            if state == "unauthorized":
                raise error_from_adb(state, address)
            if state == "offline":
                said = "it is offline: it accepts the connection but does not answer"
            return state == "device"

        if wait_until(decided, deadline, every_s=0.1):
            return address
        raise LabError(
            f"no device within {deadline_s:g} s: {said}",
            device=address,
            next_step="check that the device is up and that its adb daemon listens on this address",
        )

    def disconnect(self, address: str) -> None:
        """Forget a device on the network; one that is not known is left as it is."""
        with contextlib.suppress(AdbError, OSError):
            self.client.disconnect(address)

    def wait_for_device(self, serial: str, *, deadline_s: float) -> bool:
        """Wait until ``serial`` is a device; reconnects one on the network. Whether it is."""
        if ":" in serial:
            try:
                self.connect(serial, deadline_s=deadline_s)
            except LabError:
                return False
            return True
        return wait_until(lambda: self.state_of(serial) == "device", Deadline(deadline_s), every_s=0.2)

    def log_tail(self) -> str:
        """Last lines of an own server's log."""
        if self._log is None or self._log.closed:
            return ""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 2000))
        return self._log.read().decode("utf-8", "replace").strip()

    def stop(self, *, deadline_s: float = 5.0) -> None:
        """End an own server; does nothing to another's. May be called twice."""
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

    def _ask_connect(self, address: str, deadline: Deadline) -> str:
        try:
            said: str = self.client.connect(address, timeout=max(deadline.left_s, 0.1))
        except (AdbError, OSError) as error:
            if not self.alive:
                raise self._gone() from error
            return str(error)
        return said.strip()

    def _gone(self) -> LabError:
        return LabError(
            f"the adb server on port {self.port} does not answer",
            next_step="start again" if self.owned else "run 'adb start-server'",
        )
