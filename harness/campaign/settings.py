"""The settings of one campaign, which are also the table of all options: a field is an option.

The options of pytest, ``python -m android_tests.campaign run`` and ``python -m android_tests``, the
keys of a campaign file, and docs/options.md are made from these fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from foundation.errors import UsageError
from harness.campaign.options import DeviceKind, Option, Place, fixed_row, phone_row, row, rows_of
from harness.virtual.base import BASES, DEFAULT_BASE, Base, parse_base
from harness.virtual.command_line import CLOCKS, USUAL_CPUS, Clock

SCENARIOS: Final = ("idle", "busy", "rt-busy")
RESULTS: Final = Path("results")

_LINE: Final[tuple[Place, ...]] = ("pytest", "run")
_PHONE: Final[tuple[Place, ...]] = ("pytest", "run", "doctor", "survey", "restore")
_FLASH: Final[tuple[Place, ...]] = ("pytest", "run", "restore")
_BOTH: Final[tuple[Place, ...]] = ("pytest", "run", "file")
_FILE: Final[tuple[Place, ...]] = ("pytest", "file")
_DOCTOR: Final[tuple[Place, ...]] = ("pytest", "file", "doctor")


@dataclass(frozen=True)
class Settings:
    """The settings of one campaign: command line over leg over campaign file over these defaults.

    Every value is checked on construction (UsageError). ``changes`` override keys of the profile.
    ``results`` is the folder of this campaign; with a leg, the leg's own.
    """

    device: DeviceKind = row("text", _LINE, "the kind of device", "virtual", choices=("virtual", "phone"))
    serial: str | None = phone_row("text", _PHONE, "serial number of the phone, if several are attached")
    adb_port: int | None = phone_row(
        "int", _PHONE, "port of the adb server that the phone is attached to", bounds=(1, 65535)
    )
    lab: Path | None = phone_row(
        "path",
        _PHONE,
        "lab file: the role of each phone, and what is allowed on it",
        metavar="FILE",
        default_text="./lab.toml",
    )
    role: str | None = phone_row("text", _PHONE, "use the attached phone with this role in the lab file")
    su: bool = phone_row("flag", _PHONE, "become root on the phone through its su", False)
    reboot_between: bool = phone_row(
        "flag", _LINE, "reboot the phone before every block but the first", False
    )
    allow_flash: bool = phone_row(
        "flag",
        _FLASH,
        "allow variants (or restore) to change the phone's kernel; the lab file must allow it too",
        False,
    )
    known_good: str | None = phone_row(
        "text",
        _LINE,
        "what to roll a flashed phone back to: the images that are on it now, or the word slot",
        metavar="SET",
        path_unless="slot",
    )
    fastboot_serial: str | None = phone_row(
        "text", _FLASH, "serial number of the phone in its bootloader", metavar="SERIAL"
    )
    boot_deadline_s: float = phone_row(
        "float", _LINE, "seconds a kernel may take to boot", 300.0, metavar="S", bounds=(1, 3600)
    )
    suppress: tuple[str, ...] = phone_row(
        "words",
        _LINE,
        "preconditions to neither set nor check, such as thermal; every result lists them",
        (),
        metavar="NAME,...",
    )
    reset_backed_zram: bool = phone_row(
        "flag",
        _LINE,
        "set the profile's zram also where the phone's has a backing device, which only a restart restores",
        False,
    )
    workload: str = row("text", ("file",), "workload; required in a campaign file", "app-switching")
    variants: tuple[str, ...] = fixed_row(
        "words",
        _FILE,
        "a kernel under test; give at least two, the first is the baseline",
        (),
        flag="--variant",
        metavar="NAME=KIND[:KEY=VALUE,...]",
        default_text="on a virtual device built and kcompressd, on the base 6.1 stock and kcompressd",
    )
    campaign: str | None = row(
        "text",
        ("pytest",),
        "campaign file, which defines what is compared: a path, or the name of one of the suite's",
        metavar="FILE",
    )
    leg: str | None = row("text", _LINE, "leg of the campaign file to run", metavar="NAME")
    results: Path = row(
        "path",
        _LINE,
        "results folder; each leg gets a subfolder",
        RESULTS,
        metavar="DIR",
        default_text="results/<workload or campaign>",
    )
    scenarios: tuple[str, ...] = row(
        "words",
        _BOTH,
        "CPU conditions, comma-separated",
        ("idle", "busy"),
        flag="--scenario",
        metavar="NAME,...",
        choices=SCENARIOS,
        commas=True,
    )
    pairs: int = row(
        "int", _BOTH, "pairs of blocks per scenario; 7 can show a change", 8, bounds=(1, 200), unit="pairs"
    )
    reps: int = row("int", _BOTH, "measured repetitions per block", 2, bounds=(1, 50), unit="repetitions")
    profile: str = fixed_row(
        "text",
        _FILE,
        "workload profile: a name, or a TOML file (in a campaign file: relative to it)",
        "",
        default_text="phone-like, or eater",
    )
    seed: int | None = row(
        "int",
        _BOTH,
        "seed of the block order, and of the pairs' workload seeds",
        bounds=(0, 2**31 - 1),
        default_text="random, recorded",
    )
    trace_queue: bool = row(
        "flag",
        _FILE,
        "also trace each page through the compression queue; costs CPU time on kernels that have one",
        False,
    )
    trace_reclaim: bool = row(
        "flag", _FILE, "also time the parts of kswapd's reclaim cycles; costs kswapd CPU time", False
    )
    trace_faults: bool = row(
        "flag", _FILE, "also time each fault on a swapped-out page; costs CPU time in each fault", False
    )
    redo_void: bool = row(
        "flag", _LINE, "when resuming, also measure pairs with a void block again, both halves", False
    )
    only_pairs: tuple[str, ...] = row(
        "words",
        _LINE,
        "measure only these pairs, counted from 0; the same command without it measures the rest",
        (),
        metavar="N,...",
    )
    dry_run: bool = row(
        "flag", _LINE, "print the schedule and what a phone would be sent, then exit", False
    )
    fail_on: Literal["regressed", "none"] = row(
        "text",
        _LINE,
        "whether a REGRESSED verdict fails its test item",
        "regressed",
        choices=("regressed", "none"),
    )
    virtual_base: str = fixed_row(
        "text",
        _DOCTOR,
        "what the virtual device stands on: kernel series, architecture, page size",
        str(DEFAULT_BASE),
        choices=tuple(map(str, BASES)),
        device="virtual",
    )
    virtual_cpus: int | None = fixed_row(
        "int",
        _FILE,
        "CPUs of the virtual device",
        bounds=(1, 64),
        unit="CPUs",
        device="virtual",
        default_text="1 by the instruction clock, 2 by the host's",
    )
    virtual_memory_mb: int = fixed_row(
        "int",
        _FILE,
        "memory of the virtual device, MiB",
        256,
        bounds=(96, 1024 * 1024),
        unit="MiB",
        device="virtual",
    )
    virtual_kernel: Path | None = row(
        "path", ("pytest",), "boot this kernel image as 'stock'", metavar="IMAGE", device="virtual"
    )
    virtual_modules: Path | None = row(
        "path", ("pytest",), "folder of that kernel's modules", metavar="DIR", device="virtual"
    )
    virtual_clock: Clock = fixed_row(
        "text",
        _DOCTOR,
        "what tells the virtual device the time: the instructions it has run, or the host's clock",
        CLOCKS[0],
        choices=CLOCKS,
        device="virtual",
    )
    virtual_parallel: int | None = row(
        "int",
        _LINE,
        "blocks that run side by side, each on a virtual device of its own",
        bounds=(1, 256),
        unit="blocks",
        device="virtual",
        default_text="by the instruction clock one for each CPU that this host has memory for, else 1",
    )
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for option in OPTIONS:
            value = getattr(self, option.name)
            if value is not None:
                option.check(value, option.flag)

    @property
    def name(self) -> str:
        """Name of the campaign: that of its file and leg, or of the workload if there is no file."""
        if self.campaign is None:
            return self.workload
        path = Path(self.campaign)
        name = path.stem if path.suffix == ".toml" else self.campaign
        return name if self.leg is None else f"{name}/{self.leg}"

    @property
    def base(self) -> Base:
        """``virtual_base`` as a `Base`."""
        return parse_base(self.virtual_base)

    @property
    def cpus(self) -> int:
        """CPUs of the virtual device: ``virtual_cpus``, or what its clock usually has."""
        return self.virtual_cpus or USUAL_CPUS[self.virtual_clock]

    @property
    def kernel(self) -> tuple[Path, Path] | None:
        """Image and modules to boot as 'stock' on a virtual device, or None. UsageError for one alone."""
        if (self.virtual_kernel is None) != (self.virtual_modules is None):
            raise UsageError("--virtual-kernel and --virtual-modules go together", next_step="give both")
        if self.virtual_kernel is None or self.virtual_modules is None:
            return None
        return self.virtual_kernel, self.virtual_modules


#: All options, in the order of help texts and docs.
OPTIONS: Final[tuple[Option, ...]] = tuple(rows_of(Settings).values())
