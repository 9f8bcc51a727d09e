"""The settings of one campaign, and with them the table of all options: a row is one option.

pytest's options, those of ``python -m android_tests.campaign run`` and ``python -m android_tests``,
the keys of a campaign file and docs/options.md are made from these rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from foundation.errors import UsageError
from harness.campaign.options import DeviceKind, Option, Place, row, rows_of

SCENARIOS: Final = ("idle", "busy", "rt-busy")
RESULTS: Final = Path("results")

_LINE: Final[tuple[Place, ...]] = ("pytest", "run")
_PHONE: Final[tuple[Place, ...]] = ("pytest", "run", "doctor", "restore")
_FLASH: Final[tuple[Place, ...]] = ("pytest", "run", "restore")
_BOTH: Final[tuple[Place, ...]] = ("pytest", "run", "file")
_FILE: Final[tuple[Place, ...]] = ("pytest", "file")


@dataclass(frozen=True)
class Settings:
    """What was asked for: the command line over the leg over the file over these defaults.

    Every value is checked when the object is made (UsageError). ``changes`` take the place of keys
    of the profile. ``results`` is the folder of this campaign; with a leg, the leg's own.
    """

    device: DeviceKind = row("text", _LINE, "what to measure on", "virtual", choices=("virtual", "phone"))
    serial: str | None = row("text", _PHONE, "which phone, if several are attached", device="phone")
    adb_port: int | None = row(
        "int", _PHONE, "port of the adb server that holds the phone", bounds=(1, 65535), device="phone"
    )
    lab: Path | None = row(
        "path", _PHONE, "the lab file", metavar="FILE", default_text="./lab.toml", device="phone"
    )
    role: str | None = row(
        "text", _PHONE, "the attached phone that has this role in the lab file", device="phone"
    )
    su: bool = row("flag", _PHONE, "be root on the phone through its su", False, device="phone")
    reboot_between: bool = row(
        "flag", _LINE, "restart the phone before each block but the first", False, device="phone"
    )
    allow_flash: bool = row(
        "flag",
        _FLASH,
        "let variants (or restore) change the phone's kernel, if the lab file allows it for this phone",
        False,
        device="phone",
    )
    known_good: str | None = row(
        "text",
        _LINE,
        "what a flashed phone is rolled back to: the images that are on it now, or the word slot",
        metavar="SET",
        path_unless="slot",
        device="phone",
    )
    fastboot_serial: str | None = row(
        "text", _FLASH, "the phone's name in its bootloader", metavar="SERIAL", device="phone"
    )
    boot_deadline_s: float = row(
        "float",
        _LINE,
        "how long a kernel may take to boot, s",
        300.0,
        metavar="S",
        bounds=(1, 3600),
        device="phone",
    )
    suppress: tuple[str, ...] = row(
        "words",
        _LINE,
        "a precondition that is neither set nor checked, such as thermal; every result says so",
        (),
        metavar="NAME,...",
        device="phone",
    )
    workload: str = row("text", ("file",), "the workload; a file must name it", "app-switching")
    variants: tuple[str, ...] = row(
        "words",
        _FILE,
        "a kernel under test, twice or more; the others are compared with the first",
        (),
        flag="--variant",
        metavar="NAME=KIND[:KEY=VALUE,...]",
        default_text="stock and kcompressd on a virtual device",
        fixed_by_file=True,
    )
    campaign: str | None = row(
        "text",
        ("pytest",),
        "a campaign file, which defines what is compared: a path, or the name of one of the suite's",
        metavar="FILE",
    )
    leg: str | None = row("text", _LINE, "which leg of the campaign file", metavar="NAME")
    results: Path = row(
        "path",
        _LINE,
        "results folder; each leg has its own in it",
        RESULTS,
        metavar="DIR",
        default_text="results/<workload or campaign>",
    )
    scenarios: tuple[str, ...] = row(
        "words",
        _BOTH,
        "CPU conditions, with commas",
        ("idle", "busy"),
        flag="--scenario",
        metavar="NAME,...",
        choices=SCENARIOS,
        commas=True,
    )
    pairs: int = row(
        "int", _BOTH, "pairs of blocks a scenario; 7 can show a change", 8, bounds=(1, 200), unit="pairs"
    )
    reps: int = row("int", _BOTH, "measured repetitions a block", 2, bounds=(1, 50), unit="repetitions")
    profile: str = row(
        "text",
        _FILE,
        "workload profile: a name, or a TOML file (relative to the campaign file)",
        "",
        default_text="phone-like, or eater",
        fixed_by_file=True,
    )
    seed: int | None = row(
        "int", _BOTH, "seed of the block order", bounds=(0, 2**31 - 1), default_text="drawn, and recorded"
    )
    trace_queue: bool = row(
        "flag",
        _FILE,
        "also trace each page through the compression queue; costs the kernels that have one CPU time",
        False,
    )
    trace_reclaim: bool = row(
        "flag", _FILE, "also time the parts of kswapd's reclaim cycles; costs kswapd CPU time", False
    )
    trace_faults: bool = row(
        "flag", _FILE, "also time each fault on a swapped-out page; costs each fault CPU time", False
    )
    redo_void: bool = row(
        "flag", _LINE, "when resuming: also measure pairs with a void block again, each as a whole", False
    )
    dry_run: bool = row("flag", _LINE, "print the schedule and stop", False)
    fail_on: Literal["regressed", "none"] = row(
        "text",
        _LINE,
        "whether a REGRESSED verdict fails its item",
        "regressed",
        choices=("regressed", "none"),
    )
    virtual_cpus: int = row(
        "int",
        _FILE,
        "CPUs of the virtual device",
        2,
        bounds=(1, 64),
        unit="CPUs",
        device="virtual",
        fixed_by_file=True,
    )
    virtual_memory_mb: int = row(
        "int",
        _FILE,
        "memory of the virtual device, MiB",
        256,
        bounds=(96, 1024 * 1024),
        unit="MiB",
        device="virtual",
        fixed_by_file=True,
    )
    virtual_kernel: Path | None = row(
        "path", ("pytest",), "boot this kernel as 'stock'", metavar="IMAGE", device="virtual"
    )
    virtual_modules: Path | None = row(
        "path", ("pytest",), "modules of that kernel", metavar="DIR", device="virtual"
    )
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for option in OPTIONS:
            value = getattr(self, option.name)
            if value is not None:
                option.check(value, option.flag)

    @property
    def name(self) -> str:
        """Of the campaign: its file's, with the leg's; the workload's where there is no file."""
        if self.campaign is None:
            return self.workload
        path = Path(self.campaign)
        name = path.stem if path.suffix == ".toml" else self.campaign
        return name if self.leg is None else f"{name}/{self.leg}"

    @property
    def kernel(self) -> tuple[Path, Path] | None:
        """Image and modules of the kernel that is 'stock' on a virtual device. UsageError for one alone."""
        if (self.virtual_kernel is None) != (self.virtual_modules is None):
            raise UsageError("--virtual-kernel and --virtual-modules go together", next_step="give both")
        if self.virtual_kernel is None or self.virtual_modules is None:
            return None
        return self.virtual_kernel, self.virtual_modules


#: All of them, in the order of help texts and docs.
OPTIONS: Final[tuple[Option, ...]] = tuple(rows_of(Settings).values())
