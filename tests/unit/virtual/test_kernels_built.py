"""Keys, configuration, and the first error of a kernel build; nothing is built here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foundation.contract.arch import Arch
from foundation.errors import HostError, UsageError
from harness.variants.kinds import built, patch
from harness.variants.on_virtual import VirtualKind
from harness.variants.variant import parse_variant, pin_contents
from harness.virtual.base import BASES, DEFAULT_BASE, NEWEST, Base
from harness.virtual.kernels import KernelBundle
from harness.virtual.kernels.built import (
    config,
    make,
    patch_content,
    patch_ids,
    read_patch,
    thread_patch,
    toolchain,
)
from harness.virtual.kernels.built.kernel import (
    BuildRequest,
    _install,
    _Work,
    build_kernel,
    cached_kernel,
    content_key,
)
from harness.virtual.kernels.built.source import builds_dir, exclusive_builds, known_source
from tests.variants import virtual_variant

DIFF = "--- a/mm/one.c\n+++ b/mm/one.c\n@@ -1 +1 @@\n-one\n+two\n"
SOURCE = Path("/cache/work/source")
OLD = Base("6.1", "x86_64", 4)
ARM64 = Base("6.12", "aarch64", 4)
NATIVE = toolchain.Toolchain("x86_64", "")
BUILDABLE = [base for base in BASES if base.series != NEWEST]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECLAIM_SUITE_CACHE", str(tmp_path / "cache"))
    return tmp_path


def patch_at(path: Path, text: str = DIFF) -> Path:
    path.write_text(text)
    return path


def test_a_key_changes_with_each_part_of_the_content(tmp_path: Path) -> None:
    one = BuildRequest(OLD, read_patch(patch_at(tmp_path / "one")))
    other = BuildRequest(OLD, read_patch(patch_at(tmp_path / "other", DIFF.replace("two", "three"))))
    same = BuildRequest(OLD, read_patch(patch_at(tmp_path / "same", "words\n" + DIFF)))
    base = ("6.1.192-2", "gcc-12 12.2.0", "CONFIG_A=y\n")
    keys = [
        content_key(*base, BuildRequest(OLD)),
        content_key(*base, BuildRequest(ARM64)),
        content_key(*base, one),
        content_key(*base, other),
        content_key(*base, BuildRequest(OLD, one.patch, "CONFIG_B=y\n")),
        content_key("6.1.193-1", *base[1:], one),
        content_key(base[0], "gcc-12 12.3.0", base[2], one),
        content_key(*base[:2], "CONFIG_A=n\n", one),
    ]
    assert len(set(keys)) == len(keys)
    assert content_key(*base, one) == content_key(*base, same)
    assert all(len(key) == 8 and int(key, 16) >= 0 for key in keys)


def test_our_patches_are_read_and_touch_few_files() -> None:
    old, new = read_patch(thread_patch(OLD)), read_patch(thread_patch(ARM64))
    assert old.files == ("mm/page_io.c",)
    assert new.files == (
        "include/trace/events/kcompressd.h",
        "mm/Makefile",
        "mm/kcompressd.c",
        "mm/page_io.c",
        "mm/swap.h",
        "mm/vmscan.c",
    )
    for each in (old, new):
        assert "kcompressd%d" in each.parts[0].diff


@pytest.mark.parametrize("base", BUILDABLE, ids=str)
def test_the_configuration_has_what_the_suite_needs(base: Base) -> None:
    asked = config.options(config.suite_config(base))
    needed = ("ZRAM", "ZSMALLOC", "PSI", "MEMCG", "LRU_GEN", "SCHEDSTATS", "KPROBES", "VIRTIO_NET", "SMP")
    assert {asked.get(f"CONFIG_{name}") for name in needed} == {"y"}
    assert "m" not in asked.values()
    # The defaults of Debian's and of Android's kernels of the series.
    assert asked["CONFIG_LRU_GEN_ENABLED"] == ("y" if base.series == "6.12" else "n")
    assert asked["CONFIG_INIT_ON_ALLOC_DEFAULT_ON"] == "y"
    # Boots have to be alike in instruction time.
    for name in ("RANDOMIZE_BASE", "SLAB_FREELIST_RANDOM", "SHUFFLE_PAGE_ALLOCATOR", "PVPANIC"):
        assert asked[f"CONFIG_{name}"] == "n"


def test_the_page_size_is_the_only_difference_between_two_bases_of_arm64() -> None:
    small, large = (config.options(config.suite_config(Base("6.12", "aarch64", kb))) for kb in (4, 16))
    assert small["CONFIG_ARM64_4K_PAGES"] == large["CONFIG_ARM64_16K_PAGES"] == "y"
    differing = {name for name in small.keys() | large.keys() if small.get(name) != large.get(name)}
    assert all(name.startswith(("CONFIG_ARM64_VA_BITS_", "CONFIG_ARM64_")) for name in differing)
    assert len(differing) == 4


def test_a_base_that_cannot_be_built() -> None:
    newest = Base(NEWEST, "x86_64", 4)
    with pytest.raises(UsageError, match=r"base newest-amd64 -> take one of 6\.12-arm64, 6\.12-arm64-16k"):
        config.suite_config(newest)
    with pytest.raises(UsageError, match=r"not written for the base newest-amd64"):
        thread_patch(newest)


@pytest.mark.parametrize(
    ("host", "arch", "expected"),
    [
        ("x86_64", "x86_64", ("ARCH=x86_64", "CC=gcc-12", "HOSTCC=gcc-12")),
        (
            "x86_64",
            "aarch64",
            (
                "ARCH=arm64",
                "CROSS_COMPILE=aarch64-linux-gnu-",
                "CC=aarch64-linux-gnu-gcc-12",
                "HOSTCC=gcc-12",
            ),
        ),
        ("aarch64", "aarch64", ("ARCH=arm64", "CC=gcc-12", "HOSTCC=gcc-12")),
    ],
)
def test_the_toolchain_is_the_hosts_or_a_cross_compiler(
    host: str, arch: Arch, expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: host)
    assert toolchain.toolchain(arch).arguments == expected


def test_a_cross_compiler_is_a_debian_package_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    programs = toolchain.toolchain("x86_64").programs
    assert programs["x86_64-linux-gnu-gcc-12"] == "gcc-12-x86-64-linux-gnu"
    assert programs["x86_64-linux-gnu-ld"] == "binutils-x86-64-linux-gnu"
    assert toolchain.toolchain("x86_64").image == Path("arch/x86/boot/bzImage")


def test_a_fragment_takes_the_place_of_lines() -> None:
    fragment = '# why\nCONFIG_B=y\n# CONFIG_C is not set\nCONFIG_D="x"\n'
    text = config.merged("CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=y\n", fragment)
    assert config.options(text) == {
        "CONFIG_A": "y",
        "CONFIG_B": "y",
        "CONFIG_C": "n",
        "CONFIG_D": '"x"',
    }
    assert text.count("CONFIG_B") == 1
    assert config.lost(text, fragment) == []
    assert config.lost("CONFIG_A=y\nCONFIG_C=y\n", fragment) == ["CONFIG_B=y", "CONFIG_C=n", 'CONFIG_D="x"']


def test_a_fragment_that_sets_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sets no kernel option"):
        config.read_fragment(patch_at(tmp_path / "f", "# words\n"))
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        config.read_fragment(tmp_path / "none")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "  CC      mm/swap.o\n"
            f"{SOURCE}/mm/page_io.c: In function 'f':\n"
            f"{SOURCE}/mm/page_io.c:12:3: warning: unused variable 'x' [-Wunused-variable]\n"
            f"{SOURCE}/mm/page_io.c:212:9: error: 'foo' undeclared (first use in this function)\n"
            f"{SOURCE}/mm/page_io.c:213:9: error: second\n"
            "make[3]: *** [../scripts/Makefile.build:250: mm/page_io.o] Error 1\n",
            "mm/page_io.c:212: 'foo' undeclared (first use in this function)",
        ),
        (
            f"{SOURCE}/mm/a.c:1:10: fatal error: linux/none.h: No such file or directory\n",
            "mm/a.c:1: linux/none.h: No such file or directory",
        ),
        ("/tmp/x.s:7: Error: no such instruction: `foo'\n", "/tmp/x.s:7: no such instruction: `foo'"),
        (
            "ld: vmlinux.o: in function `swap':\n"
            "ld: mm/page_io.o:(.text+0x1): undefined reference to `foo'\n"
            "make[1]: *** [Makefile:1250: vmlinux] Error 1\n",
            "mm/page_io.o: undefined reference to `foo'",
        ),
        (f"{SOURCE}/mm/Kconfig:12: syntax error\nmake: *** [x] Error 1\n", "mm/Kconfig:12: syntax error"),
        (
            "make[2]: *** No rule to make target 'mm/none.o', needed by 'mm/built-in.a'.  Stop.\n",
            "No rule to make target 'mm/none.o', needed by 'mm/built-in.a'.  Stop.",
        ),
        (
            "make[1]: *** Waiting for unfinished jobs....\nmake: *** [Makefile:1853: mm] Error 2\n",
            "Makefile:1853: mm: Error 2",
        ),
        ("odd\n", "odd"),
        ("", "make gave no reason"),
    ],
)
def test_the_first_error_of_a_build(said: str, expected: str) -> None:
    assert make.first_error(said, SOURCE) == expected


def test_files_built_are_counted() -> None:
    said = "  CALL    x.sh\n  CC      mm/swap.o\n  AR      mm/built-in.a\n  HOSTCC  a\nwarning: CC x\n"
    assert make.files_built(said) == 3


def small_makefile(folder: Path, recipe: str) -> Path:
    (folder / "src").mkdir()
    (folder / "src" / "Makefile").write_text(f"all:\n\t@{recipe}\n")
    return folder / "src"


def test_make_is_run_with_a_clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MAKEFLAGS", "n"), ("ARCH", "arm64"), ("KCFLAGS", "-O0")):
        monkeypatch.setenv(name, value)
    recipe = 'echo "$$ARCH,$$KCFLAGS,$$KBUILD_BUILD_USER,$(O)"; echo "  CC      x.o"'
    source = small_makefile(tmp_path, recipe)
    result = make.run_make(source, tmp_path / "out", ["all"], tmp_path / "log", NATIVE)
    assert (result.error, result.files) == (None, 1)
    assert f"x86_64,,reclaim-suite,{tmp_path / 'out'}\n" in (tmp_path / "log").read_text()


def test_a_failed_make_is_an_error_of_its_own_output_alone(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("mm/old.c:1:1: error: of an earlier run\n")
    source = small_makefile(tmp_path, "echo 'mm/x.c:3:1: error: bad' >&2; exit 1")
    result = make.run_make(source, tmp_path / "out", ["all"], tmp_path / "log", NATIVE)
    assert result.error == "mm/x.c:3: bad"
    assert "of an earlier run" in (tmp_path / "log").read_text()


def test_progress_is_told_and_children_end_with_an_exception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make, "PROGRESS_EVERY_S", 0.2)
    source = small_makefile(tmp_path, f"echo '  CC      x.o'; echo $$$$ > {tmp_path}/pid; exec sleep 600")
    said: list[str] = []

    def progress(line: str) -> None:
        said.append(line)
        if (tmp_path / "pid").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make.run_make(source, tmp_path / "out", ["all"], tmp_path / "log", NATIVE, progress)
    assert "1 files built after 0.0 min" in said[-1]
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_missing_packages_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_INCLUDE", tmp_path)
    monkeypatch.setattr(toolchain, "_PROGRAMS", {"no-such-flex": "flex"})
    with pytest.raises(HostError) as caught:
        toolchain.require_tools(NATIVE)
    assert (
        str(caught.value) == "this machine lacks no-such-flex -> apt-get install flex libelf-dev libssl-dev"
    )
    monkeypatch.setattr(toolchain, "_PROGRAMS", {})
    with pytest.raises(HostError, match=r"gelf.h.*apt-get install libelf-dev libssl-dev"):
        toolchain.require_tools(NATIVE)


def test_nothing_is_known_in_an_empty_cache(cache: Path) -> None:
    assert known_source("6.1") is None
    assert cached_kernel(BuildRequest(OLD)) is None
    (builds_dir() / "source-version-6.1").write_text("6.1.1-1\n")
    assert known_source("6.1") is None


def test_the_source_is_never_written_to_by_a_build(tmp_path: Path) -> None:
    clean = tmp_path / "clean"
    clean.mkdir()
    (clean / "one.c").write_text("one\n")
    work = tmp_path / "work"
    work.mkdir()
    (work / "one.c").hardlink_to(clean / "one.c")
    (work / "old.c").write_text("old\n")
    new = patch_at(tmp_path / "new.c", "two\n")
    _install({"one.c": new, "deep/new.c": new, "old.c": None}, work)
    assert (clean / "one.c").read_text() == "one\n"
    assert (work / "one.c").read_text() == (work / "deep" / "new.c").read_text() == "two\n"
    assert not (work / "old.c").exists()


def test_what_a_dead_process_left_is_removed(cache: Path) -> None:
    left = builds_dir() / ".unfinished-1"
    left.mkdir()
    with exclusive_builds(lambda line: None):
        assert not left.exists()


def test_a_patch_that_does_not_fit_is_told_before_anything_is_built(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.virtual.kernels.built.kernel.require_tools", lambda tools: None)
    monkeypatch.setattr(toolchain.Toolchain, "version", lambda self: "gcc-12 12.2.0")
    source = builds_dir() / "source-6.1.7-1"
    (source / "mm").mkdir(parents=True)
    (source / "mm" / "one.c").write_text("eins\n")
    (source / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 7\n")
    (builds_dir() / "source-version-6.1").write_text("6.1.7-1\n")
    said: list[str] = []
    with pytest.raises(UsageError, match=r"Debian's 6.1.7: mm/one.c, hunk 1 \(line 1\)"):
        build_kernel(BuildRequest(OLD, read_patch(patch_at(cache / "p"))), said.append)
    assert said == []
    assert (source / "mm" / "one.c").read_text() == "eins\n"
    assert not _Work(OLD, "x").top.exists()


def test_a_bare_path_is_the_patch() -> None:
    for text in ("p=patch:some/x.patch", "p=patch:file=some/x.patch"):
        assert dict(parse_variant(text, device_kind="virtual").options) == {"file": "some/x.patch"}
    variant = parse_variant("p=patch:/a=b/x.patch,thread=yes", device_kind="virtual")
    assert dict(variant.options) == {"file": "/a=b/x.patch", "thread": "yes"}
    assert parse_variant(variant.spec.replace("thread=yes", "thread=no"), device_kind="virtual")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p=patch", "write p=patch:FILE"),
        ("p=patch:thread=yes", "write p=patch:FILE"),
        ("p=patch:x.patch,y.patch", "option 'y.patch' is not KEY=VALUE"),
        ("p=patch:x.patch,thread=maybe", "neither yes nor no"),
        ("p=patch:x.patch,thraed=yes", "did you mean 'thread'"),
        ("p=built:x", "not KEY=VALUE"),
        ("p=kcompressd-page-io:threads=1", "takes no options"),
    ],
)
def test_a_bad_spec(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_variant(text, device_kind="virtual")
    assert words in str(caught.value)


def test_an_edited_patch_is_another_variant(tmp_path: Path) -> None:
    path = patch_at(tmp_path / "x.patch")
    parsed = parse_variant(f"p=patch:{path}", device_kind="virtual")
    (first,) = pin_contents([parsed])
    assert first.options["content"] == patch_content(read_patch(path))
    assert first.options["patch-ids"] == patch_ids(read_patch(path))[0]
    stock = virtual_variant("b=stock")
    assert pin_contents([first, stock]) == (first, stock)
    patch_at(path, DIFF.replace("two", "three"))
    (second,) = pin_contents([parsed])
    assert first != second
    with pytest.raises(UsageError, match="has content"):
        pin_contents([first])
    with pytest.raises(UsageError, match="has changed"):
        first.kind.prepare(print)


def test_a_patch_that_is_none_is_told_when_the_campaign_is_planned(tmp_path: Path) -> None:
    variant = parse_variant(f"p=patch:{patch_at(tmp_path / 'x', 'words')}", device_kind="virtual")
    with pytest.raises(UsageError, match="is not a patch"):
        pin_contents([variant])


def test_what_proves_a_built_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = KernelBundle(
        "b", "6.1.7-suite-1a2b3c4d", Path("image"), (), {"vmlinux": "beef"}, False, DEFAULT_BASE
    )
    monkeypatch.setattr(built, "built_bundle", lambda base, progress: bundle)
    monkeypatch.setattr(built, "thread_bundle", lambda base, progress: bundle)
    monkeypatch.setattr(patch, "patched_bundle", lambda base, file, config, progress, content: bundle)
    thread = {}
    for text in (
        "a=built",
        "b=kcompressd-page-io",
        "c=patch:FILE",
        "d=patch:FILE,thread=yes",
        "e=patch:FILE,thread=no",
    ):
        variant = virtual_variant(text.replace("FILE", str(patch_at(tmp_path / "x"))))
        assert isinstance(variant.kind, VirtualKind)
        expectation = variant.kind.recipe().expectation
        assert expectation.release == "6.1.7-suite-1a2b3c4d"
        assert expectation.build_ids == {"vmlinux": "beef"}
        thread[variant.name] = (expectation.compression_thread, expectation.live_counter)
    assert thread == {
        "a": (False, None),
        "b": (True, "/sys/kernel/mm/kcompressd/done"),
        "c": (None, None),
        "d": (True, None),
        "e": (False, None),
    }
