"""Which trace processor is chosen, and that nothing unknown runs silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.trace_processor import choice as engine_choice
from analysis.trace_processor import native_pin
from analysis.trace_processor.choice import ENV_ENGINE, EngineChoice, find_engine
from foundation.errors import HostError, UsageError


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RECLAIM_SUITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(ENV_ENGINE, raising=False)


def _pinned_path(tmp_path: Path) -> Path:
    pinned = native_pin.pin()
    assert pinned is not None
    return tmp_path / "home" / ".local" / "share" / "perfetto" / "prebuilts" / pinned.file_name


def test_the_offline_one_is_chosen_without_a_native_one() -> None:
    found = find_engine(EngineChoice(), 10**6)
    assert found.kind == "wasm"
    assert found.sha256 == engine_choice.PINNED_WASM["trace_processor.wasm"]


def test_large_traces_take_the_64_bit_module() -> None:
    assert find_engine(EngineChoice(), 300 * 10**6).kind == "wasm64"


def test_a_file_with_the_pinned_name_and_other_content_is_refused(tmp_path: Path) -> None:
    impostor = _pinned_path(tmp_path)
    impostor.parent.mkdir(parents=True)
    impostor.write_bytes(b"#!/bin/sh\n")
    with pytest.raises(HostError, match="not the pinned trace processor"):
        find_engine(EngineChoice(), 1)
    assert find_engine(EngineChoice(kind="wasm"), 1).kind == "wasm"


def test_native_only_without_a_native_one_is_an_error() -> None:
    with pytest.raises(HostError, match="no native trace processor"):
        find_engine(EngineChoice(kind="native"), 1)


def test_an_explicit_module_overrides_the_order() -> None:
    module = find_engine(EngineChoice(kind="wasm"), 300 * 10**6).path
    found = find_engine(EngineChoice.parse(str(module)), 1)
    assert (found.kind, found.path) == ("wasm64", module)


def test_an_explicit_file_that_is_not_executable_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not an engine")
    with pytest.raises(UsageError, match="neither an executable nor WebAssembly"):
        find_engine(EngineChoice.parse(str(text)), 1)


def test_the_environment_decides_when_the_caller_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(ENV_ENGINE, "wasm")
    assert EngineChoice.parse(None).kind == "wasm"
    assert EngineChoice.parse("native").kind == "native"
    monkeypatch.setenv(ENV_ENGINE, str(tmp_path / "absent"))
    with pytest.raises(UsageError, match="no trace processor at"):
        EngineChoice.parse(None)


def test_a_module_that_is_not_the_pinned_one_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(engine_choice.PINNED_WASM, "trace_processor.wasm", "0" * 64)
    with pytest.raises(HostError, match=r"does not contain the pinned trace_processor\.wasm"):
        find_engine(EngineChoice(), 1)
