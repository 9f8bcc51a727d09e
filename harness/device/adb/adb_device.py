"""A device behind adb: exit status and deadline of every command, verified files, processes that end."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from adbutils.errors import AdbError

from foundation.contract.device import CommandResult
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
from harness.device.adb import shell_v2, sync_service
from harness.device.adb.adb_link import AdbStream, error_from_adb
from harness.device.adb.adb_server import AdbServer
from harness.device.adb.remote_process import AdbProcess
from harness.device.adb.shell_v2 import ShellStream, shorten
from harness.device.adb.sync_service import BLOCK, RemoteStat, SyncSession
from harness.device.command_log import noting
from harness.device.deadline import Deadline, wait_until

TRANSFER_DEADLINE_S: Final = 600.0
_KILL_DEADLINE_S: Final = 5.0
#: Where stat(2) does not tell how much can be read.
_SIZES_LIE: Final = ("/proc/", "/sys/", "/dev/")
#: Ways to become root, tried in this order: Magisk and its kin, then AOSP's own.
_SU_FORMS: Final = ("su -c {}", "su 0 sh -c {}")


class AdbDevice:
    """The suite's Device over one adb server.

    ``su`` runs every command as root through the device's ``su``, for phones whose adbd
    cannot be root; DeviceError at the first command if that is refused. Push and pull always
    act as the adb user. Safe to use from several threads: each call has a stream of its own.
    """

    def __init__(self, server: AdbServer, serial: str, emulated: bool = False, *, su: bool = False) -> None:
        self.serial = serial
        self.emulated = emulated
        self.keeps_settings = not emulated
        self._server = server
        self._su = su

    def __repr__(self) -> str:
        return f"AdbDevice({self.serial})"

    @property
    def is_root(self) -> bool:
        """Whether commands run as uid 0."""
        return self._uid == 0

    @functools.cached_property
    def features(self) -> frozenset[str]:
        """What the device's adbd announced."""
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

        A command that does not end before its deadline is ended on the device, and
        CommandTimeout is raised.
        """
        return self._run(quote_argv(argv), deadline_s=deadline_s, check=check, stdin=stdin)

    def script(self, text: str, *, deadline_s: float = 30.0, check: bool = True) -> CommandResult:
        """Run shell text as it stands, in one round trip; the caller quotes values with `quote`.

        Its exit status is that of its last command: begin with ``set -e`` where every one counts.
        """
        return self._run(text, deadline_s=deadline_s, check=check, stdin=None)

    def spawn(self, argv: Sequence[str], *, deadline_s: float = 30.0) -> AdbProcess:
        """Start a command and leave it running; ``deadline_s`` is for its start only.

        It ends with `AdbProcess.stop`. A program that does not exist ends with status 127.
        """
        command = quote_argv(argv)
        deadline = Deadline(deadline_s)
        with noting(self.serial, f"{command} &") as noted:
            shell, stdin = self._open_shell(f"exec {command}", None, deadline, doing=shorten(command))
            try:
                shell.feed(stdin)
                process = AdbProcess(shell, command, self._kill_runner, deadline)
            except BaseException:
                shell.stream.close()
                raise
            noted.outcome = f"runs as pid {process.pid}"
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
        """Copy a file to the device and check its size there (and its hash, if ``sha256``)."""
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
        """Copy a file from the device; ``local`` appears whole or not at all.

        The size is compared with the device's, except for files of /proc, /sys and /dev,
        which have none; a file that grows meanwhile is accepted. ``progress`` gets bytes so far.
        """
        try:
            with replacing(local) as partial:
                with partial.open("wb") as content:
                    digest = self._pull(remote, content, progress, deadline_s)
                if sha256 and digest != self._sha256(remote):
                    raise DeviceError(f"{remote} came over with another SHA-256", device=self.serial)
        except OSError as error:
            raise HostError(
                f"{local} cannot be written: {error.strerror}", next_step="check the space left: df"
            ) from error

    def read_text(self, remote: str, *, deadline_s: float = 10.0) -> str:
        """Content of a small text file. CommandFailed with the kernel's reason."""
        return self._run(f"cat {quote(remote)}", deadline_s=deadline_s, check=True, stdin=None).stdout

    def write_text(self, remote: str, text: str, *, deadline_s: float = 10.0) -> None:
        """Write ``text`` in one write(2) (up to 4 KiB), as files of /proc and /sys want it.

        CommandFailed with the kernel's reason if the file cannot be opened or refuses it.
        Empty text only truncates.
        """
        # cat, not a shell's printf: that one names no errno in some shells.
        command = f"cat > {quote(remote)}"
        self._run(command, deadline_s=deadline_s, check=True, stdin=text.encode("utf-8", "surrogateescape"))

    def stat(self, remote: str, *, deadline_s: float = 10.0) -> RemoteStat | None:
        """Size and mode, or None if it does not exist (or the adb user may not see it)."""
        with self._sync(deadline_s, f"stat of {remote}") as sync:
            return sync.stat(remote)

    def reboot(self, to: str = "", *, deadline_s: float = 30.0) -> None:
        """Ask its adb daemon for a restart; needs no root. The device is lost until `reconnect`.

        ``to`` is ``bootloader``, ``fastboot`` (fastbootd) or empty for Android.
        """
        deadline = Deadline(deadline_s)
        with (
            contextlib.suppress(DeviceLost),
            noting(self.serial, f"reboot {to}".rstrip()),
            self._stream(f"reboot:{to}", deadline, "restarting") as stream,
        ):
            # The daemon closes the stream, or just goes away.
            while stream.read_some():
                pass

    def reconnect(self, *, deadline_s: float) -> bool:
        """Wait until the device answers a command again after DeviceLost; whether it does."""
        deadline = Deadline(deadline_s)

        def answers() -> bool:
            for known in ("features", "_uid", "_su_form"):
                self.__dict__.pop(known, None)
            try:
                # The server lists a device for a moment after it is gone: only an answer counts.
                return self._server.wait_for_device(self.serial, deadline_s=max(deadline.left_s, 0.1)) and (
                    self.shell(["true"], deadline_s=max(deadline.left_s, 1.0)).exit_status == 0
                )
            except SuiteError:
                return False

        return wait_until(answers, deadline, every_s=0.1)

    @functools.cached_property
    def _uid(self) -> int:
        answer = self.shell(["id", "-u"]).stdout.strip()
        if not answer.isdigit():
            raise DeviceError(f"'id -u' said {answer[:60]!r}", device=self.serial)
        return int(answer)

    @functools.cached_property
    def _su_form(self) -> str:
        for form in _SU_FORMS:
            text = form.format(quote("echo $$; id -u"))
            with self._stream(shell_v2.SERVICE + f"echo $$; {text}", Deadline(20.0), "su") as stream:
                shell = ShellStream(stream, self.serial)
                shell.feed(None)
                if shell.read_to_end() == 0 and shell.text("stdout").split()[-1:] == ["0"]:
                    return form
        raise DeviceError(
            "su does not give root",
            device=self.serial,
            next_step="grant root to the shell user in the root manager, or leave the su option out",
        )

    def _run(self, text: str, *, deadline_s: float, check: bool, stdin: bytes | None) -> CommandResult:
        result = self._send(text, deadline_s, stdin)
        if check and result.exit_status != 0:
            said = (result.stderr.strip() or result.stdout.strip())[-300:]
            raise CommandFailed(
                f"'{shorten(text)}' ended with exit status {result.exit_status}:"
                f" {said or 'it said nothing'}",
                exit_status=result.exit_status,
                stdout=result.stdout,
                stderr=result.stderr,
                device=self.serial,
            )
        return result

    def _send(self, text: str, deadline_s: float, stdin: bytes | None) -> CommandResult:
        deadline = Deadline(deadline_s)
        with noting(self.serial, text) as noted:
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
            noted.outcome = f"exit {status}"
        return CommandResult(status, shell.text("stdout"), shell.text("stderr"), shell.dur_s)

    def _open_shell(
        self, text: str, stdin: bytes | None, deadline: Deadline, *, doing: str
    ) -> tuple[ShellStream, bytes | None]:
        if "shell_v2" not in self.features:
            raise LabError(
                "its adb daemon has no shell v2: exit statuses would be lost",
                device=self.serial,
                next_step="use Android 7 or newer",
            )
        whole, fed = shell_v2.inline(text, stdin)
        if self._su:
            whole = self._su_form.format(quote(whole))
        stream = self._stream(shell_v2.SERVICE + whole, deadline, doing)
        return ShellStream(stream, self.serial), fed

    def _stream(self, service: str, deadline: Deadline, doing: str) -> AdbStream:
        return AdbStream(self._server.client, self.serial, service, deadline, doing=doing)

    def _kill_runner(self, text: str, deadline_s: float) -> CommandResult:
        return self._run(text, deadline_s=deadline_s, check=False, stdin=None)

    def _stop_late(self, pid: int | None) -> bool:
        """End what did not end in time; whether nothing of it is left."""
        if pid is None:
            return False
        gone = f"{shell_v2.kill_text(pid, 'KILL')}; sleep 0.1; ! kill -0 {pid} 2>/dev/null"
        deadline = Deadline(_KILL_DEADLINE_S)
        try:
            shell, fed = self._open_shell(gone, None, deadline, doing="ending a late command")
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

    def _push(self, content: BinaryIO, remote: str, mode: int, deadline_s: float, *, sha256: bool) -> None:
        with (
            noting(self.serial, f"push to {quote(remote)}") as noted,
            self._sync(deadline_s, f"pushing {remote}") as sync,
        ):
            sent = sync.send(content, remote, mode, None)
            there = sync.stat(remote)
            noted.outcome = f"{sent} bytes"
        if there is None or there.size != sent:
            size = "nothing" if there is None else f"{there.size} bytes"
            raise DeviceError(
                f"{sent} bytes were pushed to {remote}, found there: {size}",
                device=self.serial,
                next_step="check the space left on the device: df",
            )
        if sha256:
            content.seek(0)
            digest = hashlib.sha256()
            while block := content.read(BLOCK):
                digest.update(block)
            if digest.hexdigest() != self._sha256(remote):
                raise DeviceError(f"{remote} has another SHA-256 than what was pushed", device=self.serial)

    def _pull(
        self, remote: str, content: BinaryIO, progress: Callable[[int], None] | None, deadline_s: float
    ) -> str:
        digest = hashlib.sha256()
        got = 0
        with (
            noting(self.serial, f"pull of {quote(remote)}") as noted,
            self._sync(deadline_s, f"pulling {remote}") as sync,
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
            noted.outcome = f"{got} bytes"
        largest = max(before.size, after.size if after else 0)
        if not remote.startswith(_SIZES_LIE) and not before.size <= got <= largest:
            raise DeviceError(
                f"{got} bytes of {remote} came over, the device has {before.size}",
                device=self.serial,
                next_step="pull again; check the cable if it stays so",
            )
        return digest.hexdigest()

    def _sha256(self, remote: str) -> str:
        return self.shell(["sha256sum", remote], deadline_s=TRANSFER_DEADLINE_S).stdout.split()[0]
