"""The fake bootloader: fastboot over a real socket, to the real client."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from tests.stand_ins.bootloader.faults import BootloaderFaults
from tests.stand_ins.bootloader.storage import Storage
from tests.stand_ins.bootloader.wire import Dropped, FastbootWire

Mode = Literal["bootloader", "fastbootd"]
#: How a bootloader lists itself. "pixel": all in hex, logical partitions with it (RealFX-Code/Fastboot-GUI,
#: Form1.cs: a Pixel 7 Pro). "qualcomm": the download size is decimal, a partition's size begins with a
#: blank, and of ``has-slot`` there are three (getvar all of an LG G7, an LG V40, a Sony H8166: each has
#: ``max-download-size:805306368``). "aosp": in hex, without logical partitions.
Listing = Literal["aosp", "pixel", "qualcomm"]
_LOCKED: Final = ("flash:", "erase:", "boot", "set_active:")


@dataclass(frozen=True)
class Leave:
    """The bootloader hands over: ``to`` android, bootloader or fastbootd; ``image`` was sent with boot."""

    to: Literal["android", "bootloader", "fastbootd"]
    image: bytes | None = None


class Bootloader:
    """Holds the phone's ``storage`` and speaks fastboot while it is started.

    It keeps its port from start to start. ``on_leave`` is told, in a thread of its own and
    after the host has its answer, that the phone goes elsewhere.
    """

    def __init__(self, *, slots: bool = True, product: str = "fakephone", serial: str = "FAKE0001") -> None:
        self.faults = BootloaderFaults()
        self.storage = Storage(slots=slots)
        self.product = product
        self.serial = serial
        self.unlocked = True
        self.max_download = 0x1000000
        self.listing: Listing = "aosp"
        #: ``snapshot-update-status``; None: no Virtual A/B. Source: IBootControl's MergeStatus.
        self.update_status: str | None = None
        self.extra = {"version-bootloader": "fake-1.2", "battery-soc-ok": "yes", "secure": "yes"}
        self.mode: Mode = "bootloader"
        self.commands: list[str] = []
        self.on_leave: Callable[[Leave], None] = lambda leave: None
        self._download = b""
        self._listener: socket.socket | None = None
        self._wires: set[FastbootWire] = set()
        self._lock = threading.Lock()
        # Bound once: a port that others may take between two starts would be another address.
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])

    @property
    def address(self) -> str:
        """What the client calls it."""
        return f"tcp:127.0.0.1:{self._port}"

    @property
    def listening(self) -> bool:
        return self._listener is not None

    def start(self, mode: Mode = "bootloader") -> None:
        """Listen, unless it does."""
        self.mode = mode
        if self._listener is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen()
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="fake-fastboot", daemon=True).start()

    def stop(self) -> None:
        """No listener and no connection, as when the phone leaves the bootloader."""
        listener, self._listener = self._listener, None
        if listener is not None:
            try:
                listener.shutdown(socket.SHUT_RDWR)
            finally:
                listener.close()
        with self._lock:
            wires = list(self._wires)
        for wire in wires:
            wire.close()

    def variables(self) -> dict[str, str]:
        """What ``getvar all`` lists."""
        storage = self.storage
        found = {
            "version": "0.4",
            "product": self.product,
            "serialno": self.serial,
            "unlocked": "yes" if self.unlocked else "no",
            "is-userspace": "yes" if self.mode == "fastbootd" else "no",
            "max-download-size": self._size(self.max_download),
        }
        if self.update_status is not None:
            found["snapshot-update-status"] = self.update_status
        if storage.slots:
            found |= {"slot-count": str(len(storage.slots)), "current-slot": storage.active}
        for name, slot in storage.slots.items():
            found[f"slot-successful:{name}"] = "yes" if slot.successful else "no"
            found[f"slot-unbootable:{name}"] = "yes" if slot.unbootable else "no"
            found[f"slot-retry-count:{name}"] = str(slot.retries)
        for partition, size in storage.sizes.items():
            logical = partition in storage.dynamic
            if self.listing != "qualcomm" or storage.base(partition) in ("modem", "system", "boot"):
                found[f"has-slot:{storage.base(partition)}"] = "yes" if storage.slots else "no"
            # fastbootd knows what is inside super, and few bootloaders do.
            knows_super = self.mode == "fastbootd" or self.listing == "pixel"
            if knows_super:
                found[f"is-logical:{partition}"] = "yes" if logical else "no"
            if knows_super or not logical:
                blank = " " if self.listing == "qualcomm" else ""
                found[f"partition-size:{partition}"] = f"{blank}{size:#x}"
        return found | self.extra

    def _size(self, size: int) -> str:
        return str(size) if self.listing == "qualcomm" else hex(size)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire = FastbootWire(sock)
            with self._lock:
                self._wires.add(wire)
            threading.Thread(target=self._serve, args=(wire,), name="fake-fastboot", daemon=True).start()

    def _serve(self, wire: FastbootWire) -> None:
        leave = None
        try:
            wire.shake_hands()
            while leave is None:
                leave = self._answer(wire, wire.receive().decode())
        except Dropped:
            return
        finally:
            with self._lock:
                self._wires.discard(wire)
            if leave is None:
                wire.close()
        threading.Thread(target=self._hand_over, args=(wire, leave), daemon=True).start()

    def _hand_over(self, wire: FastbootWire, leave: Leave) -> None:
        # The client reads the answer before the link goes down.
        time.sleep(0.05)
        wire.close()
        self.stop()
        self.on_leave(leave)

    def _answer(self, wire: FastbootWire, command: str) -> Leave | None:
        self.commands.append(command)
        faults = self.faults
        if faults.drop_at is not None and command.startswith(faults.drop_at):
            faults.drop_at = None
            raise Dropped
        if faults.delay_s and command.startswith(faults.delay_at):
            time.sleep(faults.delay_s)
        for beginning, text in faults.fail.items():
            if command.startswith(beginning):
                wire.respond("FAIL", text)
                return None
        name, _, argument = command.partition(":")
        if not self.unlocked and command.startswith(_LOCKED):
            wire.respond("FAIL", f"{name} is not allowed in locked state")
            return None
        return self._do(wire, name, argument)

    def _do(self, wire: FastbootWire, name: str, argument: str) -> Leave | None:
        places: dict[str, Leave] = {
            "reboot": Leave("android"),
            "continue": Leave("android"),
            "reboot-bootloader": Leave("bootloader"),
            "reboot-fastboot": Leave("fastbootd"),
        }
        if name == "getvar":
            self._getvar(wire, argument)
        elif name == "download":
            self._receive(wire, int(argument, 16))
        elif name in ("flash", "erase"):
            self._write(wire, argument, self._download if name == "flash" else b"")
        elif name == "resize-logical-partition" and self.mode == "fastbootd":
            self._resize(wire, *argument.split(":"))
        elif name == "set_active":
            self._set_active(wire, argument)
        elif name in places:
            wire.respond("OKAY")
            return places[name]
        elif name == "boot" and self.mode == "bootloader":
            wire.respond("OKAY")
            return Leave("android", self._download)
        else:
            wire.respond("FAIL", f"unrecognized command {name}")
        return None

    def _getvar(self, wire: FastbootWire, name: str) -> None:
        variables = self.variables()
        if name == "all":
            for key, value in variables.items():
                wire.respond("INFO", f"{key}:{value}")
            wire.respond("OKAY")
        elif name in variables:
            wire.respond("OKAY", variables[name])
        else:
            wire.respond("FAIL", f"GetVar Variable Not found: {name}")

    def _receive(self, wire: FastbootWire, size: int) -> None:
        if size > self.max_download:
            wire.respond("FAIL", "data too large")
            return
        wire.respond("DATA", f"{size:08x}")
        got = bytearray()
        while len(got) < size:
            got += wire.receive()
            limit = self.faults.drop_in_download_after
            if limit is not None and len(got) >= limit:
                self.faults.drop_in_download_after = None
                raise Dropped
        self._download = bytes(got)
        wire.respond("OKAY")

    def _write(self, wire: FastbootWire, partition: str, data: bytes) -> None:
        storage = self.storage
        if partition in storage.dynamic and self.mode != "fastbootd":
            wire.respond("FAIL", f"partition ({partition}) not found")
            return
        wire.respond("INFO", f"writing {partition}")
        refused = storage.write(partition, data)
        wire.respond("FAIL" if refused else "OKAY", refused or "")

    def _resize(self, wire: FastbootWire, partition: str, size: str) -> None:
        refused = self.storage.resize(partition, int(size))
        wire.respond("FAIL" if refused else "OKAY", refused or "")

    def _set_active(self, wire: FastbootWire, slot: str) -> None:
        slot = slot.lstrip("_")
        if slot not in self.storage.slots:
            wire.respond("FAIL", "Invalid slot")
            return
        if not self.faults.forgets_set_active:
            self.storage.active = slot
            self.storage.slots[slot].activated()
        wire.respond("OKAY")
