"""KVM is believed only after a boot, and the answer is kept for a while."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from foundation.cache import ENV_CACHE
from foundation.errors import UsageError
from harness.virtual import accel
from harness.virtual.command_line import MachineConfig

CONFIG = MachineConfig("x86_64", Path("image"), Path("initramfs"), clock="host", accel="kvm")


class Probe:
    """Answers as a boot with KVM would, and counts how often it was asked."""

    def __init__(self, refusal: str | None) -> None:
        self.refusal = refusal
        self.asked = 0

    def __call__(self, config: MachineConfig) -> str | None:
        assert config == CONFIG
        self.asked += 1
        return self.refusal


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ENV_CACHE, str(tmp_path / "cache"))
    monkeypatch.delenv(accel.ENV_ACCEL, raising=False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(accel, "qemu_version", lambda arch: "QEMU 1.0")
    node = tmp_path / "kvm"
    node.touch()
    return node


def choose(
    device: Path, probe: Probe, now: float = 1000.0, wanted: str | None = None
) -> accel.Acceleration:
    clock: Callable[[], float] = lambda: now  # noqa: E731
    return accel.choose(CONFIG, wanted=wanted, device=device, probe=probe, clock=clock)


def test_a_good_boot_gives_kvm_and_is_kept(device: Path) -> None:
    probe = Probe(None)
    assert choose(device, probe).name == "kvm"
    again = choose(device, probe, now=1000.0 + accel.KEPT_S - 1)
    assert (again.name, probe.asked) == ("kvm", 1)
    assert "earlier probe" in again.reason


def test_a_bad_boot_gives_tcg_with_its_reason(device: Path) -> None:
    probe = Probe("it crawled")
    assert choose(device, probe) == accel.Acceleration("tcg", "it crawled")
    assert choose(device, probe).name == "tcg"
    assert probe.asked == 1


@pytest.mark.parametrize("now", [1000.0 + accel.KEPT_S, 999.0])
def test_an_expired_answer_or_one_of_the_future_is_asked_anew(device: Path, now: float) -> None:
    probe = Probe(None)
    choose(device, probe)
    choose(device, probe, now=now)
    assert probe.asked == 2


def test_another_qemu_is_asked_anew(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = Probe(None)
    choose(device, probe)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(accel, "qemu_version", lambda arch: "QEMU 2.0")
    choose(device, probe)
    assert probe.asked == 2


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"key": 1}', "not json", '{"key": null, "kept_at": "x"}']
)
def test_a_damaged_note_is_replaced(device: Path, text: str) -> None:
    probe = Probe(None)
    choose(device, probe)
    accel._file().write_text(text)
    assert choose(device, probe).name == "kvm"
    assert probe.asked == 2
    assert json.loads(accel._file().read_text())["accelerator"]["name"] == "kvm"


def test_a_note_with_a_foreign_accelerator_is_not_believed(device: Path) -> None:
    probe = Probe("no")
    choose(device, probe)
    accel._file().write_text(accel._file().read_text().replace('"tcg"', '"hvf"'))
    assert choose(device, probe).name == "tcg"
    assert probe.asked == 2


def test_no_device_node_needs_no_probe(device: Path) -> None:
    probe = Probe(None)
    chosen = choose(device.parent / "absent", probe)
    assert (chosen.name, probe.asked) == ("tcg", 0)
    assert "absent" in chosen.reason


def test_what_is_asked_for_wins(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = Probe(None)
    monkeypatch.setenv(accel.ENV_ACCEL, "tcg")
    assert choose(device, probe).name == "tcg"
    assert choose(device, probe, wanted="kvm").name == "kvm"
    assert probe.asked == 0
    assert choose(device, probe, wanted="auto").name == "kvm"
    assert probe.asked == 1


def test_an_unknown_name_is_refused(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(accel.ENV_ACCEL, "fast")
    with pytest.raises(UsageError, match="'fast'"):
        choose(device, Probe(None))


def test_kvm_runs_no_guest_of_another_architecture(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    probe = Probe(None)
    assert choose(device, probe).name == "tcg"
    assert probe.asked == 0
