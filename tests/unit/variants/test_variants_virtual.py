"""Kinds for a virtual device: what they boot, and what proves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import UsageError
from harness.variants.kind import Bindings
from harness.variants.kinds import kcompressd, kernel, patch, stock
from harness.variants.kinds.patch import Patch
from harness.variants.on_virtual import VirtualKind
from harness.variants.variant import parse_variant
from harness.virtual.base import DEFAULT_BASE, Base, parse_base
from harness.virtual.initramfs import load_conf
from harness.virtual.kernels import KernelBundle, ModuleLoad
from harness.virtual.kernels.built import PatchFile
from harness.virtual.kernels.bundles import require_module_base
from harness.virtual.lane import VirtualLane
from harness.virtual.recipe import Recipe
from tests.variants import phone_variant, virtual_variant

OLD = parse_base("6.1-amd64")
ARM64 = parse_base("6.12-arm64")


def bundle(name: str, *, thread: bool) -> KernelBundle:
    return KernelBundle(
        name=name,
        release="6.1.0-test",
        image=Path(f"{name}.img"),
        modules=(
            ModuleLoad(Path("lz4.ko"), "lz4"),
            ModuleLoad(Path("zram.ko"), "zram", {"num_devices": "1"}),
        ),
        build_ids={"zram": f"id-of-{name}"},
        compression_thread=thread,
        base=DEFAULT_BASE,
    )


@pytest.fixture(autouse=True)
def kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock, "stock_bundle", lambda base: bundle("stock", thread=False))
    monkeypatch.setattr(kcompressd, "kcompressd_bundle", lambda base: bundle("kcompressd", thread=True))
    monkeypatch.setattr(
        kcompressd,
        "thread_bundle",
        lambda base, progress: KernelBundle(
            f"built-{base}", "6.12.0-suite", Path("Image"), (), {"vmlinux": "id"}, True, base
        ),
    )
    for module in (stock, kernel):
        monkeypatch.setattr(
            module, "user_bundle", lambda image, modules: bundle(f"{image}+{modules}", thread=True)
        )


def recipe(text: str, own: tuple[Path, Path] | None = None, base: Base = OLD) -> Recipe:
    variant = parse_variant(text, device_kind="virtual", bindings=Bindings(kernel=own, base=base))
    assert isinstance(variant.kind, VirtualKind)
    return variant.kind.recipe()


@pytest.mark.parametrize("kind", ["stock", "as-is"])
def test_stock_is_proved_by_its_own_zram_and_by_no_thread(kind: str) -> None:
    made = recipe(f"baseline={kind}")
    assert made.bundle.name == "stock"
    assert made.expectation.release == "6.1.0-test"
    assert made.expectation.build_ids == {"zram": "id-of-stock"}
    assert made.expectation.compression_thread is False
    assert made.expectation.live_counter is None


@pytest.mark.parametrize("kind", ["stock", "as-is"])
def test_a_users_kernel_takes_the_place_of_stock(kind: str) -> None:
    made = recipe(f"mine={kind}", (Path("i"), Path("m")))
    assert made.bundle.name == "i+m"
    assert made.expectation.compression_thread is None


def test_a_users_kernel_does_not_replace_the_patched_one() -> None:
    assert recipe("p=kcompressd", (Path("i"), Path("m"))).bundle.name == "kcompressd"


def test_the_base_of_the_campaign_reaches_every_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    bases: list[Base] = []

    def stock_bundle(base: Base) -> KernelBundle:
        bases.append(base)
        return bundle("stock", thread=False)

    monkeypatch.setattr(stock, "stock_bundle", stock_bundle)
    base = parse_base("6.12-arm64-16k")
    variant = parse_variant("a=stock", device_kind="virtual", bindings=Bindings(base=base))
    assert isinstance(variant.kind, VirtualKind)
    variant.kind.recipe()
    assert bases == [base]
    for text in ("b=built", "p=patch:series.mbox", "k=kernel:image=i,modules=m"):
        kind = parse_variant(text, device_kind="virtual", bindings=Bindings(base=base)).kind
        assert isinstance(kind, VirtualKind)
        assert kind.base == base


def test_what_only_the_module_has_is_refused_on_another_base() -> None:
    bindings = Bindings(base=parse_base("6.12-arm64"))
    variant = parse_variant("p=kcompressd:wake_batch=2", device_kind="virtual", bindings=bindings)
    with pytest.raises(UsageError, match=r"no wake_batch=2 on the base 6\.12-arm64 -> take the base 6"):
        variant.check()
    with pytest.raises(UsageError, match=r"is for 6\.1-amd64, not 6\.12-arm64 -> give --virtual-base 6"):
        require_module_base(bindings.base)


def test_kcompressd_is_proved_by_thread_and_counter() -> None:
    made = recipe("patched=kcompressd")
    assert made.expectation.compression_thread is True
    assert made.expectation.live_counter == "/sys/kernel/zram_kcompressd/done"
    assert made.expectation.parameters == {}
    assert load_conf(made.bundle.modules) == "lz4.ko\nzram.ko num_devices=1\n"


def test_options_become_parameters_and_are_expected() -> None:
    made = recipe("slow=kcompressd:delay_us=50,depth=4")
    assert load_conf(made.bundle.modules).splitlines()[1] == (
        "zram.ko num_devices=1 kcompressd_delay_us=50 kcompressd_depth=4"
    )
    assert made.expectation.parameters == {
        "/sys/module/zram/parameters/kcompressd_delay_us": "50",
        "/sys/module/zram/parameters/kcompressd_depth": "4",
    }


def test_leading_zeros_do_not_break_the_proof() -> None:
    made = recipe("p=kcompressd:threads=02")
    assert made.expectation.parameters == {"/sys/module/zram/parameters/kcompressd_threads": "2"}


def test_threads_off_expects_no_thread() -> None:
    made = recipe("off=kcompressd:threads=0")
    assert made.expectation.compression_thread is False
    assert made.expectation.live_counter is None


@pytest.mark.parametrize("value", ["5", "-1", "one", "", "1.5", "²"])
def test_a_value_out_of_range_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="from 0 to 4"):
        kcompressd.Kcompressd.parse({"threads": value}, Bindings())


@pytest.mark.parametrize("option", ["depth=0", "depth=4097", "delay_us=10001"])
def test_limits_are_those_of_the_module(option: str) -> None:
    key, _, value = option.partition("=")
    with pytest.raises(UsageError, match=f"{key}={value} is not an integer"):
        recipe(f"p=kcompressd:{key}={value}")


@pytest.mark.parametrize("base", [ARM64, parse_base("6.12-arm64-16k"), parse_base("6.12-amd64")], ids=str)
def test_on_6_12_kcompressd_is_a_built_kernel_of_the_base(base: Base) -> None:
    made = recipe("p=kcompressd", base=base)
    assert (made.bundle.name, made.bundle.arguments) == (f"built-{base}", ())
    assert made.expectation.build_ids == {"vmlinux": "id"}
    assert made.expectation.live_counter == "/sys/kernel/mm/kcompressd/done"


def test_options_of_the_built_thread_stand_on_the_command_line_and_are_expected() -> None:
    made = recipe("p=kcompressd:depth=024,nice=-5,threads=1", base=ARM64)
    assert made.bundle.arguments == ("kcompressd.depth=24", "kcompressd.nice=-5", "kcompressd.enabled=Y")
    assert made.expectation.parameters == {
        "/sys/module/kcompressd/parameters/depth": "24",
        "/sys/module/kcompressd/parameters/nice": "-5",
        "/sys/module/kcompressd/parameters/enabled": "Y",
    }
    off = recipe("p=kcompressd:threads=0", base=ARM64)
    assert off.bundle.arguments == ("kcompressd.enabled=N",)
    # The thread is there, and sleeps.
    assert (off.expectation.compression_thread, off.expectation.live_counter) == (True, None)


@pytest.mark.parametrize("option", ["threads=2", "wake_batch=32", "fail_every=7", "same_filled_direct=1"])
def test_an_option_of_the_zram_module_alone_is_refused_on_6_12(option: str) -> None:
    with pytest.raises(
        UsageError, match=f"has no {option} on the base 6.12-arm64 -> take the base 6.1-amd64"
    ):
        recipe(f"p=kcompressd:{option}", base=ARM64)
    variant = parse_variant(f"p=kcompressd:{option}", device_kind="virtual", bindings=Bindings(base=ARM64))
    with pytest.raises(UsageError, match="variant 'p': kind 'kcompressd' has no"):
        variant.check()


@pytest.mark.parametrize("text", ["p=built", "p=kcompressd", "p=kcompressd-page-io", "p=patch:x.patch"])
def test_a_base_without_a_configuration_of_ours_is_refused_before_anything_is_built(text: str) -> None:
    newest = Bindings(base=parse_base("newest-amd64"))
    variant = parse_variant(text, device_kind="virtual", bindings=newest)
    with pytest.raises(UsageError, match="no configuration to build a kernel of the base newest-amd64"):
        variant.check()


def test_kernel_needs_both_paths() -> None:
    made = recipe("k=kernel:image=i,modules=m")
    assert made.bundle.name == "i+m"
    with pytest.raises(
        UsageError, match="needs image=FILE and modules=DIR -> write k=kernel:image=FILE,modules=DIR"
    ):
        recipe("k=kernel:image=i")


def test_unknown_words_get_the_nearest_known_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'kcompressd'"):
        recipe("p=kcompresd")
    with pytest.raises(UsageError, match="did you mean 'threads'"):
        recipe("p=kcompressd:thread=1")
    with pytest.raises(UsageError, match="has no option 'threads'"):
        recipe("p=stock:threads=1")


def test_prepare_builds_and_check_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def build(base: Base, progress: object) -> KernelBundle:
        built.append("built")
        return bundle("b", thread=False)

    monkeypatch.setattr("harness.variants.kinds.built.built_bundle", build)
    kind = virtual_variant("b=built").kind
    kind.check()
    assert (built, dict(kind.hashes())) == ([], {})
    kind.prepare(print)
    assert built == ["built"]


def test_a_kind_boots_on_its_own_device_alone() -> None:
    lane = VirtualLane()
    try:
        with pytest.raises(UsageError, match="kind 'as-is' is for a phone device"):
            phone_variant("a=as-is").boot(lane)
    finally:
        lane.close()


def test_sysctls_of_a_patched_kernel_are_set_as_it_boots_and_read_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Patch, "_read", lambda self: PatchFile(self.file, ()))
    monkeypatch.setattr(patch, "patched_bundle", lambda *given, content: bundle("patch", thread=True))
    made = recipe("p=patch:a.mbox,sysctl=vm.kcompressd=24 kernel.sched_rr=a-b", base=ARM64)
    assert made.bundle.arguments == ("sysctl.vm.kcompressd=24", "sysctl.kernel.sched_rr=a-b")
    assert made.expectation.parameters == {
        "/proc/sys/vm/kcompressd": "24",
        "/proc/sys/kernel/sched_rr": "a-b",
    }
    assert recipe("p=patch:a.mbox", base=ARM64).bundle.arguments == ()


@pytest.mark.parametrize("words", ["vm.kcompressd", "kcompressd=1", "vm.kcompressd=", "vm/k=1", "vm.k=1,2"])
def test_a_sysctl_that_is_none_is_refused(words: str) -> None:
    kind = Patch(Path("a.mbox"), sysctl=words, base=ARM64)
    with pytest.raises(UsageError, match=r"is not KEY=VALUE -> such as sysctl='vm\.kcompressd=24'"):
        kind.check()
