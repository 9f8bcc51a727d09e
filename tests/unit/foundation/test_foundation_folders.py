"""Where the suite keeps things on this machine."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from foundation.cache import cache_dir, cache_root
from foundation.files import move_atomic
from foundation.state import state_dir, state_root

_NAME = "android-reclaim-suite"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RECLAIM_SUITE_CACHE", "RECLAIM_SUITE_STATE", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_below_the_home_folder_by_default(home: Path) -> None:
    assert cache_root() == home / ".cache" / _NAME
    assert state_root() == home / ".local/state" / _NAME
    assert list(home.iterdir()) == [], "asking makes nothing"


def test_the_variables_of_the_desktop(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "c"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "s"))
    assert cache_root() == home / "c" / _NAME
    assert state_root() == home / "s" / _NAME


def test_the_variables_of_the_suite(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "s"))
    monkeypatch.setenv("RECLAIM_SUITE_CACHE", str(home / "cache"))
    monkeypatch.setenv("RECLAIM_SUITE_STATE", str(home / "state"))
    assert cache_root() == home / "cache"
    assert state_root() == home / "state"


def test_folders_are_made_and_private(home: Path) -> None:
    assert state_dir("pins", "R5CT") == state_root() / "pins" / "R5CT"
    assert state_dir("pins", "R5CT").is_dir()
    assert cache_dir() == cache_root()
    for root in (cache_root(), state_root()):
        assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_a_file_moves_whole(home: Path) -> None:
    (home / "old").write_text("content")
    move_atomic(home / "old", home / "new")
    assert [path.name for path in home.iterdir()] == ["new"]
    assert (home / "new").read_text() == "content"
    with pytest.raises(FileNotFoundError):
        move_atomic(home / "old", home / "newer")
    assert [path.name for path in home.iterdir()] == ["new"]
