"""Preparing headers and sources for the module build, without a kernel."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from foundation.errors import HostError
from harness.virtual.kernels import module_build
from harness.virtual.kernels.module_build import (
    HOOK_PATCH,
    SOURCE_DIR,
    apply_hooks,
    relocate_headers,
)
from harness.virtual.packages.host_command import require_programs, run


def test_headers_find_their_common_part(tmp_path: Path) -> None:
    sources = tmp_path / "usr" / "src"
    for name, text in (
        ("linux-headers-6.1.0-9-cloud-amd64", "include /usr/src/linux-headers-6.1.0-9-common/Makefile\n"),
        ("linux-headers-6.1.0-9-common", "all:\n\t@echo found in $(CURDIR)\n"),
    ):
        (sources / name).mkdir(parents=True)
        (sources / name / "Makefile").write_text(text)
    relocate_headers(tmp_path, "6.1.0-9-cloud-amd64")
    headers = sources / "linux-headers-6.1.0-9-cloud-amd64"
    printed = run(["make", "-s", "-C", str(headers), "all"], deadline_s=60)
    assert printed.strip() == f"found in {headers}"


def test_headers_of_another_form_are_not_guessed_at(tmp_path: Path) -> None:
    makefile = tmp_path / "usr" / "src" / "linux-headers-x" / "Makefile"
    makefile.parent.mkdir(parents=True)
    makefile.write_text("VERSION = 6\n")
    with pytest.raises(HostError, match="linux-headers-x has an unknown form: VERSION = 6"):
        relocate_headers(tmp_path, "x")


def test_patch_that_does_not_fit(tmp_path: Path) -> None:
    for name in ("Makefile", "zram_drv.c", "zram_drv.h"):
        (tmp_path / name).write_text("/* another driver */\n")
    with pytest.raises(
        HostError, match=r"hook\.patch does not apply to this kernel's zram driver: .* -> adapt the patch"
    ):
        apply_hooks(tmp_path)


def test_patch_has_one_line_of_context() -> None:
    hunks = re.split(r"(?m)^@@ .*\n", HOOK_PATCH.read_text())[1:]
    assert hunks
    for hunk in hunks:
        lines = hunk.split("\n--- ")[0].rstrip("\n").split("\n")
        leading = next(i for i, line in enumerate(lines) if line[:1] in "+-" and line)
        assert leading <= 1


def test_key_changes_with_each_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "zram_kcompressd"
    shutil.copytree(SOURCE_DIR, copy)
    monkeypatch.setattr(module_build, "SOURCE_DIR", copy)
    monkeypatch.setattr(module_build, "HOOK_PATCH", copy / "hook.patch")
    keys = {module_build.sources_key()}
    sources = module_build.own_sources()
    assert {"kcompressd.c", "kcompressd.h", "kcompressd_trace.h", "hook.patch"} == {
        path.name for path in sources
    }
    for path in sources:
        path.write_text(path.read_text() + "\n")
        keys.add(module_build.sources_key())
    assert len(keys) == len(sources) + 1


def test_own_files_carry_their_licence() -> None:
    for path in SOURCE_DIR.glob("*.[ch]"):
        assert "SPDX-License-Identifier: GPL-2.0-only" in path.read_text().splitlines()[0]
    assert "GNU GENERAL PUBLIC LICENSE" in (SOURCE_DIR / "LICENSE").read_text()


def test_missing_programs_are_named_with_their_packages() -> None:
    with pytest.raises(HostError, match=r"lacks no-such-cc -> apt-get install no-such-package"):
        require_programs({"no-such-cc": "no-such-package", "sh": "dash"})


def test_failing_command_tells_its_last_lines() -> None:
    with pytest.raises(HostError, match=r"ended with status 3: b / c / d$"):
        run(["sh", "-c", "printf 'a\\nb\\nc\\nd\\n' >&2; exit 3"], deadline_s=60)


def test_apt_errors_are_picked_out() -> None:
    with pytest.raises(HostError, match=r"status 100: E: Unable to locate$"):
        run(["sh", "-c", "echo 'E: Unable to locate' >&2; echo W: x >&2; exit 100"], deadline_s=60)


def test_full_disk_is_told_first() -> None:
    with pytest.raises(HostError, match="no space left on the disk of sh -> free"):
        run(
            ["sh", "-c", "echo 'tar: ./x: Cannot write: No space left on device' >&2; exit 2"],
            deadline_s=60,
        )


def test_deadline_ends_a_command() -> None:
    with pytest.raises(HostError, match="did not end within 0 s"):
        run([sys.executable, "-c", "import time; time.sleep(600)"], deadline_s=0.1)


def test_absent_command() -> None:
    with pytest.raises(HostError, match="lacks no-such-program"):
        run(["no-such-program"], deadline_s=1)
