"""The survey on stand-in phones: nothing is changed unasked, nothing identifies, nothing is lost."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from analysis.metrics import catalogue
from android_tests.__main__ import main
from harness.device.adb.adb_device import AdbDevice
from harness.device.adb.adb_server import AdbServer
from harness.doctor.command import examine
from harness.survey import changing, command, tracing
from harness.survey.asking import Asker
from harness.survey.folder import INDEX
from harness.survey.questions import QUESTIONS
from tests.fake.doctor.phones import pixel_8_root
from tests.stand_ins.device.android import SAMSUNG, AndroidPhone, android_phone
from tests.stand_ins.device.android.apps import Apps
from tests.stand_ins.device.android.controls import Controls
from tests.stand_ins.device.android.tracing import TracingService
from tests.stand_ins.device.programs import fixed
from tests.stand_ins.device.tree import Attribute
from tests.stand_ins.replay import load, replayed
from tests.unit.capture.capture_raw import WINDOW, service_trace

#: What must not occur in a folder: by how it is found, where it stands on the phone.
PLANTED = {
    "serial": "3A071FDH2000XK",
    "imei": "356938035643809",
    "imsi": "262073900000123",
    "mac": "3c:5a:b4:1d:ee:07",
    "android id": "9f3c1d2b4a5e6f70",
    "e-mail": "grete.muster@mail.example.org",
    "account": "grete-at-work",
    "phone": "+49 30 1234567",
    "ssid": 'Café "Zum Löwen" 5G',
    "ip": "192.168.178.23",
    "ipv6": "2003:e5:8f0a:1200:41d:2fff:fe0a:9b1",
    "device name": "Gretes Telefon",
    "user": "Grete",
    # Named only by what is read last, after another item had it.
    "late": "Nachbars-Netz",
}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here depends on how long it watches."""
    monkeypatch.setattr(tracing, "RECORD_S", 0.1)
    monkeypatch.setattr(changing, "_WATCH_SWAP_S", 2)
    monkeypatch.setattr(changing, "_AFTER_START_S", 0.0)
    monkeypatch.setattr(changing, "_STARTS", 2)
    monkeypatch.setattr(changing, "_AFTER_BOOT_S", 2)
    monkeypatch.setattr(AdbDevice, "sleep", lambda self, dur_s: None)


def trace(folder: Path) -> bytes:
    path = folder / "made.trace"
    service_trace(path)
    return path.read_bytes()


@contextmanager
def plugged_in(adb: AdbServer, phone: AndroidPhone) -> Iterator[list[str]]:
    with phone:
        adb.connect(phone.serial)
        yield ["--serial", phone.serial, "--adb-port", str(adb.port)]
        adb.disconnect(phone.serial)


def survey(adb: AdbServer, phone: AndroidPhone, out: Path, *more: str) -> int:
    with plugged_in(adb, phone) as options:
        return main(["survey", *options, "--watch-minutes", "0", "--out", str(out), *more])


def items(out: Path) -> dict[str, Any]:
    index = json.loads((out / INDEX).read_text(encoding="utf-8"))
    return {item["name"]: item for item in index["items"]}


def plant(phone: AndroidPhone) -> None:
    """Put each of `PLANTED` where a phone has it, and where nobody expects it."""
    p = PLANTED
    phone.properties |= {
        "ro.serialno": p["serial"],
        "ro.boot.serialno": p["serial"],
        "ro.boot.wifimacaddr": p["mac"].upper(),
        "ro.boot.btmacaddr": p["mac"].replace(":", ""),
        "vendor.ril.imei": p["imei"],
        "gsm.sim.imsi": p["imsi"],
        "net.hostname": p["device name"].replace(" ", "-"),
        "vendor.note": f"was near {p['late']}",
        "vendor.last.seen": f"{p['serial']} by {p['e-mail']} at {p['ip']} and {p['ipv6']}/64",
    }
    phone.files.put(
        "/proc/cmdline", f"console=ttyS0 androidboot.serialno={p['serial']} androidboot.imei={p['imei']}\n"
    )
    phone.files.put("/proc/bootconfig", f'androidboot.serialno = "{p["serial"]}"\n')
    phone.files.put("/sys/class/net/wlan0/address", f"{p['mac']}\n")
    phone.state.settings["secure"] |= {"android_id": p["android id"], "bluetooth_name": p["device name"]}
    phone.state.settings["global"]["device_name"] = p["device name"]
    phone.programs["cmd"] = fixed(lambda: f'Wifi is connected to "{p["ssid"]}"\nIP: {p["ip"]}\n')
    phone.programs["pm"] = fixed(lambda: f"Users:\n\tUserInfo{{0:{p['user']}:4c13}} running\n")
    phone.services |= {
        "account": lambda phone, words: f"  Account {{name={p['account']}, type=org.example}}\n",
        "meminfo": lambda phone, words: f"0K: {p['user']}\nTotal RAM: 7,844,352K\nfor {p['account']}\n",
    }
    everything = " ".join(value for name, value in p.items() if name != "imsi")
    phone.services["power"] = lambda phone, words: (
        f"Wake Locks:\n  '{p['serial'].lower()}' {p['phone']} {everything}\n"
        f'  imsi: {p["imsi"]}\n  SSID: "{p["late"]}"\n'
    )


def texts_of(out: Path) -> dict[str, str]:
    """Every text of a folder and its archive, as it is and with JSON's escapes resolved."""
    found = {str(path): path.read_text(encoding="utf-8") for path in out.rglob("*") if path.is_file()}
    with zipfile.ZipFile(out.with_name(f"{out.name}.zip")) as packed:
        found |= {f"zip:{name}": packed.read(name).decode() for name in packed.namelist()}
    for name, text in list(found.items()):
        if name.endswith(".json"):
            found[f"{name} read"] = json.dumps(json.loads(text), ensure_ascii=False)
            found[f"{name} escaped"] = json.dumps(json.loads(text))
    return found


@pytest.mark.parametrize("root", [False, True])
def test_nothing_that_identifies_is_in_the_folder(adb: AdbServer, tmp_path: Path, root: bool) -> None:
    phone = android_phone(36, "userdebug", SAMSUNG, root=root)
    plant(phone)
    assert survey(adb, phone, tmp_path / "out") == 0
    texts = texts_of(tmp_path / "out")
    assert sum(name.startswith("zip:") for name in texts) > 20
    for kind, value in PLANTED.items():
        for form in {value, value.replace(":", ""), value.replace(" ", ""), json.dumps(value)[1:-1]}:
            for name, text in texts.items():
                assert form.lower() not in text.lower(), f"{kind} in {name}"
    # What is public stays: a text without its numbers would be of no use.
    whole = texts[str(next((tmp_path / "out" / "items").glob("*-properties.json")))]
    assert "samsung/r0sxxx/r0s:16/" in whole
    _, recorded = load(tmp_path / "out")
    (power,) = recorded["power"]
    stood_for = re.findall(r"SERIAL[0-9A-F]{10}", power.stdout)
    assert len(stood_for) == 2
    assert len({*stood_for, *re.findall(r"SERIAL[0-9A-F]{10}", whole)}) == 1


def test_nothing_is_changed_unasked(adb: AdbServer, tmp_path: Path) -> None:
    phone = android_phone(36, "userdebug", root=True)
    Controls(phone).install()
    service = TracingService(phone, trace(tmp_path))
    assert survey(adb, phone, tmp_path / "out") == 0
    assert phone.files.written == []
    assert phone.boots == 1
    assert service.recordings == {}
    changing_words = ("put", "setprop", "swapoff", "swapon", "start", "reboot", "keyevent", "force-stop")
    assert [argv for argv in phone.ran if set(argv) & set(changing_words)] == []
    found = items(tmp_path / "out")
    for name in ("permissions", "apps", "swapoff", "backing-device", "restart"):
        assert found[name]["state"] == "not asked"
        assert "--may-change" in found[name]["why"]


def test_a_folder_says_what_is_there(
    adb: AdbServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    phone = android_phone(34)
    assert survey(adb, phone, tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "about 1 min" in said
    index = json.loads((tmp_path / "out" / INDEX).read_text())
    assert index["schema"] == 1
    assert index["complete"]
    readme = (tmp_path / "out" / "README.md").read_text()
    for item in index["items"]:
        assert (tmp_path / "out" / item["file"]).is_file()
        assert item["file"] in readme
        assert item["name"] in said
    # The shell of a user build may not look into zram: recorded as refused, with the kernel's words.
    _, recorded = load(tmp_path / "out")
    swaps = next(entry for entry in recorded["zram"] if entry.command == "cat /proc/swaps")
    assert swaps.exit_status == 1
    assert "Permission denied" in swaps.stderr
    assert main(["survey", "--out", str(tmp_path / "out"), "--may-lose-swap"]) == 2


def test_a_replayed_survey_is_the_same_phone(adb: AdbServer, tmp_path: Path) -> None:
    """Doctor reads the same of the recording as of the phone."""
    phone = pixel_8_root()
    phone.files.put("/sys/kernel/mm/lru_gen/enabled", "0x0003\n")
    phone.zram.used_kb = 123456
    phone.state.zones["battery"] = 41.5
    with plugged_in(adb, phone) as options:
        before, _ = examine(AdbDevice(adb, phone.serial), catalogue())
        assert main(["survey", *options, "--watch-minutes", "0", "--out", str(tmp_path / "out")]) == 0
    again = replayed(tmp_path / "out")
    with plugged_in(adb, again):
        after, _ = examine(AdbDevice(adb, again.serial), catalogue())
    for name in (
        "properties", "release", "root", "perfetto", "vmstat", "meminfo", "psi", "swaps", "zram_size",
        "zram_algorithm", "zram_statistics", "swappiness", "lru_gen", "huge_pages", "clusters", "hottest",
        "thermal_status", "battery", "threads", "surroundings",
    ):  # fmt: skip
        assert getattr(after, name) == getattr(before, name), name
    assert after.lru_gen.text == "0x0003"
    assert after.surroundings.backing_device == "/dev/block/loop29"


def test_a_replayed_user_build_refuses_again(adb: AdbServer, tmp_path: Path) -> None:
    assert survey(adb, android_phone(34), tmp_path / "out") == 0
    again = replayed(tmp_path / "out")
    with plugged_in(adb, again):
        facts, _ = examine(AdbDevice(adb, again.serial), catalogue())
    assert facts.root == "none"
    assert facts.psi["memory"].text is None
    assert facts.zram_size.text is None


def changeable(tmp_path: Path, **more: Any) -> AndroidPhone:
    phone = android_phone(36, "userdebug", root=True, **more)
    Controls(phone).install()
    Apps(phone, {"com.android.settings": ".Settings", "com.google.android.dialer": ".Dialer"}).install()
    TracingService(phone, trace(tmp_path))
    phone.programs |= {"trap": lambda call: 0, "losetup": fixed(lambda: "")}
    return phone


def test_swap_is_on_again_after_it_was_timed(adb: AdbServer, tmp_path: Path) -> None:
    phone = changeable(tmp_path)
    priority = phone.zram.swap_priority
    assert survey(adb, phone, tmp_path / "out", "--may-change") == 0
    assert phone.zram.swap_priority == priority
    assert ["swapoff", "/dev/block/zram0"] in phone.ran
    _, recorded = load(tmp_path / "out")
    timed = next(entry for entry in recorded["swapoff"] if "swapoff" in entry.command)
    assert "status 0 swapoff /dev/block/zram0" in timed.stdout
    # A negative priority is one that the kernel gave by itself, and gives again.
    given = f"-p {priority} " if priority is not None and priority >= 0 else ""
    assert f"status 0 swapon {given}/dev/block/zram0" in timed.stdout
    starts = [entry for entry in recorded["apps"] if entry.command.startswith("am start")]
    assert len(starts) == 4
    assert all("Status: ok" in entry.stdout for entry in starts)
    found = items(tmp_path / "out")
    assert found["swapoff"]["state"] == "recorded"
    assert found["backing-device"]["why"].endswith("--may-lose-swap")
    assert "allow = ['reboot']" in found["restart"]["why"]
    assert phone.boots == 1
    assert "reclaim_suite_probe" not in phone.state.settings["global"]


def test_ctrl_c_while_swap_is_off(
    adb: AdbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command is killed on the phone, so the text's own ``swapon`` never runs."""
    phone = changeable(tmp_path)
    priority = phone.zram.swap_priority
    script = AdbDevice.script

    def interrupted(self: AdbDevice, text: str, **how_long: Any) -> Any:
        if "swapoff" in text:
            phone.zram.swap_priority = None
            raise KeyboardInterrupt
        return script(self, text, **how_long)

    monkeypatch.setattr(AdbDevice, "script", interrupted)
    assert survey(adb, phone, tmp_path / "out", "--may-change") == 130
    assert phone.zram.swap_priority == priority
    assert "recorded so far" in capsys.readouterr().out
    found = items(tmp_path / "out")
    assert "swapoff" not in found
    assert found["apps"]["state"] != "not asked"


def test_a_phone_that_is_left_without_swap_is_said_to_be(
    adb: AdbServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    phone = changeable(tmp_path)
    phone.programs["swapon"] = lambda call: 1
    assert survey(adb, phone, tmp_path / "out", "--may-change") == 1
    said = capsys.readouterr().out
    assert said.count("warning: ") == 1
    assert "-> restart the phone" in said
    index = json.loads((tmp_path / "out" / INDEX).read_text())
    assert index["complete"]
    assert len(index["warnings"]) == 1


def test_the_old_backing_device_is_tried_only_with_the_second_word(adb: AdbServer, tmp_path: Path) -> None:
    """A loop device that frees itself is empty after the reset: the phone keeps a swap, without it."""
    phone = changeable(tmp_path)
    phone.zram.backing = "/dev/block/loop7"

    def refused(text: str) -> None:
        raise OSError(22, "Invalid argument")

    phone.files.put("/sys/block/zram0/backing_dev", Attribute(lambda: phone.zram.backing, refused))
    size, algorithm, priority = phone.zram.disksize, phone.zram.algorithm, phone.zram.swap_priority
    assert survey(adb, phone, tmp_path / "out", "--may-change", "--may-lose-swap") == 0
    assert (phone.zram.disksize, phone.zram.algorithm) == (size, algorithm)
    assert phone.zram.swap_priority == priority
    _, recorded = load(tmp_path / "out")
    timed = next(entry for entry in recorded["backing-device"] if "reset" in entry.command)
    assert "Invalid argument" in timed.stderr
    assert "status 1 echo /dev/block/loop7" in timed.stdout


def test_a_restart_needs_the_lab_file(adb: AdbServer, tmp_path: Path) -> None:
    phone = changeable(tmp_path)
    with plugged_in(adb, phone) as options:
        lab = tmp_path / "lab.toml"
        lab.write_text(
            f'[[device]]\nserial = "{phone.serial}"\nmodel = "Pixel 8"\nbuild = "{phone.fingerprint}"\n'
            'allow = ["reboot"]\n'
        )
        words = ["--watch-minutes", "0", "--out", str(tmp_path / "out"), "--lab", str(lab), "--may-change"]
        assert main(["survey", *options, *words]) == 0
    assert phone.boots == 2
    _, recorded = load(tmp_path / "out")
    assert recorded["restart"][0].stdout.startswith("1\n")
    assert len(recorded["restart"]) >= 3
    assert "MemTotal" in recorded["restart"][-1].stdout


def test_when_perfettos_statistics_were_written(adb: AdbServer, tmp_path: Path) -> None:
    phone = android_phone(36)
    Controls(phone).install()
    TracingService(phone, trace(tmp_path))
    assert survey(adb, phone, tmp_path / "out") == 0
    assert items(tmp_path / "out")["recording"]["state"] == "recorded"
    (file,) = (tmp_path / "out" / "items").glob("*-recording.json")
    data = json.loads(file.read_text())["data"]
    (statistics,) = data["trace_stats"]
    # The packet is the last, and nothing in the trace is later than what precedes it.
    assert statistics["packet"] == data["packets"]
    assert statistics["not_before_ns"] == WINDOW[1]
    assert statistics["bytes_written"] == 1
    assert not list((tmp_path / "out").rglob("*trace*"))


def test_an_app_with_several_launchers() -> None:
    listed = (
        "2 activities found:\n  Activity #0:\n    priority=0\n    ActivityInfo:\n      name=com.two.First\n"
        "      packageName=com.two\n      processName=com.two:search\n  Activity #1:\n    ActivityInfo:\n"
        "      name=com.two.Second\n      packageName=com.two\n"
    )
    chooser = "priority=0\nandroid/com.android.internal.app.ResolverActivity\n"
    assert changing._component("com.two", chooser, listed) == "com.two/com.two.First"
    assert changing._component("com.one", "priority=0\ncom.one/.Main\n", "") == "com.one/.Main"
    assert changing._component("com.none", "No activity found\n", "No activities found\n") is None


def test_ctrl_c_keeps_what_was_recorded(
    adb: AdbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    phone = android_phone(34)
    plant(phone)

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(tracing, "record", interrupted)
    assert survey(adb, phone, tmp_path / "out") == 130
    found = items(tmp_path / "out")
    assert "flags" in found
    assert "recording" not in found
    assert "not complete" in (tmp_path / "out" / "README.md").read_text()
    assert "recorded so far" in capsys.readouterr().out
    for text in texts_of(tmp_path / "out").values():
        assert PLANTED["serial"] not in text


def test_a_command_that_hangs_is_an_item_that_failed(
    adb: AdbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = android_phone(34)
    phone.faults.hang = {"losetup"}
    phone.programs["losetup"] = fixed(lambda: "")
    monkeypatch.setattr(command, "QUESTIONS", tuple(q for q in QUESTIONS if q.name in ("zram", "battery")))
    ask = Asker.ask

    def hurried(self: Asker, text: str, *, deadline_s: float = 30.0) -> Any:
        return ask(self, text, deadline_s=1.0 if text.startswith("losetup") else deadline_s)

    monkeypatch.setattr(Asker, "ask", hurried)
    assert survey(adb, phone, tmp_path / "out") == 0
    found = items(tmp_path / "out")
    assert found["zram"]["state"] == "partly"
    assert found["battery"]["state"] == "recorded"
    _, recorded = load(tmp_path / "out")
    hung = next(entry for entry in recorded["zram"] if entry.command.startswith("losetup"))
    assert hung.exit_status is None
    assert "1 s" in hung.why
