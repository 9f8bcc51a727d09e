"""What the suite owes a phone is state, and what an earlier version left in the cache counts."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from foundation.errors import HostError, LabError
from harness.device.fastboot import pending_restore
from harness.device.fastboot.pending_restore import OriginalState, record_path
from harness.device.preconditions.journal import process_of

SERIAL = "3A071FDH2000XK"
FOUND = OriginalState("a", "6.1.0", "#1", None, "slot", {"boot_b": "ab" * 32}, (2**22 + 1, "1"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECLAIM_SUITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECLAIM_SUITE_STATE", str(tmp_path / "state"))
    return tmp_path / "cache"


def left_by_an_earlier_version(cache: Path, owner: tuple[int, str] = FOUND.owner) -> Path:
    """As versions wrote it into the cache."""
    (cache / "phones").mkdir(parents=True)
    path = cache / "phones" / f"{SERIAL}.json"
    content = {
        "slot": "a",
        "release": "6.1.0",
        "version": "#1",
        "build_id": None,
        "known_good": "slot",
        "written": {"boot_b": "ab" * 32},
        "owner": list(owner),
    }
    path.write_text(json.dumps(content))
    return path


def test_clearing_the_cache_loses_nothing(cache: Path, tmp_path: Path) -> None:
    pending_restore.save(SERIAL, FOUND)
    assert record_path(SERIAL).parent == tmp_path / "state" / "phones"
    shutil.rmtree(cache, ignore_errors=True)
    assert pending_restore.load(SERIAL) == FOUND
    pending_restore.clear(SERIAL)
    assert pending_restore.load(SERIAL) is None


def test_reading_makes_nothing(tmp_path: Path) -> None:
    assert pending_restore.load(SERIAL) is None
    pending_restore.clear(SERIAL)
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_version_left_is_moved(cache: Path) -> None:
    path = left_by_an_earlier_version(cache)
    assert pending_restore.load(SERIAL) == FOUND
    assert not path.exists()
    shutil.rmtree(cache)
    assert pending_restore.load(SERIAL) == FOUND


def test_what_an_earlier_version_left_is_cleared(cache: Path) -> None:
    path = left_by_an_earlier_version(cache)
    pending_restore.clear(SERIAL)
    assert not path.exists()
    assert pending_restore.load(SERIAL) is None


def test_the_first_record_of_a_phone_counts(cache: Path) -> None:
    """A version that does not know the other place would note what it found half changed."""
    pending_restore.save(SERIAL, FOUND)
    left_by_an_earlier_version(cache, owner=process_of(os.getppid()))
    assert pending_restore.load(SERIAL) == FOUND


def test_an_earlier_version_that_is_still_at_the_phone(cache: Path) -> None:
    path = left_by_an_earlier_version(cache, owner=process_of(os.getppid()))
    with pytest.raises(LabError, match=f"process {os.getppid()} of this machine"):
        pending_restore.load(SERIAL)
    assert path.exists()
    assert not record_path(SERIAL).exists()


def test_a_damaged_record_of_an_earlier_version_is_named(cache: Path) -> None:
    path = left_by_an_earlier_version(cache)
    path.write_text("{")
    with pytest.raises(HostError, match=str(path)):
        pending_restore.load(SERIAL)
    assert path.exists()
