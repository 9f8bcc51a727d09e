"""The commands that take a phone from one kernel to another: planned here, run or printed elsewhere."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from foundation.errors import UsageError
from harness.device.fastboot.choice import Kernel, KnownGood, RamKernel, SlotKernel
from harness.device.fastboot.client import REBOOT_TO, Place
from harness.device.fastboot.images import PARTITIONS, Image, ImageSet


@dataclass(frozen=True)
class PhoneNames:
    """Serials and slots of the phone; the slots are empty on a phone without slots.

    ``virtual_ab``: its slots share the room of one system (``ro.virtual_ab.enabled``).
    """

    adb_serial: str
    fastboot_serial: str
    original_slot: str
    other_slot: str
    virtual_ab: bool = False

    def slot_of(self, kernel: SlotKernel) -> str:
        """The slot to write ``kernel`` to. UsageError for a named slot on a phone without slots."""
        if self.original_slot == "":
            if kernel.slot not in ("inactive", "active"):
                raise UsageError(f"the phone has no slots, but slot={kernel.slot} was requested")
            return ""
        return {"inactive": self.other_slot, "active": self.original_slot}.get(kernel.slot, kernel.slot)

    def partition(self, name: str, slot: str) -> str:
        """The name with its slot."""
        return f"{name}_{slot}" if slot else name

    def adb(self, *words: str) -> str:
        """An adb command for a shell."""
        return shlex.join(["adb", "-s", self.adb_serial, *words])

    def fastboot(self, *words: str) -> str:
        """A fastboot command for a shell."""
        return shlex.join(["fastboot", "-s", self.fastboot_serial, *words])

    def base(self, partition: str) -> str:
        """The name without its slot."""
        return partition.rpartition("_")[0] if self.original_slot else partition


@dataclass(frozen=True)
class Situation:
    """Where the phone is, which slot boots next, and what the suite has written.

    ``place`` None: unknown. ``written`` maps a partition to the SHA-256 of its content; empty for
    an incomplete write.
    """

    place: Place | None
    active: str
    written: dict[str, str] = field(default_factory=dict)
    kernel: Kernel | None = None

    def holds(self, partition: str, image: Image) -> bool:
        """Whether the suite has written ``image`` to ``partition``."""
        return self.written.get(partition) == image.sha256


@dataclass(frozen=True)
class Reboot:
    """Reboot from ``over`` into ``to``, and wait for it (for Android: `AwaitAndroid` waits)."""

    to: Place
    over: Place

    def commands(self, phone: PhoneNames) -> list[str]:
        """The commands of this step, as a user would type them."""
        client = phone.adb if self.over == "android" else phone.fastboot
        reboot = client("reboot", *REBOOT_TO[self.to].split())
        return [reboot] if self.to == "android" else [reboot, phone.fastboot("getvar", "is-userspace")]


@dataclass(frozen=True)
class Inspect:
    """Read all variables, and refuse a phone that is another one, locked, or too small.

    ``slot`` is one that the suite has not written yet, and that must hold a system.
    """

    writes: tuple[tuple[str, Image], ...] = ()
    boots: Image | None = None
    images: ImageSet | None = None
    slot: str = ""

    def commands(self, phone: PhoneNames) -> list[str]:
        """The commands of this step, as a user would type them."""
        return [phone.fastboot("getvar", "all")]


@dataclass(frozen=True)
class Flash:
    """Write ``image`` to ``partition``, named with its slot."""

    partition: str
    image: Image

    def commands(self, phone: PhoneNames) -> list[str]:
        """The commands of this step, as a user would type them."""
        flash = phone.fastboot("flash", self.partition, str(self.image.path))
        return [f"{flash}  # sha256 {self.image.sha256[:16]}"]


@dataclass(frozen=True)
class SetActive:
    """Select the slot that boots next."""

    slot: str

    def commands(self, phone: PhoneNames) -> list[str]:
        """The commands of this step, as a user would type them."""
        return [phone.fastboot("set_active", self.slot), phone.fastboot("getvar", "current-slot")]


@dataclass(frozen=True)
class BootFromRam:
    """Boot ``image`` from memory."""

    image: Image

    def commands(self, phone: PhoneNames) -> list[str]:
        """The commands of this step, as a user would type them."""
        boot = phone.fastboot("boot", str(self.image.path))
        return [f"{boot}  # sha256 {self.image.sha256[:16]}, nothing is written"]


@dataclass(frozen=True)
class AwaitAndroid:
    """Wait until Android has started in ``slot`` with ``kernel`` (None: the original one)."""

    slot: str
    kernel: Kernel | None

    def commands(self, phone: PhoneNames) -> list[str]:
        """The commands of this step, as a user would type them."""
        read = "getprop sys.boot_completed; getprop ro.boot.slot_suffix; uname -r -v"
        return [phone.adb("wait-for-device"), phone.adb("shell", read)]


Step = Reboot | Inspect | Flash | SetActive | BootFromRam | AwaitAndroid


def after(step: Step, now: Situation) -> Situation:
    """The situation after ``step``."""
    match step:
        case Reboot(to="android"):
            return replace(now, place=None)
        case Reboot(to=to):
            return replace(now, place=to)
        case Flash(partition, image):
            return replace(now, written={**now.written, partition: image.sha256})
        case SetActive(slot):
            return replace(now, active=slot)
        case BootFromRam():
            return replace(now, place=None)
        case AwaitAndroid(_, kernel):
            return replace(now, place="android", kernel=kernel)
        case _:
            return now


def steps_to(
    kernel: Kernel | None, now: Situation, phone: PhoneNames, known_good: KnownGood | None
) -> list[Step]:
    """The steps that boot ``kernel``; None is the phone's original kernel.

    They end with a boot even if the kernel already runs, since a block is a boot.
    """
    if isinstance(kernel, SlotKernel):
        return _to_slot(kernel, now, phone, known_good)
    steps = _roll_back(now, phone, known_good, _own_slot(now, phone))
    if isinstance(kernel, RamKernel):
        return [
            *steps,
            *_to_bootloader("bootloader" if steps else now.place),
            Inspect(boots=kernel.image),
            BootFromRam(kernel.image),
            AwaitAndroid(phone.original_slot, kernel),
        ]
    return _restarted(steps, now, phone)


def steps_back(now: Situation, phone: PhoneNames, known_good: KnownGood | None) -> list[Step]:
    """The steps that restore the original slot and images, in both slots."""
    return _restarted(_roll_back(now, phone, known_good, set(now.written)), now, phone)


def is_original(
    now: Situation, phone: PhoneNames, known_good: KnownGood | None, *, running: bool = False
) -> bool:
    """Whether slot and images are the original ones; ``running``: ignore the other slot."""
    return not _roll_back(now, phone, known_good, _own_slot(now, phone) if running else set(now.written))


def _restarted(steps: list[Step], now: Situation, phone: PhoneNames) -> list[Step]:
    over: Place = "bootloader" if steps else now.place or "android"
    return [*steps, Reboot("android", over), AwaitAndroid(phone.original_slot, None)]


def _own_slot(now: Situation, phone: PhoneNames) -> set[str]:
    """Written partitions that the original kernel boots from; the other slot can wait for the end."""
    suffix = f"_{phone.original_slot}" if phone.original_slot else ""
    return {name for name in now.written if name.endswith(suffix)}


def _to_slot(
    kernel: SlotKernel, now: Situation, phone: PhoneNames, known_good: KnownGood | None
) -> list[Step]:
    slot = phone.slot_of(kernel)
    wanted = {phone.partition(image.partition, slot): image for image in kernel.images.images}
    if known_good is not None and known_good.images is not None:
        # Partitions that an earlier variant wrote and this one does not are restored.
        for image in known_good.images.images:
            partition = phone.partition(image.partition, slot)
            if partition in now.written:
                wanted.setdefault(partition, image)
    writes = tuple((name, image) for name, image in wanted.items() if not now.holds(name, image))
    is_new = slot != phone.original_slot and not any(name.endswith(f"_{slot}") for name in now.written)
    new_slot = slot if is_new else ""
    steps: list[Step] = [*_to_bootloader(now.place), Inspect(writes, images=kernel.images, slot=new_slot)]
    dynamic = [write for write in writes if write[1].dynamic]
    if dynamic or (new_slot and phone.virtual_ab):
        # Before any write to the slot, while fastbootd itself still runs on a working kernel. Few
        # bootloaders know which logical partitions a slot has.
        look = [Inspect(writes, slot=new_slot)] if new_slot and phone.virtual_ab else []
        steps += [Reboot("fastbootd", "bootloader"), *look, *_flashes(dynamic)]
        steps.append(Reboot("bootloader", "fastbootd"))
    steps += _flashes(write for write in writes if not write[1].dynamic)
    if slot != now.active:
        steps.append(SetActive(slot))
    return [*steps, Reboot("android", "bootloader"), AwaitAndroid(slot, kernel)]


def _roll_back(
    now: Situation, phone: PhoneNames, known_good: KnownGood | None, partitions: set[str]
) -> list[Step]:
    """Steps that restore slot and ``partitions``; they end in the bootloader. Empty if nothing differs."""
    writes = []
    for partition in sorted(partitions, key=lambda name: (PARTITIONS.index(phone.base(name)), name)):
        image = known_good.image(phone.base(partition)) if known_good is not None else None
        if image is not None and not now.holds(partition, image):
            writes.append((partition, image))
    if not writes and now.active == phone.original_slot:
        return []
    steps: list[Step] = [*_to_bootloader(now.place), Inspect(tuple(writes))]
    # Last, since fastbootd needs a working kernel.
    dynamic = [write for write in writes if write[1].dynamic]
    steps += _flashes(write for write in writes if not write[1].dynamic)
    if now.active != phone.original_slot:
        steps.append(SetActive(phone.original_slot))
    if dynamic:
        steps += [Reboot("fastbootd", "bootloader"), *_flashes(dynamic), Reboot("bootloader", "fastbootd")]
    return steps


def _to_bootloader(place: Place | None) -> list[Step]:
    if place == "bootloader":
        return []
    return [Reboot("bootloader", place or "android")]


def _flashes(writes: Iterable[tuple[str, Image]]) -> list[Step]:
    return [Flash(partition, image) for partition, image in writes]
