"""A campaign with a kernel that fails: the failure is a result, told at once and kept with its log."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.virtual.base import parse_base
from harness.virtual.kernels import KernelBundle, stock_bundle

ROOT = Path(__file__).parents[2]
# A dead kernel of this architecture resets at once; on arm64 it would hang until the boot's deadline.
BASE = parse_base("6.12-amd64")


def modules_of(bundle: KernelBundle, folder: Path) -> Path:
    folder.mkdir()
    for module in bundle.modules:
        shutil.copy(module.path, folder / module.path.name)
    return folder


def refused_module(folder: Path) -> tuple[Path, Path]:
    """The stock kernel with a zram module that says it was built with another configuration."""
    bundle = stock_bundle(BASE)
    modules = modules_of(bundle, folder / "modules")
    zram = modules / "zram.ko"
    content = zram.read_bytes()
    at = content.index(b"vermagic=") + content[content.index(b"vermagic=") :].index(b" SMP")
    zram.write_bytes(content[:at] + b" UPS" + content[at + 4 :])
    return bundle.image, modules


def dead_kernel(folder: Path) -> tuple[Path, Path]:
    """An image whose header is right and whose code is nothing."""
    bundle = stock_bundle(BASE)
    image = folder / "bzImage"
    content = bytearray(bundle.image.read_bytes())
    content[0x8000:] = bytes(len(content) - 0x8000)
    image.write_bytes(content)
    return image, modules_of(bundle, folder / "modules")


@pytest.mark.parametrize(
    ("make", "words"), [(refused_module, "zram"), (dead_kernel, "reset itself")], ids=["module", "kernel"]
)
def test_a_kernel_that_fails_is_a_result(make: object, words: str, tmp_path: Path) -> None:
    assert callable(make)
    image, modules = make(tmp_path)
    results = tmp_path / "results"
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "pytest", "android_tests/test_app_switching.py", "-p", "no:cacheprovider"),
            *("--profile", "smoke", "--pairs", "1", "--reps", "1", "--seed", "1", "--scenario", "idle"),
            *("--virtual-base", str(BASE)),
            *("--variant", "baseline=stock", "--variant", f"mine=kernel:image={image},modules={modules}"),
            *("--results", str(results), "--fail-on", "none"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "KERNEL FAILURE" in done.stdout
    (path,) = results.glob("blocks/*-mine-idle/block.json")
    record = json.loads(path.read_text())
    assert record["outcome"] == "kernel_failure"
    assert words in record["failure"]
    assert (path.parent / "kernel.log").stat().st_size > 0
    (other,) = results.glob("blocks/*-baseline-idle/block.json")
    assert json.loads(other.read_text())["outcome"] in ("valid", "void"), (
        "the other kernel is measured all the same"
    )
    assert {row["verdict"] for row in json.loads((results / "verdicts.json").read_text())} == {"UNDECIDED"}
    assert "KERNEL FAILURE" in (results / "report.html").read_text()
