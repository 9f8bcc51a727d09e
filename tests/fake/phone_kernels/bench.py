"""A phone with a bootloader, kernels for it, and lanes on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.device.fastboot.opening import FlashOptions
from harness.device.identity import prove, read_identity
from harness.device.lab import Act, Lab, LabDevice
from harness.device.lane_phone import PhoneLane, open_phone
from harness.variants.variant import Variant, kernels_of
from tests.stand_ins.bootloader.images import FakeKernel, boot_image
from tests.stand_ins.bootloader.phone import FlashablePhone
from tests.variants import boot_into, phone_variant

BUILD = "fake/fakephone/fakephone:15/AP1A/1:userdebug/dev-keys"
ONE = FakeKernel("6.6.30-one", build_id="11" * 20)
TWO = FakeKernel("6.6.30-two", build_id="22" * 20)
FOUND = phone_variant("found=as-is")


class Bench:
    """A phone, images for it, and lanes on it."""

    def __init__(self, adb: AdbServer, phone: FlashablePhone, folder: Path) -> None:
        self.adb, self.phone, self.folder = adb, phone, folder
        self.serial = adb.connect(phone.android.serial)
        self.device = AdbDevice(adb, self.serial)
        self.allow = frozenset(Act)
        self.lanes: list[PhoneLane] = []
        self.said: list[str] = []

    def image(self, name: str, kernel: FakeKernel) -> str:
        path = self.folder / f"{name}.img"
        path.write_bytes(boot_image(kernel))
        return str(path)

    def ram(self, name: str, kernel: FakeKernel) -> Variant:
        return phone_variant(f"{name}=boot:image={self.image(name, kernel)}")

    def images(self, name: str, content: Mapping[str, bytes]) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for partition, data in content.items():
            (folder / f"{partition}.img").write_bytes(data)
        (folder / "images.toml").write_text('product = "fakephone"\n')
        return folder

    def flash(self, name: str, kernel: FakeKernel, slot: str = "inactive", **more: bytes) -> Variant:
        folder = self.images(name, {"boot": boot_image(kernel), **more})
        return phone_variant(f"{name}=flash:set={folder},slot={slot}")

    def good(self, *partitions: str) -> Path:
        """The images that are on the phone."""
        suffix = "_a" if self.phone.bootloader.storage.slots else ""
        return self.images("good", {name: self.phone.flashed(name + suffix) for name in partitions})

    def open(
        self, *variants: Variant, known_good: Path | str | None = None, boot_s: float = 4.0
    ) -> PhoneLane:
        listed = LabDevice(self.serial, "Fake", BUILD, None, self.allow)
        options = FlashOptions(
            allowed=True,
            known_good=None if known_good is None else str(known_good),
            serial=self.phone.bootloader.address,
            boot_deadline_s=boot_s,
        )
        lane = open_phone(
            "phone-0",
            serial=self.serial,
            adb_port=self.adb.port,
            kernels=kernels_of(variants),
            flash=options,
            lab=Lab(Path("lab.toml"), (listed,)),
            say=self.said.append,
        )
        self.lanes.append(lane)
        return lane

    def proved(self, lane: PhoneLane, variant: Variant) -> str:
        """Boot it, and prove it as a block does; the release that runs."""
        device = boot_into(lane, variant)
        wanted = variant.expectation(lane)
        identity = read_identity(device, wanted)
        prove(identity, wanted)
        return identity.release

    @property
    def writes(self) -> list[str]:
        return self.phone.bootloader.storage.writes
