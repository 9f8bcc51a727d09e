"""One stream to a service of one device through an adb server; adb's failures become the suite's errors."""

from __future__ import annotations

import socket
from types import TracebackType
from typing import Final, NoReturn, Self

from adbutils import AdbClient
from adbutils._adb import AdbConnection
from adbutils.errors import AdbError

from foundation.errors import CommandTimeout, DeviceError, DeviceLost, LabError, SuiteError
from harness.device.adb.own_adb import own_adb
from harness.device.deadline import Deadline

#: Most bytes of one recv.
_CHUNK: Final = 256 * 1024

#: Words of adb about a device that is gone, or not up yet.
_LOST: Final = ("not found", "offline", "authorizing", "connecting", "disconnected")

UNAUTHORIZED_ADVICE: Final = (
    "unlock the device and accept 'Allow USB debugging' for this host; "
    "if no dialog shows, revoke USB debugging authorizations in the developer options and plug in again"
)


class _Connection(AdbConnection):  # type: ignore[misc]  # adbutils has no type information
    """adbutils' connection, except that it never starts an adb server on port 5037."""

    def _safe_connect(self) -> socket.socket:
        made: socket.socket = self._create_socket()
        return made


class Client(AdbClient):  # type: ignore[misc]  # adbutils has no type information
    """adbutils' client for a server that already runs."""

    def make_connection(self, timeout: float | None = None) -> AdbConnection:
        """Connect to the server; ``timeout`` in seconds. AdbError if it does not answer."""
        connection = _Connection(self.host, self.port)
        if timeout:
            connection.conn.settimeout(timeout)
        return connection


def error_from_adb(text: str, serial: str) -> SuiteError:
    """The suite's error for a failure that an adb server reports about a device."""
    reason = text.strip()
    if "unauthorized" in reason:
        return LabError("the device does not trust this host", device=serial, next_step=UNAUTHORIZED_ADVICE)
    if "no permissions" in reason:
        return LabError(
            "this user has no permission to open the device's USB interface",
            device=serial,
            next_step="add a udev rule for the device's vendor, and plug it in again",
        )
    if any(word in reason for word in _LOST):
        return DeviceLost(reason, device=serial, next_step="check the cable, and that the device is up")
    return DeviceError(f"adb reports: {reason}", device=serial)


class AdbStream:
    """Bytes to and from one service (``shell,v2:``, ``sync:``) of a device.

    Every call raises CommandTimeout at the deadline, and DeviceLost when the connection is
    lost. Close it, or use it as a context manager.
    """

    def __init__(
        self, client: Client, serial: str, service: str, deadline: Deadline, *, doing: str
    ) -> None:
        self._serial = serial
        self._doing = doing
        self._deadline = deadline
        self._connection: AdbConnection | None = None
        try:
            self._connection = client.make_connection()
            self._request(f"host:tport:serial:{serial}")
            self.read_exact(8)
            self._request(service)
        except AdbError as error:
            self.close()
            raise self._error(client, str(error)) from error
        except BaseException:
            self.close()
            raise

    @property
    def sock(self) -> socket.socket:
        """The open socket. DeviceLost once it is closed."""
        connection = self._connection
        if connection is None:
            raise DeviceLost(f"the connection was closed during {self._doing}", device=self._serial)
        sock: socket.socket = connection.conn
        return sock

    def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        sock = self.sock
        self._arm(sock)
        try:
            sock.sendall(data)
        except TimeoutError:
            self._time_out()
        except OSError as error:
            raise self._lost(error) from error

    def read_some(self, size: int = _CHUNK) -> bytes:
        """Up to ``size`` bytes; empty at the end of the stream."""
        sock = self.sock
        self._arm(sock)
        try:
            return sock.recv(size)
        except TimeoutError:
            self._time_out()
        except OSError as error:
            raise self._lost(error) from error

    def read_exact(self, size: int) -> bytes:
        """Exactly ``size`` bytes; DeviceLost if the stream ends first."""
        parts: list[bytes] = []
        left = size
        while left:
            part = self.read_some(min(left, _CHUNK))
            if not part:
                raise self._lost()
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def extend(self, deadline: Deadline) -> None:
        """Use ``deadline`` from now on."""
        self._deadline = deadline

    def close(self) -> None:
        """Close it; may be called twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # Not AdbConnection.close: it sleeps, and a shutdown is not needed here.
            connection.conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _request(self, command: str) -> None:
        payload = command.encode("utf-8", "surrogateescape")
        self.send(f"{len(payload):04x}".encode() + payload)
        status = self.read_exact(4)
        if status == b"FAIL":
            size = int(self.read_exact(4), 16)
            raise AdbError(self.read_exact(size).decode("utf-8", "replace"))
        if status != b"OKAY":
            raise AdbError(f"answer {status!r} to {command[:40]}")

    def _error(self, client: Client, reason: str) -> SuiteError:
        if "connect to adb server" in reason:
            return DeviceLost(
                f"the adb server on port {client.port} is gone",
                device=self._serial,
                next_step="start again: the suite then starts its own server",
            )
        if reason != "closed":
            return error_from_adb(reason, self._serial)
        # adb reports this both for a service that the device refuses and for a transport that died.
        try:
            up = any(info.serial == self._serial and info.state == "device" for info in client.list())
        except (AdbError, OSError):
            up = False
        if up:
            return DeviceError(f"the device refused {self._doing}", device=self._serial)
        return self._lost()

    def _arm(self, sock: socket.socket) -> None:
        if self._deadline.passed:
            self._time_out()
        sock.settimeout(max(self._deadline.left_s, 0.001))

    def _time_out(self) -> NoReturn:
        raise CommandTimeout(
            f"no end of {self._doing} after {self._deadline.seconds:g} s",
            device=self._serial,
            next_step="see whether the device still answers: "
            + own_adb("shell", "true", serial=self._serial),
        )

    def _lost(self, error: OSError | None = None) -> DeviceLost:
        why = f" ({error.strerror})" if error is not None and error.strerror else ""
        return DeviceLost(
            f"the connection was lost during {self._doing}{why}",
            device=self._serial,
            next_step="check the cable, and whether the device rebooted",
        )
