"""What to type after the first page, and a memory eater profile that fits the device."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from foundation.contract.zram_identity import engine_of
from foundation.errors import HostError
from foundation.quoting import quote_argv
from foundation.toml_table import to_toml
from harness.device.port_switches import switch_at
from harness.doctor.effects import scenarios
from harness.doctor.facts import CompressionSwitch, DeviceFacts
from harness.doctor.measurable import Finding, usable

#: The eater must swap, and must leave room for Android and for what zram stores.
_ZRAM_SHARE: Final = 0.5
_EATER_SHARE: Final = 0.25
#: The mix of pages in the suite's profiles.
_CONTENT: Final = {"zero": 0.05, "same": 0.10, "ratio2.5": 0.51, "random": 0.34}
#: Preconditions that need root.
WITHOUT_ROOT: Final = ("cpufreq", "huge-pages", "page-cluster", "swappiness", "zram")
#: Off and on of a boolean switch.
_FLAGS: Final = {"Y": ("N", "Y"), "N": ("N", "Y")}


def next_steps(
    facts: DeviceFacts, found: list[Finding], connection: list[str], profile: Path | None
) -> list[str]:
    """Lines: a sentence, then commands that work as printed, in this folder.

    ``connection`` are the options that select the device (``--serial``, ``--adb-port``, ``--su``; of a
    virtual one ``--virtual-base`` and ``--virtual-clock``).
    """
    scenario = ",".join(scenarios(facts))
    if facts.emulated:
        words = [python(), "-m", "pytest", "android_tests/test_app_switching.py", "--device=virtual"]
        words += [*connection, "--scenario", scenario, "--pairs", "8"]
        if not facts.release.startswith("6.1.") and "--variant" not in connection:
            # The default variants of other series are built here, and need less memory.
            words += ["--virtual-memory-mb", "224"]
        thread = "our compression thread against the same kernel without it"
        what = "the noise of the same kernel twice" if "--variant" in words else thread
        return [
            f"Next, {what} (--variant compares others):",
            f"  {quote_argv(words)}",
        ]
    again = [python(), "-m", "android_tests", "doctor", *connection]
    if facts.root == "adb root":
        as_root = [python(), "-m", "android_tests", "adb", *connection, "root"]
        return ["Next:", f"  {quote_argv(as_root)}", f"  {quote_argv(again)}"]
    if facts.root == "su, not used":
        return ["Next:", f"  {quote_argv([*again, '--su'])}"]
    if not usable(found) and facts.is_root:
        return ["Next: use a kernel or a build that has what is missing above."]
    if not facts.is_root:
        switching = [python(), "-m", "pytest", "android_tests/test_app_switching.py", "--device=phone"]
        same = [*connection, "--variant", "a=as-is", "--variant", "b=as-is"]
        return [
            "Next, without root: this phone's noise in app switching, with its own settings:",
            f"  {quote_argv(switching)} \\",
            f"    {quote_argv(same)} \\",
            f"    --profile phone-apps --scenario {scenario} --suppress {','.join(WITHOUT_ROOT)}",
            "  Comparing kernels needs a userdebug build or root: see docs/phones.md.",
            f"  To analyse a trace that you recorded yourself: {python()} -m analysis metrics TRACE",
        ]
    if profile is None:
        return [
            "Next: write a memory eater profile, then run the campaign that this prints:",
            f"  {quote_argv([*again, '--write-profile', 'phone.toml'])}",
        ]
    words = [python(), "-m", "pytest", "android_tests/test_throughput.py", "--device=phone", *connection]
    for variant in variants(facts):
        words += ["--variant", variant]
    words += ["--scenario", scenario, "--pairs", "8", "--profile", str(profile)]
    return ["Next:", f"  {quote_argv(words)}"]


def python() -> str:
    """The interpreter that runs this, as typed in this folder."""
    return _from_here(Path(sys.executable))


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def variants(facts: DeviceFacts) -> tuple[str, str]:
    """Two variants for this device: its compression switch off and on, or the same kernel twice."""
    for switch in facts.switches:
        if switch.writable and (values := _off_and_on(switch)) is not None:
            kind, name = _kind(switch.path)
            return f"off={kind}:{name}={values[0]}", f"on={kind}:{name}={values[1]}"
    return "a=as-is", "b=as-is"


def _software(algorithm: str | None) -> str:
    """The device's own compressor, or lz4 in place of one in hardware, which is no kernel's."""
    return "lz4" if algorithm is None or engine_of(algorithm) else algorithm


def write_profile(facts: DeviceFacts, path: Path) -> None:
    """Write a memory eater profile for this device. HostError.

    The eater takes the available memory and a quarter of all memory more, in pages that compress about
    2.5 times; zram has half the memory's size, and the device's own compressor if that is software.
    """
    total_mb = facts.meminfo.get("MemTotal", 0) >> 10
    available_mb = facts.meminfo.get("MemAvailable", 0) >> 10
    content = {
        "device": {
            "zram_mb": max(1, int(total_mb * _ZRAM_SHARE)),
            "zram_algorithm": _software(facts.zram_algorithm.text),
            "swappiness": int(facts.swappiness.text or 100),
            "page_cluster": 0,
        },
        "eater": {
            "mb": max(1, available_mb + int(total_mb * _EATER_SHARE)),
            "content": _CONTENT,
            "rate_mb_s": 0,
            "touches": 0,
            "rewrite_share": 0.0,
            "seed": 1,
        },
    }
    model = facts.properties.get("model", facts.serial)
    head = f"# The memory eater for {model}, {total_mb} MiB of memory.\n\n"
    try:
        path.write_text(head + to_toml(content), encoding="utf-8")
    except OSError as error:
        raise HostError(f"{path} cannot be written: {error.strerror}") from error


def _kind(path: str) -> tuple[str, str]:
    sysctl = "/proc/sys/"
    if path.startswith(sysctl):
        return "sysctl", path.removeprefix(sysctl).replace("/", ".")
    return "param", path


def _off_and_on(switch: CompressionSwitch) -> tuple[str, str] | None:
    value, known = switch.value, switch_at(switch.path)
    if value is None:
        return None
    if known is not None:
        if known.off is None or known.on is None:
            return None
        # A number other than off is this phone's own.
        keep = known.numbers is not None and value != known.off
        return known.off, value if keep else known.on
    if value in _FLAGS:
        return _FLAGS[value]
    if not value.isdigit() or "queue" in switch.path:
        return None
    return "0", value if value != "0" else "1"
