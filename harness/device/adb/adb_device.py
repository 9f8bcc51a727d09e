"""A device behind adb: every command has a deadline and an exit status, and file transfers are verified."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from adbutils.errors import AdbError

from foundation.contract.device import CommandResult
from foundation.contract.refusals import advice_on
from foundation.errors import (
    CommandFailed,
    CommandTimeout,
    DeviceError,
    DeviceLost,
    HostError,
    LabError,
    SuiteError,
    UsageError,
)
from foundation.files import replacing
from foundation.quoting import quote, quote_argv
from harness.device.adb import shell_v2, su, sync_service
from harness.device.adb.adb_link import AdbStream, error_from_adb
from harness.device.adb.adb_server import AdbServer
from harness.device.adb.remote_process import AdbProcess
from harness.device.adb.shell_v2 import ShellStream
from harness.device.adb.su import Tried
from harness.device.adb.sync_service import RemoteStat, SyncSession
from harness.device.command_log import log_command, shorten
from harness.device.deadline import Deadline, wait_until

TRANSFER_DEADLINE_S: Final = 600.0
_KILL_DEADLINE_S: Final = 5.0
_ROOT_DEADLINE_S: Final = 10.0
#: Files below these have no meaningful size in stat(2).
_WITHOUT_SIZE: Final = ("/proc/", "/sys/", "/dev/")


class AdbDevice:
    """The suite's Device over one adb server.

    ``su`` runs every command through the device's ``su``, for phones whose adbd cannot be root;
    DeviceError at the first command if it is refused. Push and pull always act as the adb user.
    Thread-safe: each call has its own stream.
    """

    def __init__(self, server: AdbServer, serial: str, emulated: bool = False, *, su: bool = False) -> None:
        self.serial = serial
        self.emulated = emulated
        self.keeps_settings = not emulated
        self._server = server
        self._su = su
        self._was_root = False
        self._root_refused: str | None = None

    def __repr__(self) -> str:
        return f"AdbDevice({self.serial})"

    @property
    def is_root(self) -> bool:
        """Whether commands run as uid 0."""
        root = self._uid == 0
        self._was_root |= root
        return root

    @functools.cached_property
    def features(self) -> frozenset[str]:
        """Features that the device's adbd announces. Raises what `error_from_adb` makes of a failure."""
        try:
            connection = self._server.client.make_connection(timeout=10.0)
            with contextlib.closing(connection.conn):
                connection.send_command(f"host-serial:{self.serial}:features")
                connection.check_okay()
                return frozenset(str(connection.read_string_block()).split(","))
        except AdbError as error:
            raise error_from_adb(str(error), self.serial) from error

    def shell(
        self,
        argv: Sequence[str],
        *,
        deadline_s: float = 30.0,
        check: bool = True,
        stdin: bytes | None = None,
    ) -> CommandResult:
        """Run one command; every word is quoted. CommandFailed if ``check`` and non-zero.

        A command that overruns its deadline is killed on the device and raises CommandTimeout.
        """
        return self._run(quote_argv(argv), deadline_s, check=check, stdin=stdin)

    def script(self, text: str, *, deadline_s: float = 30.0, check: bool = True) -> CommandResult:
        """Run shell text unchanged, in one round trip; the caller quotes values with `quote`.

        The exit status is that of the last command: start with ``set -e`` where each one counts.
        """
        return self._run(text, deadline_s, check=check)

    def sleep(self, dur_s: float) -> None:
        """Wait: the device's time is the host's."""
        time.sleep(dur_s)

    def spawn(self, argv: Sequence[str], *, deadline_s: float = 30.0) -> AdbProcess:
        """Start a command and leave it running until `AdbProcess.stop`.

        ``deadline_s`` applies to its start only. A missing program exits with status 127.
        """
        command = quote_argv(argv)
        deadline = Deadline(deadline_s)
        with log_command(self.serial, f"{command} &") as logged:
            shell, stdin = self._open_shell(f"exec {command}", None, deadline, doing=shorten(command))
            try:
                shell.feed(stdin)
                process = AdbProcess(shell, command, functools.partial(self._run, check=False))
            except BaseException:
                shell.stream.close()
                raise
            logged.outcome = f"runs as pid {process.pid}"
        return process

    def push(
        self,
        local: Path,
        remote: str,
        *,
        mode: int = 0o644,
        deadline_s: float = TRANSFER_DEADLINE_S,
        sha256: bool = False,
    ) -> None:
        """Copy a file and verify its size there (and hash if ``sha256``). UsageError, DeviceError."""
        try:
            with local.open("rb") as content:
                self._push(content, remote, mode, deadline_s, sha256=sha256)
        except OSError as error:
            raise UsageError(f"{local} cannot be read: {error.strerror}") from error

    def push_bytes(
        self, content: bytes, remote: str, *, mode: int = 0o644, deadline_s: float = TRANSFER_DEADLINE_S
    ) -> None:
        """As `push`, from memory."""
        self._push(io.BytesIO(content), remote, mode, deadline_s, sha256=False)

    def pull(
        self,
        remote: str,
        local: Path,
        *,
        progress: Callable[[int], None] | None = None,
        deadline_s: float = TRANSFER_DEADLINE_S,
        sha256: bool = False,
    ) -> None:
        """Copy a file from the device; ``local`` appears complete or not at all.

        The size is verified, except for files of /proc, /sys and /dev, which have none; a file
        that grows meanwhile is accepted. ``progress`` takes the bytes so far. DeviceError, HostError.
        """
        try:
            with replacing(local) as partial:
                with partial.open("wb") as content:
                    digest = self._pull(remote, content, progress, deadline_s)
                if sha256 and digest != self._sha256(remote):
                    raise DeviceError(
                        f"{remote} has a different SHA-256 after the transfer", device=self.serial
                    )
        except OSError as error:
            raise HostError(
                f"{local} cannot be written: {error.strerror}", next_step="check the free disk space: df"
            ) from error

    def read_text(self, remote: str, *, deadline_s: float = 10.0) -> str:
        """Return the content of a small text file. CommandFailed with the kernel's reason."""
        return self._run(f"cat {quote(remote)}", deadline_s).stdout

    def write_text(self, remote: str, text: str, *, deadline_s: float = 10.0) -> None:
        """Write ``text`` in one write(2) (up to 4 KiB), as files of /proc and /sys need it.

        CommandFailed with the kernel's reason if the file cannot be opened or refuses the text.
        Empty text only truncates.
        """
        # cat, not the shell's printf, which does not report errno in some shells.
        self._run(f"cat > {quote(remote)}", deadline_s, stdin=text.encode("utf-8", "surrogateescape"))

    def stat(self, remote: str, *, deadline_s: float = 10.0) -> RemoteStat | None:
        """Size and mode, or None if it does not exist or is hidden from the adb user."""
        with self._sync(deadline_s, f"the stat of {remote}") as sync:
            return sync.stat(remote)

    def reboot(self, to: str = "", *, deadline_s: float = 30.0) -> None:
        """Reboot through adbd, without root. The device is lost until `reconnect`.

        ``to`` is ``bootloader``, ``fastboot`` (fastbootd) or empty for Android.
        """
        deadline = Deadline(deadline_s)
        with contextlib.suppress(SuiteError):
            # `reconnect` asks for root again only if it was there.
            _ = self.is_root
        with (
            contextlib.suppress(DeviceLost),
            log_command(self.serial, f"reboot {to}".rstrip()),
            self._stream(f"reboot:{to}", deadline, "the reboot") as stream,
        ):
            # adbd closes the stream, or just goes away.
            while stream.read_some():
                pass

    def reconnect(self, *, deadline_s: float) -> bool:
        """Wait after DeviceLost until the device answers a command again; whether it does.

        If adbd was root and a restart of the phone has ended that, it is asked to be root again:
        ``service.adb.root`` is not persistent. `check_root` tells whether that failed.
        """
        deadline = Deadline(deadline_s)
        self._root_refused = None

        def answers() -> bool:
            for cached in ("features", "_uid", "_su_form"):
                self.__dict__.pop(cached, None)
            try:
                # The server still lists a device just after it is gone: only an answer counts.
                return (
                    self._server.wait_for_device(self.serial, deadline_s=max(deadline.left_s, 0.1))
                    and self.shell(["true"], deadline_s=max(deadline.left_s, 1.0)).exit_status == 0
                    and (self._su or not self._was_root or self.is_root or self._root_is_refused())
                )
            except SuiteError:
                return False

        return wait_until(answers, deadline, every_s=0.1)

    def check_root(self) -> None:
        """DeviceError if adbd was root before the last `reconnect`, and did not become root again."""
        if self._root_refused is not None:
            raise DeviceError(
                f"adbd was root, and is not root after the restart: {self._root_refused}",
                device=self.serial,
                next_step="allow root for adb in the developer options, or use --su",
            )

    def _root_is_refused(self) -> bool:
        """Ask adbd to be root, as ``adb root`` does; False if it restarts, and is to be asked again.

        Its answers: packages/modules/adb/daemon/restart_service.cpp.
        """
        said = b""
        try:
            with (
                log_command(self.serial, "root"),
                self._stream("root:", Deadline(_ROOT_DEADLINE_S), "the request for root") as stream,
            ):
                while part := stream.read_some():
                    said += part
        except LabError:
            # It may go away before its answer is through.
            return False
        except DeviceError as error:
            said = error.what.encode()
        answer = said.decode("utf-8", "replace").strip()
        if not answer or "restarting" in answer or "already running" in answer:
            return False
        self._root_refused = answer
        return True

    @functools.cached_property
    def _uid(self) -> int:
        answer = self.shell(["id", "-u"]).stdout.strip()
        if not answer.isdigit():
            raise DeviceError(f"'id -u' printed {answer[:60]!r}", device=self.serial)
        return int(answer)

    @functools.cached_property
    def _su_form(self) -> str:
        def run(text: str) -> Tried:
            command = f"{shell_v2.SERVICE}echo $$; {text}"
            with self._stream(command, Deadline(su.DEADLINE_S), "su") as stream:
                shell = ShellStream(stream, self.serial)
                shell.feed(None)
                try:
                    status: int | None = shell.read_to_end()
                except CommandTimeout:
                    status = None
                return Tried(status, shell.text("stdout"), shell.dur_s)

        return su.find_form(run, serial=self.serial)

    def _run(
        self, text: str, deadline_s: float, *, check: bool = True, stdin: bytes | None = None
    ) -> CommandResult:
        result = self._send(text, deadline_s, stdin)
        if check and result.exit_status != 0:
            printed = (result.stderr.strip() or result.stdout.strip())[-300:] or "it printed nothing"
            raise CommandFailed(
                f"'{shorten(text)}' ended with exit status {result.exit_status}: {printed}",
                exit_status=result.exit_status,
                stdout=result.stdout,
                stderr=result.stderr,
                device=self.serial,
                next_step=advice_on(f"{result.stderr} {result.stdout}"),
            )
        return result

    def _send(self, text: str, deadline_s: float, stdin: bytes | None) -> CommandResult:
        deadline = Deadline(deadline_s)
        with log_command(self.serial, text) as logged:
            shell, fed = self._open_shell(text, stdin, deadline, doing=f"'{shorten(text)}'")
            with shell.stream:
                try:
                    shell.feed(fed)
                    status = shell.read_to_end()
                except CommandTimeout as error:
                    stopped = self._stop_late(shell.pid)
                    raise shell_v2.timed_out(text, deadline_s, self.serial, stopped=stopped) from error
                except KeyboardInterrupt:
                    self._stop_late(shell.pid)
                    raise
            logged.outcome = f"exit {status}"
        return CommandResult(status, shell.text("stdout"), shell.text("stderr"), shell.dur_s)

    def _open_shell(
        self, text: str, stdin: bytes | None, deadline: Deadline, *, doing: str
    ) -> tuple[ShellStream, bytes | None]:
        if "shell_v2" not in self.features:
            raise LabError(
                "its adbd has no shell v2, so exit statuses would be lost",
                device=self.serial,
                next_step="use Android 7 or newer",
            )
        command, fed = shell_v2.inline(text, stdin)
        if self._su:
            command = self._su_form.format(quote(command))
        stream = self._stream(shell_v2.SERVICE + command, deadline, doing)
        return ShellStream(stream, self.serial), fed

    def _stream(self, service: str, deadline: Deadline, doing: str) -> AdbStream:
        return AdbStream(self._server.client, self.serial, service, deadline, doing=doing)

    def _stop_late(self, pid: int | None) -> bool:
        """Kill a command that overran its deadline; whether it is gone."""
        if pid is None:
            return False
        gone = f"{shell_v2.kill_text(pid, 'KILL')}; sleep 0.1; ! kill -0 {pid} 2>/dev/null"
        deadline = Deadline(_KILL_DEADLINE_S)
        try:
            shell, fed = self._open_shell(gone, None, deadline, doing="the kill of a late command")
            with shell.stream:
                shell.feed(fed)
                return shell.read_to_end() == 0
        except SuiteError:
            return False

    @contextlib.contextmanager
    def _sync(self, deadline_s: float, doing: str) -> Iterator[SyncSession]:
        deadline = Deadline(deadline_s)
        v2 = "stat_v2" in self.features
        with self._stream(sync_service.SERVICE, deadline, doing) as stream:
            sync = SyncSession(stream, self.serial, v2=v2, deadline=deadline)
            yield sync
            sync.quit()

    def _push(
        self,
        content: io.BufferedReader | io.BytesIO,
        remote: str,
        mode: int,
        deadline_s: float,
        *,
        sha256: bool,
    ) -> None:
        with (
            log_command(self.serial, f"push to {quote(remote)}") as logged,
            self._sync(deadline_s, f"the push to {remote}") as sync,
        ):
            sent = sync.send(content, remote, mode)
            stored = sync.stat(remote)
            logged.outcome = f"{sent} bytes"
        if stored is None or stored.size != sent:
            size = "nothing" if stored is None else f"{stored.size} bytes"
            raise DeviceError(
                f"{sent} bytes were pushed to {remote}, which holds {size}",
                device=self.serial,
                next_step="check the space left on the device: df",
            )
        if sha256:
            content.seek(0)
            if hashlib.file_digest(content, "sha256").hexdigest() != self._sha256(remote):
                raise DeviceError(f"{remote} has a different SHA-256 after the push", device=self.serial)

    def _pull(
        self, remote: str, content: BinaryIO, progress: Callable[[int], None] | None, deadline_s: float
    ) -> str:
        digest = hashlib.sha256()
        got = 0
        with (
            log_command(self.serial, f"pull of {quote(remote)}") as logged,
            self._sync(deadline_s, f"the pull of {remote}") as sync,
        ):
            before = sync.stat(remote)
            if before is None:
                raise DeviceError(f"{remote} does not exist", device=self.serial)
            if before.is_dir:
                raise DeviceError(f"{remote} is a folder", device=self.serial, next_step="pull its files")
            for block in sync.receive(remote):
                content.write(block)
                digest.update(block)
                got += len(block)
                if progress is not None:
                    progress(got)
            after = sync.stat(remote)
            logged.outcome = f"{got} bytes"
        largest = max(before.size, after.size if after else 0)
        if not remote.startswith(_WITHOUT_SIZE) and not before.size <= got <= largest:
            raise DeviceError(
                f"{got} bytes of {remote} were pulled, but the device has {before.size}",
                device=self.serial,
                next_step="pull again; check the cable if it happens again",
            )
        return digest.hexdigest()

    def _sha256(self, remote: str) -> str:
        return self.shell(["sha256sum", remote], deadline_s=TRANSFER_DEADLINE_S).stdout.split()[0]
