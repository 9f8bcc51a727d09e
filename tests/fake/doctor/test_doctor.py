"""What doctor says of each phone, and that it changes nothing on any."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from adbutils.errors import AdbError

from analysis.metrics import PRIMARIES
from android_tests.__main__ import main
from foundation.errors import LabError
from harness.device.adb.adb_server import AdbServer
from harness.doctor.next_steps import python
from tests.fake.doctor.phones import FOUR, cuttlefish_16k, pixel_8_root, pixel_user_16, samsung_magisk
from tests.stand_ins.device.android import (
    CUTTLEFISH,
    EMULATOR,
    MEDIATEK,
    QUALCOMM,
    SAMSUNG,
    VERSIONS,
    AndroidPhone,
    Vendor,
    android_phone,
    kcompressd,
    stock,
)
from tests.stand_ins.device.android.controls import Controls
from tests.stand_ins.device.android.phone import Build
from tests.stand_ins.device.android.surroundings import install
from tests.stand_ins.device.android.table import phones_table
from workloads.profile import load_profile

DOCS = Path(__file__).parents[3] / "docs" / "phones.md"


@contextmanager
def plugged_in(adb: AdbServer, phone: AndroidPhone) -> Iterator[list[str]]:
    """The options that name it."""
    with phone:
        adb.connect(phone.serial)
        yield ["--serial", phone.serial, "--adb-port", str(adb.port)]
        adb.disconnect(phone.serial)


def doctor(
    adb: AdbServer, phone: AndroidPhone, capsys: pytest.CaptureFixture[str], *more: str
) -> tuple[int, str]:
    with plugged_in(adb, phone) as options:
        status = main(["doctor", *options, *more])
    return status, capsys.readouterr().out


def answers(adb: AdbServer, phone: AndroidPhone, capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    return json.loads(doctor(adb, phone, capsys, "--json", *more)[1])


def known(read: Any) -> set[str]:
    return {metric for metric, found in read["metrics"].items() if found["ok"]}


@pytest.mark.parametrize("api", sorted(VERSIONS))
@pytest.mark.parametrize("build", ["user", "userdebug"])
def test_what_the_plain_shell_can_measure(
    adb: AdbServer, capsys: pytest.CaptureFixture[str], api: int, build: Build
) -> None:
    read = answers(adb, android_phone(api, build, SAMSUNG), capsys)
    found = known(read)
    assert read["usable"]
    assert {"kswapd_cpu_ms", "direct_reclaim_count", "kills"} <= found
    assert ("allocstall" in found) == (api >= 30)
    # Labelled closed before Android 12 on a user build; its file mode is open on both.
    assert ("compression_wakeups" in found) == (api >= 31 or build == "userdebug")
    # Before Linux 5.8 anonymous and file pages are not told apart.
    assert ("pgsteal_anon" in found) == (api >= 33)
    assert not {"zram_compression_ratio", "t1_scan_unmap_ms"} & found
    # The shell may not read it anywhere; Perfetto's service may from Android 15 on, and polls it.
    assert ("psi_memory_some_ms" in found) == (api >= 35)
    why = read["metrics"]["psi_memory_some_ms"]["why"]
    assert why == ([] if api >= 35 else ["/proc/pressure: Permission denied"])
    assert read["facts"]["root"] == ("none" if build == "user" else "adb root")


@pytest.mark.parametrize("api", sorted(VERSIONS))
def test_root_opens_the_rest(adb: AdbServer, capsys: pytest.CaptureFixture[str], api: int) -> None:
    read = answers(adb, android_phone(api, "userdebug", MEDIATEK, root=True), capsys)
    assert {*PRIMARIES, "psi_memory_some_ms", "compression_wakeups"} <= known(read)
    assert read["metrics"]["zram_compression_ratio"]["ok"]
    assert read["facts"]["threads"] == ["kswapd0:0"]
    # Kernel functions can be probed where the kernel was built with kprobes, and only by root.
    assert ("t1_scan_unmap_ms" in known(read)) == (api >= 33)


def test_su(adb: AdbServer, capsys: pytest.CaptureFixture[str]) -> None:
    rooted = android_phone(33, "user", SAMSUNG, su="magisk")
    without = answers(adb, rooted, capsys)
    assert without["facts"]["root"] == "su, not used"
    assert without["next"][-1].endswith("--su")
    read = answers(adb, android_phone(33, "user", SAMSUNG, su="magisk"), capsys, "--su")
    assert read["facts"]["root"] == "su"
    # The events that Perfetto's service may have do not depend on who asks.
    assert read["facts"]["events"] == without["facts"]["events"]
    assert "psi_memory_some_ms" in known(read) - known(without)


@pytest.mark.parametrize(
    ("package", "su", "words"),
    [
        ("me.weishu.kernelsu", None, "KernelSU hides su: allow 'Shell' (com.android.shell)"),
        ("me.bmax.apatch", None, "APatch hides su: allow 'Shell'"),
        (
            "com.topjohnwu.magisk",
            "magisk",
            "has su by Magisk; add --su, and tap Grant within 10 s",
        ),
        ("renamed.manager", "magisk", "the phone has su; add --su, and tap Grant within 10 s"),
    ],
)
def test_what_a_person_must_do_for_root(
    adb: AdbServer, capsys: pytest.CaptureFixture[str], package: str, su: str | None, words: str
) -> None:
    phone = android_phone(34, "user", SAMSUNG, su=su)
    Controls(phone).install()
    phone.state.packages[package] = ".Main"
    _, text = doctor(adb, phone, capsys)
    assert words in " ".join(text.split())
    assert text.splitlines()[-1].endswith("--su")


@pytest.mark.parametrize(
    ("vendor", "name"), [(EMULATOR, "the Android emulator, not a phone"), (CUTTLEFISH, "Cuttlefish, not")]
)
def test_an_emulator_is_called_one(
    adb: AdbServer, capsys: pytest.CaptureFixture[str], vendor: Vendor, name: str
) -> None:
    _, text = doctor(adb, android_phone(36, "userdebug", vendor), capsys)
    assert name in " ".join(text.split())


@pytest.mark.parametrize(
    ("switch", "variants"),
    [
        ("sysctl", ["off=sysctl:vm.kcompressd=0", "on=sysctl:vm.kcompressd=24"]),
        (
            "parameter",
            [
                "off=param:/sys/module/kcompressd/parameters/kcompressd_enabled=N",
                "on=param:/sys/module/kcompressd/parameters/kcompressd_enabled=Y",
            ],
        ),
        ("module", ["a=as-is", "b=as-is"]),
        ("none", ["a=as-is", "b=as-is"]),
    ],
)
def test_the_line_to_type_next(
    adb: AdbServer,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    switch: Any,
    variants: list[str],
) -> None:
    profile = tmp_path / "phone.toml"
    phone = android_phone(36, "userdebug", QUALCOMM, kernel=kcompressd(stock(36), switch), root=True)
    status, text = doctor(adb, phone, capsys, "--write-profile", str(profile))
    assert status == 0
    line = text.splitlines()[-1].split()
    assert Path(line[0]).samefile(sys.executable)
    assert line[1:4] == ["-m", "pytest", "android_tests/test_throughput.py"]
    assert line[line.index("--scenario") + 1] == "idle"
    assert [word for before, word in pairwise(line) if before == "--variant"] == variants
    eater = load_profile(str(profile))
    assert eater.eater is not None
    total_mb = QUALCOMM.mem_total_kb // 1024
    assert eater.eater.mb > total_mb // 3
    assert eater.device.zram_algorithm == QUALCOMM.algorithm
    assert "(compression)" in text


def test_the_page(adb: AdbServer, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = doctor(adb, android_phone(34), capsys)
    assert status == 0
    assert "oplus" not in text, "a file that none of them has"
    lines = text.splitlines()
    assert len(lines) <= 50
    for words in (
        "Google Pixel 8, Tensor G3, Android 14 (API 34), user build",
        "none: a user build without su",
        "Perfetto v33.0 (N/A)",
        "7 of 7 that the metrics need are open",
        "kswapd0 (reclaim); no compression thread",
        "0-3 sched_pixel 324-1704 MHz",
        "throttling none; no skin limit known, hottest ",
        "87 %, 29.4 C, on USB",
        "not       pressure: /proc/pressure: Permission denied",
        "android_tests/test_app_switching.py --device=phone",
        "--scenario idle --suppress cpufreq,huge-pages,page-cluster,swappiness,zram",
    ):
        assert words in text or words in " ".join(text.split())


@pytest.mark.parametrize("name", FOUR)
def test_the_page_of_four_phones_is_one_screen(
    adb: AdbServer, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    make, more = FOUR[name]
    status, text = doctor(adb, make(), capsys, *more)
    assert status == 0
    assert "oplus" not in text, "a file that none of them has"
    lines = text.splitlines()
    assert len(lines) <= 50
    assert [line for line in lines if len(line) > 80 and not line.startswith("  ")] == []


def effects_of(adb: AdbServer, phone: AndroidPhone, capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    """What the page says by topic, which ``--json`` must say too."""
    read = answers(adb, phone, capsys, *more)
    _, text = doctor(adb, phone, capsys, *more)
    words = " ".join(text.split())
    for topic, effect in read["effects"].items():
        assert f"{topic} {effect}" in words
    return read


def test_hardware_zram_with_a_backing_device(
    adb: AdbServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    read = effects_of(adb, pixel_8_root(), capsys, "--write-profile", str(tmp_path / "phone.toml"))
    effects = read["effects"]
    assert "lz77eh (Emerald Hill" in effects["hardware"]
    assert "loop29" in effects["backing"]
    assert "--reset-backed-zram" in effects["backing"]
    assert "a restart brings it back" in effects["backing"]
    assert "vendor.power-hal-aidl, powerhint.json" in effects["limits"]
    assert "stats" not in effects["limits"]
    assert effects["MGLRU"].startswith("off (0x0000)")
    assert "compaction of cached apps: true" in effects["reclaim"]
    # The lowest limit counts, whichever sensor has it.
    assert "skin limits from 37.0 C, now 38.0 C; no CPU is capped now" in effects["heat"]
    assert read["scenarios"] == ["idle"]
    assert read["facts"]["surroundings"]["page_size_bytes"] == 4096
    profile = load_profile(str(tmp_path / "phone.toml"))
    assert profile.device.zram_algorithm == "lz4"


def test_a_user_build_that_is_capped_at_status_none(
    adb: AdbServer, capsys: pytest.CaptureFixture[str]
) -> None:
    effects = effects_of(adb, pixel_user_16(), capsys)["effects"]
    assert effects["heat"].startswith("throttling none")
    assert "capped now by thermal-cpufreq-2: let it cool" in effects["heat"]
    assert "mmd: sets up and maintains zram" in effects["reclaim"]
    assert "hidden without root" in effects["hardware"]
    assert "KernelSU" in effects["screen"]
    assert "backing" not in effects


def test_what_a_person_must_tap(adb: AdbServer, capsys: pytest.CaptureFixture[str]) -> None:
    read = effects_of(adb, samsung_magisk(), capsys, "--su")
    assert read["facts"]["surroundings"]["su"] == "Magisk"
    assert "tap Grant when Magisk asks" in read["effects"]["screen"]
    assert "skin limits from 36.0 C, now 33.5 C; cooling devices are not listed" in read["effects"]["heat"]
    assert "hardware" not in read["effects"]
    xiaomi = effects_of(adb, android_phone(34, "user", MEDIATEK), capsys)
    assert "USB debugging (Security settings)" in xiaomi["effects"]["screen"]


def test_the_effects_of_an_emulator(adb: AdbServer, capsys: pytest.CaptureFixture[str]) -> None:
    read = effects_of(adb, cuttlefish_16k(), capsys)
    assert read["facts"]["surroundings"]["emulator"] == "Cuttlefish"
    assert "no figure says anything of a phone" in read["effects"]["emulator"]
    assert read["effects"]["pages"].startswith("16 KiB")
    assert "scenarios" not in read["effects"]
    assert "pages" not in effects_of(adb, android_phone(35), capsys)["effects"]


def test_limits_as_a_phone_before_android_14_prints_them(
    adb: AdbServer, capsys: pytest.CaptureFixture[str]
) -> None:
    phone = android_phone(33)
    install(phone, skin_limits={"skin": (25.0, 35.0), "quiet": ()}, cooling={"thermal-cpufreq-0": 0})
    read = answers(adb, phone, capsys)
    assert read["facts"]["surroundings"]["skin_limits_c"] == {"skin": 25.0}
    assert read["facts"]["surroundings"]["capped"] == []


def test_nothing_is_changed(adb: AdbServer, capsys: pytest.CaptureFixture[str]) -> None:
    phone = android_phone(36, "userdebug", kernel=kcompressd(stock(36)), root=True)
    written: list[str] = []
    write = phone.files.write

    def watched(path: str, data: bytes, *, mode: int | None = None) -> None:
        written.append(path)
        write(path, data, mode=mode)

    phone.files.write = watched  # type: ignore[method-assign]
    status, _ = doctor(adb, phone, capsys)
    assert status == 0
    assert written == []
    assert phone.boots == 1
    text = "\n".join(phone.commands)
    for word in ("settings put", "setprop", "root:", "reboot:", "swapoff", "sync:", "> /"):
        assert word not in text.replace("2>/dev/null", "")


def test_threads_that_nobody_knows(adb: AdbServer, capsys: pytest.CaptureFixture[str]) -> None:
    phone = android_phone(33)
    for path in phone.files.glob("/proc/[0-9]*/stat"):
        phone.files.remove(path)
    assert "no kswapd found" in doctor(adb, phone, capsys)[1]


def test_no_perfetto_and_no_root(adb: AdbServer, capsys: pytest.CaptureFixture[str]) -> None:
    phone = android_phone(33)
    del phone.programs["perfetto"]
    status, text = doctor(adb, phone, capsys)
    assert status == 0
    assert "none: no Perfetto here" in text
    assert "Primary metrics that cannot be measured here: kswapd_cpu_ms" in text


def test_nothing_can_be_measured(adb: AdbServer, capsys: pytest.CaptureFixture[str]) -> None:
    phone = android_phone(29)
    for name in ("perfetto", "am"):
        del phone.programs[name]
    status, text = doctor(adb, phone, capsys)
    assert status == 3
    assert "This device can measure nothing as it is." in text


@pytest.mark.parametrize("fault", ["none", "several", "unauthorized", "offline"])
def test_no_device_to_look_at(capsys: pytest.CaptureFixture[str], fault: str) -> None:
    words = {
        "none": "sees no device",
        "several": "2 devices are attached",
        "unauthorized": "does not trust this host",
        "offline": "no device",
    }
    with AdbServer.start() as server, android_phone(33) as one, android_phone(34) as two:
        options = ["--adb-port", str(server.port)]
        if fault == "several":
            server.connect(one.serial)
            server.connect(two.serial)
        if fault == "unauthorized":
            one.faults.authorized = False
            with pytest.raises(LabError):
                server.connect(one.serial, deadline_s=3)
            options += ["--serial", one.serial]
        if fault == "offline":
            one.faults.answers = False
            with suppress(AdbError):
                server.client.connect(one.serial, timeout=1)
        assert main(["doctor", *options]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert words[fault] in said.err or (fault == "offline" and "is offline" in said.err)


def test_a_role_of_the_lab(adb: AdbServer, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    phone = android_phone(35)
    with plugged_in(adb, phone):
        lab = tmp_path / "lab.toml"
        lab.write_text(
            f'[[device]]\nserial = "{phone.serial}"\nmodel = "Pixel 8"\n'
            f'build = "{phone.fingerprint}"\nrole = "desk"\n'
        )
        options = ["--lab", str(lab), "--adb-port", str(adb.port)]
        assert main(["doctor", "--role", "desk", *options]) == 0
        assert main(["doctor", "--role", "rack", *options]) == 2
        assert main(["doctor", "--role", "desk", "--serial", "x", *options]) == 2
    said = capsys.readouterr()
    assert "roles are: desk" in said.err
    assert "both choose a device" in said.err


def test_the_table_of_the_documentation(adb: AdbServer) -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert phones_table(adb) in text, "make it again: python -m tests.stand_ins.device.android.table"


def test_the_printed_way_to_root_works_as_printed(
    adb: AdbServer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with no other adb on this machine, and beside other phones and servers."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    phone = android_phone(35, "userdebug")
    with plugged_in(adb, phone) as options:
        main(["doctor", *options])
        as_root, again = capfd.readouterr().out.splitlines()[-2:]
        for line in (as_root, again):
            words = line.split()
            assert words[:3] == [python(), "-m", "android_tests"]
            assert main(words[3:]) == 0
        said = capfd.readouterr().out
        assert "restarting adbd as root" in said
        assert "yes: adbd runs as root" in said


def test_adb_of_the_suite_takes_its_own_words(adb: AdbServer, capfd: pytest.CaptureFixture[str]) -> None:
    with plugged_in(adb, android_phone(35)) as options:
        assert main(["adb", *options, "shell", "getprop", "ro.build.version.sdk"]) == 0
        assert main(["adb", *options, "shell", "-n", "false"]) == 1
        assert main(["adb", *options]) == 2
    done = capfd.readouterr()
    assert done.out.splitlines() == ["35"]
    assert "adb is to do nothing" in done.err
