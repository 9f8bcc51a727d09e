"""The fake device: an adb daemon on a real socket that a real adb server connects to."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from tests.stand_ins.device import modules, programs
from tests.stand_ins.device.faults import Faults, Stage
from tests.stand_ins.device.processes import Processes
from tests.stand_ins.device.shell_service import ShellService
from tests.stand_ins.device.shells import Shell
from tests.stand_ins.device.stream import Stream
from tests.stand_ins.device.sync_service import SyncService
from tests.stand_ins.device.tree import Attribute, Tree, choice, number
from tests.stand_ins.device.tree_shell import Call, TreeShell
from tests.stand_ins.device.wire import AUTH_TOKEN, MAX_PAYLOAD, VERSION, Command, Packet, Wire
from tests.stand_ins.device.zram_model import ZramModel

FEATURES: Final = ("shell_v2", "cmd", "stat_v2")
BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"


class FakeDevice:
    """A phone with a root shell (or not) and a zram, for as long as the context lasts.

    ``files`` is its tree, ``programs`` what its shell can run, ``properties`` what getprop
    knows, ``faults`` what goes wrong. With ``shell`` another one (`HostShell`) runs the
    commands. ``su`` is how root is had: ``magisk``, ``aosp`` or None, and Magisk denies after
    ``su_prompt_s`` (its "Request timeout", 10 s) unless somebody has ``su_tapped``; ``adb_root``
    whether adbd restarts as root when it is asked to, as on a userdebug build. A reboot takes that
    root away: ``service.adb.root`` is not persistent (packages/modules/adb/daemon: restart_service.cpp, and
    should_drop_privileges of main.cpp). Without ``adb_root``, ``root`` is that of an eng build
    (``ro.secure`` 0) and stays. ``refuses_root`` is what a vendor's adbd says instead.
    ``port`` is where it listens (0: any).
    ``commands`` are adb's services that were opened, ``ran`` the programs that its own shell was
    asked for, ``texts`` the shell texts that it was sent.
    """

    def __init__(
        self,
        *,
        root: bool = True,
        su: str | None = None,
        shell: Shell | None = None,
        features: tuple[str, ...] = FEATURES,
        adb_root: bool = False,
        port: int = 0,
    ) -> None:
        self.faults = Faults()
        self.files = Tree(self.faults)
        self.zram = ZramModel()
        self.processes = Processes()
        self.programs = programs.standard(self.processes, self.zram)
        self.properties = {
            "sys.boot_completed": "1",
            "ro.product.name": "fake",
            "ro.product.model": "Fake",
        }
        self.release = "6.6.30-android15-8-g0123456789ab"
        self.version = "#1 SMP PREEMPT"
        self.kernel_log = "[    0.000000] Linux version 6.6.30\n"
        self.uptime_s = 100.0
        self.commands: list[str] = []
        self.root = root
        self.su = su
        self.adb_root = adb_root
        self.modules = modules.pair()
        self.su_prompt_s: float | None = None
        self.su_tapped = threading.Event()
        self.refuses_root: str | None = None
        self.boots = 0
        self.on_reboot: Callable[[str], None] = lambda to: self.restart(down_s=0.3)
        #: Called with each shell text before it runs: the moment of another program on the device.
        self.on_text: Callable[[str], None] = lambda text: None
        own = TreeShell(self.files, self.faults, self.programs)
        self.ran, self.texts = own.ran, own.texts
        self._shell: Shell = shell or own
        self._features = features
        self._listener: socket.socket | None = None
        self._port = port
        self._transports: set[Wire] = set()
        self._lock = threading.Lock()
        self._own_programs()
        self._boot()

    # For tests.

    @property
    def serial(self) -> str:
        """What adb calls it."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen; on the same port as before, if there was one."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen()
        self._port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="fake-accept", daemon=True).start()

    def vanish(self) -> None:
        """As if the cable were pulled: no connection, no listener. What runs keeps running."""
        listener, self._listener = self._listener, None
        if listener is not None:
            try:
                listener.shutdown(socket.SHUT_RDWR)
            finally:
                listener.close()
        self.drop()

    def come_back(self, *, after_s: float = 0.0) -> None:
        """Plugged in again, at once or later."""
        if after_s:
            timer = threading.Timer(after_s, self.start)
            timer.daemon = True
            timer.start()
        else:
            self.start()

    def restart(self, *, down_s: float = 0.0) -> None:
        """Reboot: all connections and processes end, settings are those of a boot, another boot id."""
        self.vanish()
        self.processes.end_all()
        if self.adb_root:
            self.root = False
        self._boot()
        self.come_back(after_s=down_s)

    def drop(self) -> None:
        """Cut every connection; it keeps listening."""
        with self._lock:
            transports = list(self._transports)
        for wire in transports:
            wire.close()

    def add_thread(self, comm: str, *, parent: int = 2) -> int:
        """A kernel thread (children of pid 2) as /proc shows it; its pid."""
        pid = 10 + len(self.files.glob("/proc/[0-9]*/stat"))
        self.files.put(f"/proc/{pid}/stat", f"{pid} ({comm}) S {parent} 0 0 0 -1 2129984 0 0\n")
        return pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.vanish()
        self.processes.end_all()

    # What it is made of.

    def _boot(self) -> None:
        self.boots += 1
        boot_id = str(uuid.uuid4())
        files = self.files
        files.put(BOOT_ID, Attribute(lambda: boot_id, size=0))
        files.put("/sys/devices/system/cpu/present", "0-1\n")
        files.put("/proc/uptime", Attribute(lambda: f"{self.uptime_s:.2f} 0.00", size=0))
        files.put("/proc/cmdline", "console=ttyS0\n")
        modules.install(files, self.modules)
        files.put("/proc/meminfo", "MemTotal:        8000000 kB\n")
        files.put("/proc/sys/vm/swappiness", number(60, 0, 200))
        files.put("/proc/sys/vm/page-cluster", number(3, 0, 10))
        thp = choice("madvise", ("always", "madvise", "never"))
        files.put("/sys/kernel/mm/transparent_hugepage/enabled", thp)
        files.put("/sys/kernel/mm/lru_gen/enabled", "0x0007\n")
        files.put("/sys/devices/system/cpu/online", "0-7\n")
        self.zram.boot()
        self.zram.install(files)
        if not files.glob("/proc/[0-9]*/stat"):
            self.add_thread("kswapd0")

    def _own_programs(self) -> None:
        def getprop(call: Call) -> int:
            if len(call.argv) == 1:
                lines = (f"[{name}]: [{value}]\n" for name, value in sorted(self.properties.items()))
                call.io.out("".join(lines).encode())
                return 0
            default = call.argv[2] if len(call.argv) > 2 else ""
            call.io.out(f"{self.properties.get(call.argv[1], default)}\n".encode())
            return 0

        def run_uname(call: Call) -> int:
            answers = {"-r": self.release, "-v": self.version, "-m": "aarch64"}
            call.io.out(f"{answers[call.argv[1]]}\n".encode())
            return 0

        def su(call: Call) -> int:
            forms = {"magisk": ["su", "-c"], "aosp": ["su", "0", "sh", "-c"]}
            form = forms.get(self.su or "", [])
            if self.su_prompt_s is not None and not self.su_tapped.wait(self.su_prompt_s):
                call.io.fail("Permission denied")
                return 13
            if not form or call.argv[:-1] != form:
                call.io.fail("su: permission denied")
                return 1
            return call.shell.run(call.argv[-1], call.io, call.process, root=True)

        self.programs |= {
            "command": programs.command_of(self.programs),
            "dmesg": programs.fixed(lambda: self.kernel_log),
            "getprop": getprop,
            "su": su,
            "uname": run_uname,
        }

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire = Wire(sock)
            with self._lock:
                self._transports.add(wire)
            threading.Thread(target=self._serve, args=(wire,), name="fake-transport", daemon=True).start()

    def _serve(self, wire: Wire) -> None:
        streams: dict[int, Stream] = {}
        try:
            while (packet := wire.receive()) is not None:
                self._handle(wire, packet, streams)
        except ConnectionError:
            pass
        finally:
            wire.close()
            with self._lock:
                self._transports.discard(wire)
            for stream in list(streams.values()):
                stream.end()

    def _handle(self, wire: Wire, packet: Packet, streams: dict[int, Stream]) -> None:
        faults = self.faults
        if packet.command == Command.CNXN:
            if self._drops("cnxn", ""):
                wire.close()
            elif faults.answers:
                self._greet(wire)
        elif packet.command == Command.AUTH and not faults.authorized:
            # Any signature is refused, and a new key waits for a person.
            if packet.arg0 == 2:
                wire.send(Packet(Command.AUTH, AUTH_TOKEN, 0, b"\x01" * 20))
        elif packet.command == Command.OPEN:
            self._open(wire, packet, streams)
        elif (stream := streams.get(packet.arg1)) is None:
            return
        elif packet.command == Command.WRTE:
            stream.arrive(packet.payload)
        elif packet.command == Command.OKAY:
            stream.acknowledge()
        elif packet.command == Command.CLSE:
            streams.pop(packet.arg1)
            stream.end()

    def _greet(self, wire: Wire) -> None:
        if not self.faults.authorized:
            wire.send(Packet(Command.AUTH, AUTH_TOKEN, 0, b"\x01" * 20))
            return
        about = "".join(
            f"{name}={self.properties[name]};"
            for name in ("ro.product.name", "ro.product.model", "ro.product.device")
            if name in self.properties
        )
        banner = f"device::{about}features={','.join(self._features)}"
        wire.send(Packet(Command.CNXN, VERSION, MAX_PAYLOAD, banner.encode()))

    def _open(self, wire: Wire, packet: Packet, streams: dict[int, Stream]) -> None:
        service = packet.payload.rstrip(b"\0").decode("utf-8", "surrogateescape")
        self.commands.append(service)
        if self._drops("open", service):
            self.drop()
            return
        if service.startswith("reboot:"):
            to = service.removeprefix("reboot:")
            threading.Thread(target=self.on_reboot, args=(to,), name="fake-reboot", daemon=True).start()
            return
        known = service.startswith(("sync:", "root:", "unroot:")) or (
            service.startswith("shell,v2") and ":" in service
        )
        if not known:
            wire.send(Packet(Command.CLSE, 0, packet.arg0))
            return
        local = packet.arg0
        stream = Stream(
            local, packet.arg0, lambda p: wire.send(p, delay_s=self.faults.delay_s), MAX_PAYLOAD
        )
        streams[local] = stream
        wire.send(Packet(Command.OKAY, local, packet.arg0))
        threading.Thread(target=self._run, args=(stream, service), name="fake-service", daemon=True).start()

    def _run(self, stream: Stream, service: str) -> None:
        try:
            if service.startswith("sync:"):
                SyncService(stream, self.faults, self.files, self._cut, root=self.root).serve()
            elif service.startswith(("root:", "unroot:")):
                self._change_user(stream, root=service.startswith("root:"))
            else:
                self._run_shell(stream, service)
            stream.close()
        except ConnectionError:
            return

    def _change_user(self, stream: Stream, *, root: bool) -> None:
        """adbd's answers, then its restart, which changes its user.

        Source: packages/modules/adb/daemon/restart_service.cpp.
        """

        def restarted() -> None:
            self.root = root
            self.drop()

        if root and self.refuses_root is not None:
            stream.write(f"{self.refuses_root}\n".encode())
        elif root == self.root:
            stream.write(b"adbd is already running as root\n" if root else b"adbd not running as root\n")
        elif root and not self.adb_root:
            stream.write(b"adbd cannot run as root in production builds\n")
        else:
            stream.write(b"restarting adbd as root\n" if root else b"restarting adbd as non root\n")
            stream.close()
            threading.Timer(0.1, restarted).start()
            raise ConnectionError("adbd restarts")

    def _run_shell(self, stream: Stream, service: str) -> None:
        process = self.processes.start()

        def stage(reached: Stage) -> None:
            if self._drops(reached, service):
                self._cut()

        try:
            text = service.partition(":")[2]
            self.texts.append(text)
            self.on_text(text)
            ShellService(stream, self.faults, self._shell, process, stage).serve(text, root=self.root)
        finally:
            self.processes.end(process)

    def _drops(self, stage: Stage, service: str) -> bool:
        if self.faults.drop_at != stage or self.faults.drop_service not in service:
            return False
        self.faults.drop_at = None
        return True

    def _cut(self) -> None:
        self.drop()
        raise ConnectionError("dropped on purpose")
