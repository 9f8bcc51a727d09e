"""The CPU frequency of a cpufreq policy: pinned at one step, or left to the governor and recorded.

Files: Documentation/admin-guide/pm/cpufreq.rst and Documentation/cpu-freq/cpufreq-stats.rst of the kernel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from foundation.contract.batch import ask_all
from foundation.contract.device import Device
from foundation.errors import StateError
from foundation.quoting import quote
from harness.device.preconditions.pins import write_file

FOLDER: Final = "/sys/devices/system/cpu/cpufreq"
_STATE: Final = re.compile(r"(?:governor=(?P<governor>\S+) )?min=(?P<min>\d+) max=(?P<max>\d+)")


@dataclass(frozen=True)
class _Policy:
    """One policy (``policy0``); values read as ``governor=walt min=307200 max=2016000``, in kHz."""

    policy: str

    precondition = "cpufreq"

    @property
    def name(self) -> str:
        """``cpufreq policy0``."""
        return f"cpufreq {self.policy}"

    def read(self, device: Device) -> str:
        """Governor and limits. StateError if one cannot be read."""
        files = {"governor": "scaling_governor", "min": "scaling_min_freq", "max": "scaling_max_freq"}
        questions = {key: f"cat {quote(f'{FOLDER}/{self.policy}/{file}')}" for key, file in files.items()}
        answers = ask_all(device, questions)
        for key, answer in answers.items():
            if not answer.ok:
                raise StateError(
                    f"{self.name}: {files[key]} cannot be read: {answer.text}", device=device.serial
                )
        return " ".join(f"{key}={answer.text}" for key, answer in answers.items())


@dataclass(frozen=True)
class CpufreqRecord(_Policy):
    """A `Record` of a policy that is left to the phone, which may change its limits.

    The check for throttling watches them.
    """

    steady = False


@dataclass(frozen=True)
class CpufreqPin(_Policy):
    """A `Pin` that sets both limits of a policy to ``khz``; writing needs root."""

    khz: int

    survives_restart = False
    advice = "a power or thermal service of the vendor sets it as well: stop it, or lower cpufreq_share"

    @property
    def wanted(self) -> str:
        """Both limits at ``khz``, under any governor."""
        return f"min={self.khz} max={self.khz}"

    def due(self, before: str) -> bool:
        """Whether a limit differs."""
        return not self.verify(self.wanted, before)

    def write(self, device: Device, value: str) -> None:
        """Set the governor, if ``value`` names one, and the limits. StateError with the kernel's reason."""
        target, now = _parse(value), _parse(self.read(device))
        base = f"{FOLDER}/{self.policy}"
        if target["governor"] not in (None, now["governor"]):
            write_file(device, self.name, f"{base}/scaling_governor", str(target["governor"]))
        limits = ["min", "max"]
        # The kernel refuses min above max: to raise both, max goes first.
        if int(target["min"] or 0) > int(now["max"] or 0):
            limits.reverse()
        for limit in limits:
            write_file(device, self.name, f"{base}/scaling_{limit}_freq", str(target[limit]))

    def verify(self, wanted: str, got: str) -> bool:
        """Whether limits, and the governor if ``wanted`` names one, are equal."""
        asked, now = _parse(wanted), _parse(got)
        return asked in (now, {**now, "governor": None})


def _parse(text: str) -> Mapping[str, str | None]:
    match = _STATE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a state of a cpufreq policy: {text!r}")
    return match.groupdict()


def policies(device: Device) -> list[str]:
    """Names of the policies; empty on a device without cpufreq."""
    listed = device.shell(["ls", FOLDER], check=False).stdout.split()
    return sorted((name for name in listed if re.fullmatch(r"policy\d+", name)), key=lambda n: int(n[6:]))


def cpufreq_pins(device: Device, share: float | None) -> list[CpufreqPin] | list[CpufreqRecord]:
    """One for each policy, at its `sustainable_khz`; records only for a ``share`` of None.

    StateError for a policy whose frequencies cannot be read.
    """
    if share is None:
        return [CpufreqRecord(policy) for policy in policies(device)]
    return [CpufreqPin(policy, _step(device, policy, share)) for policy in policies(device)]


def _step(device: Device, policy: str, share: float) -> int:
    base = f"{FOLDER}/{policy}"
    answers = ask_all(
        device,
        {
            "steps": f"cat {quote(f'{base}/scaling_available_frequencies')}",
            # A line for each frequency, with its ticks; some drivers have only this file.
            "ticks": f"cat {quote(f'{base}/stats/time_in_state')}",
            "max": f"cat {quote(f'{base}/cpuinfo_max_freq')}",
        },
    )
    steps = answers["steps"].text.split() if answers["steps"].ok else []
    if not steps and answers["ticks"].ok:
        steps = [line.split()[0] for line in answers["ticks"].text.splitlines()]
    if not answers["max"].text.isdigit() or not all(step.isdigit() for step in steps) or not steps:
        raise StateError(
            f"cpufreq {policy}: its frequencies cannot be read: {answers['steps'].text[:80]}",
            device=device.serial,
            next_step='set cpufreq = "governor" in the profile\'s [phone]',
        )
    return sustainable_khz([int(step) for step in steps], int(answers["max"].text), share)


def sustainable_khz(steps: list[int], maximum: int, share: float) -> int:
    """The highest step of at most ``share`` of ``maximum``; the lowest step if all are above it."""
    return max((step for step in steps if step <= share * maximum), default=min(steps))


def time_in_state(device: Device, policy: str) -> dict[int, int]:
    """Ticks of 10 ms by kHz since boot; empty on a kernel that does not count them."""
    answer = ask_all(device, {"ticks": f"cat {quote(f'{FOLDER}/{policy}/stats/time_in_state')}"})["ticks"]
    pairs = [line.split() for line in answer.text.splitlines()] if answer.ok else []
    return {int(pair[0]): int(pair[1]) for pair in pairs if len(pair) == 2}
