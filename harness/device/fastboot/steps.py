"""Which commands bring a phone from one kernel to another: decided here, run elsewhere or only shown."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from foundation.errors import UsageError
from harness.device.fastboot.choice import Kernel, KnownGood, RamKernel, SlotKernel
from harness.device.fastboot.client import Place
from harness.device.fastboot.images import PARTITIONS, Image, ImageSet

_ADB_REBOOT = {"android": [], "bootloader": ["bootloader"], "fastbootd": ["fastboot"]}


@dataclass(frozen=True)
class PhoneNames:
    """What commands call the phone. ``found`` is the slot it was found in ('' without slots), ``other``
    the one beside it."""

    adb: str
    fastboot: str
    found: str
    other: str

    def slot_of(self, kernel: SlotKernel) -> str:
        """Where ``kernel`` is written. UsageError for a slot on a phone that has none."""
        if self.found == "":
            if kernel.slot not in ("inactive", "active"):
                raise UsageError(f"the phone has no slots, and slot={kernel.slot} was asked for")
            return ""
        return {"inactive": self.other, "active": self.found}.get(kernel.slot, kernel.slot)

    def partition(self, name: str, slot: str) -> str:
        return f"{name}_{slot}" if slot else name

    def base(self, partition: str) -> str:
        """The name without its slot."""
        return partition.rpartition("_")[0] if self.found else partition


@dataclass(frozen=True)
class Situation:
    """Where the phone is, which slot starts next, and what the suite has written.

    ``place`` None: nobody knows. ``written`` maps a partition to the SHA-256 of what it holds;
    an empty text is a write that did not end.
    """

    place: Place | None
    active: str
    written: dict[str, str] = field(default_factory=dict)
    kernel: Kernel | None = None

    def holds(self, partition: str, image: Image) -> bool:
        return self.written.get(partition) == image.sha256


@dataclass(frozen=True)
class Reboot:
    """Send the phone to ``to``, and wait until it is there (not for Android: see `AwaitAndroid`)."""

    to: Place
    over: Place

    def commands(self, phone: PhoneNames) -> list[str]:
        if self.over == "android":
            sent = shlex.join(["adb", "-s", phone.adb, "reboot", *_ADB_REBOOT[self.to]])
        else:
            sent = shlex.join(["fastboot", "-s", phone.fastboot, "reboot", *_ADB_REBOOT[self.to]])
        if self.to == "android":
            return [sent]
        return [sent, shlex.join(["fastboot", "-s", phone.fastboot, "getvar", "is-userspace"])]


@dataclass(frozen=True)
class Inspect:
    """Read all variables, and refuse a phone that is not the right one, locked, or too small."""

    writes: tuple[tuple[str, Image], ...] = ()
    boots: Image | None = None
    images: ImageSet | None = None

    def commands(self, phone: PhoneNames) -> list[str]:
        return [shlex.join(["fastboot", "-s", phone.fastboot, "getvar", "all"])]


@dataclass(frozen=True)
class Flash:
    partition: str
    image: Image

    def commands(self, phone: PhoneNames) -> list[str]:
        words = ["fastboot", "-s", phone.fastboot, "flash", self.partition, str(self.image.path)]
        return [f"{shlex.join(words)}  # sha256 {self.image.sha256[:16]}"]


@dataclass(frozen=True)
class SetActive:
    slot: str

    def commands(self, phone: PhoneNames) -> list[str]:
        fastboot = ["fastboot", "-s", phone.fastboot]
        return [
            shlex.join([*fastboot, "set_active", self.slot]),
            shlex.join([*fastboot, "getvar", "current-slot"]),
        ]


@dataclass(frozen=True)
class BootFromRam:
    image: Image

    def commands(self, phone: PhoneNames) -> list[str]:
        words = ["fastboot", "-s", phone.fastboot, "boot", str(self.image.path)]
        return [f"{shlex.join(words)}  # sha256 {self.image.sha256[:16]}, nothing is written"]


@dataclass(frozen=True)
class AwaitAndroid:
    """Wait until Android has started, in ``slot``, with ``kernel`` (None: as found)."""

    slot: str
    kernel: Kernel | None

    def commands(self, phone: PhoneNames) -> list[str]:
        adb = ["adb", "-s", phone.adb]
        return [
            shlex.join([*adb, "wait-for-device"]),
            shlex.join(
                [*adb, "shell", "getprop sys.boot_completed; getprop ro.boot.slot_suffix; uname -r -v"]
            ),
        ]


Step = Reboot | Inspect | Flash | SetActive | BootFromRam | AwaitAndroid


def after(step: Step, now: Situation) -> Situation:
    """The situation once ``step`` has been done."""
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
    """What starts ``kernel`` anew; None is the kernel that the phone was found with.

    Each ends with a boot, also when the kernel runs already: a block is a boot.
    """
    if isinstance(kernel, SlotKernel):
        return _to_slot(kernel, now, phone, known_good)
    steps = _put_back(now, phone, known_good, _in_the_way(now, phone))
    if isinstance(kernel, RamKernel):
        place = "bootloader" if steps else now.place
        return [
            *steps,
            *_to_bootloader(place),
            Inspect(boots=kernel.image),
            BootFromRam(kernel.image),
            AwaitAndroid(phone.found, kernel),
        ]
    return _restarted(steps, now, phone)


def steps_back(now: Situation, phone: PhoneNames, known_good: KnownGood | None) -> list[Step]:
    """What puts slot and images back as they were found, also of the slot that did not run."""
    return _restarted(_put_back(now, phone, known_good, set(now.written)), now, phone)


def is_original(
    now: Situation, phone: PhoneNames, known_good: KnownGood | None, *, running: bool = False
) -> bool:
    """Whether slot and images are those that the phone was found with; ``running``: only of that slot."""
    return not _put_back(now, phone, known_good, _in_the_way(now, phone) if running else set(now.written))


def _restarted(steps: list[Step], now: Situation, phone: PhoneNames) -> list[Step]:
    over: Place = "bootloader" if steps else now.place or "android"
    return [*steps, Reboot("android", over), AwaitAndroid(phone.found, None)]


def _in_the_way(now: Situation, phone: PhoneNames) -> set[str]:
    """What was written where the phone's own kernel runs; the other slot may wait for the end."""
    return {name for name in now.written if phone.found == "" or name.endswith(f"_{phone.found}")}


def _to_slot(
    kernel: SlotKernel, now: Situation, phone: PhoneNames, known_good: KnownGood | None
) -> list[Step]:
    slot = phone.slot_of(kernel)
    wanted = {phone.partition(image.partition, slot): image for image in kernel.images.images}
    if known_good is not None and known_good.images is not None:
        # What an earlier variant wrote and this one leaves out must not stay under it.
        for image in known_good.images.images:
            partition = phone.partition(image.partition, slot)
            if partition in now.written:
                wanted.setdefault(partition, image)
    writes = tuple((name, image) for name, image in wanted.items() if not now.holds(name, image))
    steps: list[Step] = [*_to_bootloader(now.place)]
    steps.append(Inspect(writes, images=kernel.images))
    dynamic = [write for write in writes if write[1].dynamic]
    if dynamic:
        # First, while the kernel that fastbootd itself runs on is still the one that works.
        steps += [Reboot("fastbootd", "bootloader"), *_flashes(dynamic), Reboot("bootloader", "fastbootd")]
    steps += _flashes(write for write in writes if not write[1].dynamic)
    if slot != now.active:
        steps.append(SetActive(slot))
    return [*steps, Reboot("android", "bootloader"), AwaitAndroid(slot, kernel)]


def _put_back(
    now: Situation, phone: PhoneNames, known_good: KnownGood | None, partitions: set[str]
) -> list[Step]:
    """The slot and ``partitions`` as found; ends in the bootloader, or is empty where all is well."""
    writes = []
    for partition in sorted(partitions, key=lambda name: (PARTITIONS.index(phone.base(name)), name)):
        good = known_good.images if known_good is not None else None
        image = good.image(phone.base(partition)) if good is not None else None
        if image is not None and not now.holds(partition, image):
            writes.append((partition, image))
    if not writes and now.active == phone.found:
        return []
    steps: list[Step] = [*_to_bootloader(now.place), Inspect(tuple(writes))]
    # Last, since fastbootd needs a kernel that works.
    dynamic = [write for write in writes if write[1].dynamic]
    steps += _flashes(write for write in writes if not write[1].dynamic)
    if now.active != phone.found:
        steps.append(SetActive(phone.found))
    if dynamic:
        steps += [Reboot("fastbootd", "bootloader"), *_flashes(dynamic), Reboot("bootloader", "fastbootd")]
    return steps


def _to_bootloader(place: Place | None) -> list[Step]:
    if place == "bootloader":
        return []
    return [Reboot("bootloader", place or "android")]


def _flashes(writes: Iterable[tuple[str, Image]]) -> list[Step]:
    return [Flash(partition, image) for partition, image in writes]
