"""What README and docs/ say is so: commands, files, changes, links, campaign files, the built site."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.campaign.campaign_file import load_campaign
from harness.virtual.base import DEFAULT_BASE
from harness.virtual.kernels import stock_bundle
from tests.stand_ins.bootloader.images import FakeKernel, boot_image
from tests.stand_ins.device.module_model import pair
from tests.unit.docs.docs_pages import (
    SHELLS,
    Fence,
    Reader,
    fences_of,
)
from tests.unit.golden.builder import MS
from tests.unit.golden.reading import of_suite
from tests.unit.results_folder import ResultsFolder
from workloads.profile import load_profile

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
#: Read beside the code; their commands are for those who work on that code.
BESIDE_CODE = sorted((ROOT / "android_tests").rglob("*.md"))
WITH_PROGRAMS = [
    page for page in PAGES if any(fence.language in SHELLS or fence.title for fence in fences_of(page))
]

_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "results", "__pycache__", ".*_cache", ".hypothesis")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)


def names(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the suite with all that the pages take for granted."""
    root = tmp_path_factory.mktemp("docs") / "suite"
    shutil.copytree(ROOT, root, ignore=_LEFT_OUT, symlinks=True)
    (root / ".venv").symlink_to(sys.prefix)
    builder = of_suite()
    builder.run(50, 1300 * MS, 1310 * MS)
    builder.capture()
    trace = builder.build()
    (root / "golden.perfetto-trace").write_bytes(trace)
    folder = ResultsFolder(
        root / "results" / "first", pairs=2, metrics=("kswapd_cpu_ms",), primaries=("kswapd_cpu_ms",)
    )
    for block in folder.blocks:
        folder.block(block, [{}])
        folder.trace(block, 0, trace)
    shutil.copy(ROOT / "harness/virtual/kernels/page_io_kcompressd/kcompressd.patch", root / "series.mbox")
    stock = stock_bundle(DEFAULT_BASE)
    (root / "own-kernel").mkdir()
    (root / "own-kernel" / "bzImage").symlink_to(stock.image)
    (root / "own-kernel" / "modules").symlink_to(stock.image.parent / "modules")
    eater = (root / "workloads" / "profiles" / "eater.toml").read_text(encoding="utf-8")
    (root / "phone.toml").write_text(eater, encoding="utf-8")
    (root / "out").mkdir()
    for name, content in zip(("zsmalloc.ko", "zram.ko"), pair(2), strict=True):
        (root / "out" / name).write_bytes(content)
    for name in ("baseline", "patched", "factory"):
        kernel_set = root / "kernels" / name
        kernel_set.mkdir(parents=True)
        (kernel_set / "boot.img").write_bytes(boot_image(FakeKernel(f"6.6.30-{name}")))
        (kernel_set / "images.toml").write_text('product = "shiba"\n', encoding="utf-8")
    return root


@pytest.fixture
def reader(original: Path, tmp_path: Path) -> Reader:
    root = tmp_path / "suite"
    shutil.copytree(original, root, symlinks=True)
    return Reader(root)


@pytest.mark.parametrize("page", WITH_PROGRAMS, ids=names(WITH_PROGRAMS))
def test_a_reader_who_does_what_a_page_says_succeeds(page: Path, reader: Reader) -> None:
    for fence in fences_of(page):
        reader.follow(fence)


def test_every_page_of_more_than_words_is_followed() -> None:
    for name in ("README.md", "docs/first-campaign.md", "docs/campaigns.md", "docs/adding-a-metric.md"):
        assert ROOT / name in WITH_PROGRAMS


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_every_shell_fence_says_how_it_is_checked(page: Path) -> None:
    for fence in fences_of(page):
        assert fence.language, f"{fence.where}: a fence without a language: sh, toml, python, diff, text"
        assert (fence.mark is not None) == (fence.language in SHELLS), (
            f"{fence.where}: a shell fence, and no other, is preceded by <!-- run: ... -->"
        )


def _campaign(fence: Fence, path: Path) -> None:
    load_campaign(str(path))


def _profile(fence: Fence, path: Path) -> None:
    load_profile(str(path))


def _kind_of_toml(content: dict[str, object]) -> Callable[[Fence, Path], None] | None:
    if "workload" in content and isinstance(content["workload"], str):
        return _campaign
    if "device" in content and isinstance(content["device"], dict):
        return _profile
    return None


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_every_toml_file_shown_can_be_loaded(page: Path, tmp_path: Path) -> None:
    for fence in fences_of(page):
        # A file with a title belongs to a page that changes the code first.
        if fence.language != "toml" or fence.title:
            continue
        content = tomllib.loads(fence.text)
        path = tmp_path / f"line-{fence.line}.toml"
        path.write_text(fence.text, encoding="utf-8")
        if check := _kind_of_toml(content):
            check(fence, path)


def anchors_of(page: Path) -> set[str]:
    """As GitHub and the site make them of headings."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = set()
    for heading in _HEADING.findall(text):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        found.add(re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", plain)))
    return found


@pytest.mark.parametrize("page", [*PAGES, *BESIDE_CODE], ids=names([*PAGES, *BESIDE_CODE]))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in _LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            assert target.startswith("https://"), f"{page}: {target}"
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page}: {target}"
        assert file.is_relative_to(ROOT), f"{page}: {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors_of(file), f"{page}: {target}; it has {sorted(anchors_of(file))}"


def test_every_page_can_be_found_from_the_first() -> None:
    seen: set[Path] = set()
    todo = [DOCS / "index.md"]
    while todo:
        page = todo.pop()
        if page in seen or not page.exists():
            continue
        seen.add(page)
        targets = _LINK.findall(page.read_text(encoding="utf-8"))
        todo += [
            (page.parent / target.partition("#")[0]).resolve()
            for target in targets
            if target.partition("#")[0].endswith(".md")
        ]
    assert set(DOCS.rglob("*.md")) - seen == set(), "no page links to these"


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "--strict",
            "--quiet",
            "--site-dir",
            str(tmp_path / "site"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {path.parent.name for path in (tmp_path / "site").glob("*/index.html")}
    assert {page.stem for page in DOCS.glob("*.md")} - {"index"} <= pages
    # Nothing is fetched from elsewhere when it is read.
    html = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="https?://(?!squidfunk\.github\.io|www\.mkdocs\.org)', html)
