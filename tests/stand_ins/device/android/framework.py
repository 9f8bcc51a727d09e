"""Android's framework on the fake phone: perfetto, dumpsys, am, settings, logcat.

Shapes from frameworks/base: BatteryService.java (dumpInternal), ThermalManagerService.java (dump),
android.os.Temperature and CoolingDevice (toString), PowerManagerService.java (dumpInternal),
AppExitInfoTracker.java and ApplicationExitInfo.java (dump; one line a key in API 30 and 31, grouped
since), and ActivityManagerShellCommand.java (runStartActivity). dumpsys itself:
frameworks/native/cmds/dumpsys. Event log: am_kill in EventLogTags.logtags (am), killinfo in
system/memory/lmkd/event.logtags; lines as logcat's threadtime format has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from tests.stand_ins.device.android.state import Exit

if TYPE_CHECKING:
    from tests.stand_ins.device.android.phone import AndroidPhone
    from tests.stand_ins.device.tree_shell import Call, Program

#: Types of android.os.Temperature by what a zone's name says.
_TYPES: Final = {"battery": 2, "skin": 3, "g3d": 1, "gpu": 1, "tpu": 9, "npu": 9}
#: android.app.ApplicationExitInfo.
_REASONS: Final = {
    1: "EXIT_SELF",
    2: "SIGNALED",
    3: "LOW_MEMORY",
    4: "APP CRASH(EXCEPTION)",
    6: "ANR",
    10: "USER REQUESTED",
    13: "OTHER KILLS BY SYSTEM",
}


def programs(phone: AndroidPhone) -> dict[str, Program]:
    """The framework's commands, for the table of the phone's shell."""

    def on_phone(run: Callable[[AndroidPhone, Call], int]) -> Program:
        return lambda call: run(phone, call)

    return {
        "am": on_phone(_am),
        "dumpsys": on_phone(_dumpsys),
        "logcat": on_phone(_logcat),
        "perfetto": on_phone(_perfetto),
        "settings": on_phone(_settings),
    }


def _say(call: Call, text: str) -> int:
    call.io.out(text.encode())
    return 0


def _perfetto(phone: AndroidPhone, call: Call) -> int:
    """``--version`` came with Android 12: before that it is an unknown option, and the usage."""
    options = ["--background", "--config", "--out", "--txt", "--query"]
    if phone.android.perfetto is not None:
        options.append("--version")
    if phone.android.background_wait:
        options.append("--background-wait")
    if call.argv[1:] == ["--version"] and phone.android.perfetto is not None:
        return _say(call, f"{phone.android.perfetto}\n")
    if call.argv[1:] != ["--help"]:
        call.io.fail(f"perfetto: unrecognized option '{call.argv[1]}'")
    call.io.fail("Usage: perfetto\n" + "\n".join(f"  {option}" for option in options))
    return 1


def _dumpsys(phone: AndroidPhone, call: Call) -> int:
    words = call.argv[1:]
    service = phone.services.get(words[0]) if words else None
    if service is None:
        call.io.fail(f"Can't find service: {words[0] if words else ''}")
        return 0
    return _say(call, service(phone, words[1:]))


def _battery(phone: AndroidPhone, words: Sequence[str]) -> str:
    state, api = phone.state, phone.android.api
    plugs = ["AC", "USB", "Wireless", *(["Dock"] if api >= 33 else [])]
    lines = ["Current Battery Service state:"]
    lines += [f"  {plug} powered: {str(state.plugged == plug).lower()}" for plug in plugs]
    lines += [
        "  Max charging current: 500000",
        "  Max charging voltage: 5000000",
        "  Charge counter: 3456000",
        f"  status: {2 if state.plugged else 3}",
        "  health: 2",
        "  present: true",
        f"  level: {state.battery_percent}",
        "  scale: 100",
        "  voltage: 4200",
        f"  temperature: {state.battery_dc}",
        "  technology: Li-ion",
    ]
    if api >= 34:
        lines.append("  Charging state: 0")
    return "\n".join(lines) + "\n"


def _temperatures(phone: AndroidPhone) -> str:
    def kind(zone: str) -> int:
        return next((number for word, number in _TYPES.items() if word in zone.lower()), 0)

    return "".join(
        f"\tTemperature{{mValue={value}, mType={kind(zone)}, mName={zone}, mStatus=0}}\n"
        for zone, value in phone.state.zones.items()
    )


def _cooling_devices(phone: AndroidPhone) -> str:
    """Type 2 is a CPU, 1 the battery (hardware/interfaces/thermal, CoolingType): it limits no frequency."""
    battery = "\tCoolingDevice{mValue=3, mType=1, mName=fcc}\n" if phone.state.cooling else ""
    return battery + "".join(
        f"\tCoolingDevice{{mValue={value}, mType=2, mName={name}}}\n"
        for name, value in phone.state.cooling.items()
    )


def _thermal(phone: AndroidPhone, words: Sequence[str]) -> str:
    hal = "AIDL 1 " if phone.android.api >= 34 else "2.0"
    return (
        "IsStatusOverride: false\nThermalEventListeners:\n\tcallbacks: 1\n\tkilled: false\n"
        "\tbroadcasts count: -1\nThermalStatusListeners:\n\tcallbacks: 1\n\tkilled: false\n"
        f"\tbroadcasts count: -1\nThermal Status: {phone.state.thermal_status}\n"
        f"Cached temperatures:\n{_temperatures(phone)}HAL Ready: true\nHAL connection:\n"
        f"\tThermalHAL {hal} connected: yes\n"
        f"Current temperatures from HAL:\n{_temperatures(phone)}"
        f"Current cooling devices from HAL:\n{_cooling_devices(phone)}"
    )


def _power(phone: AndroidPhone, words: Sequence[str]) -> str:
    state = phone.state
    return (
        "POWER MANAGER (dumpsys power)\n\nPower Manager State:\n"
        f"  mWakefulness={'Awake' if state.awake else 'Asleep'}\n"
        f"  mIsPowered={str(state.plugged is not None).lower()}\n"
        f"  mBatteryLevel={state.battery_percent}\n"
        "  mStayOn=false\n  mLowPowerModeEnabled=false\n"
        f"Display Power: state={'ON' if state.awake else 'OFF'}\n"
    )


def _activity(phone: AndroidPhone, words: Sequence[str]) -> str:
    if not words or words[0] != "exit-info":
        return "ACTIVITY MANAGER (dumpsys activity)\n"
    if not phone.android.exit_info:
        # No such command: the word is taken for the name of an activity.
        return f"No services match: {words[0]}\nUse -h for help.\n"
    wanted = words[1] if len(words) > 1 else None
    lines = [
        "ACTIVITY MANAGER PROCESS EXIT INFO (dumpsys activity exit-info)",
        "Last Timestamp of Persistence Into Persistent Storage: 1970-01-01 00:00:00.000",
    ]
    for package in sorted({record.package for record in phone.state.exits}):
        if wanted not in (None, package):
            continue
        records = [record for record in phone.state.exits if record.package == package]
        lines.append(f"  package: {package}")
        lines.append(f"    Historical Process Exit for uid={records[0].uid}")
        for number, record in enumerate(reversed(records)):
            lines.append(f"        ApplicationExitInfo #{number}:")
            lines += [f"          {line}" for line in _exit_lines(record, grouped=phone.android.api >= 33)]
    return "\n".join(lines) + "\n"


def _exit_lines(record: Exit, *, grouped: bool) -> list[str]:
    reason = f"reason={record.reason} ({_REASONS.get(record.reason, 'UNKNOWN')})"
    groups = [
        [
            f"timestamp={record.when}",
            f"pid={record.pid}",
            f"realUid={record.uid}",
            f"packageUid={record.uid}",
            f"definingUid={record.uid}",
            "user=0",
        ],
        [
            f"process={record.package}",
            reason,
            f"subreason={record.subreason} (UNKNOWN)",
            f"status={record.status}",
        ],
        [f"importance={record.importance}", "pss=0.00", "rss=0.00"],
        [f"description={record.description}", "state=empty", "trace=null"],
    ]
    if grouped:
        return [" ".join(group) for group in groups]
    return [word for group in groups for word in group if not word.startswith("subreason")]


def _am(phone: AndroidPhone, call: Call) -> int:
    verb = call.argv[1] if len(call.argv) > 1 else ""
    if verb == "force-stop":
        # All processes of the package, whatever their names' suffixes (forceStopPackageLocked).
        for name in [name for name in phone.state.running if name.partition(":")[0] == call.argv[-1]]:
            del phone.state.running[name]
        return 0
    if verb != "start":
        call.io.fail(f"Unknown command: {verb}")
        return 255
    component = call.argv[call.argv.index("-n") + 1] if "-n" in call.argv else call.argv[-1]
    package, _, activity = component.partition("/")
    _say(call, f"Starting: Intent {{ cmp={component} }}\n")
    if phone.state.packages.get(package) not in (activity, f"{package}{activity}"):
        call.io.fail(f"Error type 3\nError: Activity class {{{component}}} does not exist.")
        return 1 if phone.android.api >= 30 else 0
    warm = package in phone.state.running
    phone.state.running.setdefault(package, 12000 + len(phone.state.running))
    if warm:
        _say(call, "Warning: Activity not started, its current task has been brought to the front\n")
    if "-W" not in call.argv:
        return 0
    state = f"LaunchState: {'HOT' if warm else 'COLD'}\n"
    took_ms = 62 if warm else 640
    times = f"TotalTime: {took_ms}\nWaitTime: {took_ms + 7}\n"
    return _say(call, f"Status: ok\n{state}Activity: {component}\n{times}Complete\n")


def taken(phone: AndroidPhone, call: Call, text: str) -> bool:
    """Whether a vendor took the permission from the shell; its exception is printed.

    Texts: Genymobile/scrcpy, issues 70, 3824 and 5131. Shape: android.os.ShellCommand.exec, status 255.
    """
    if call.root or phone.state.security_settings:
        return False
    verb = call.argv[1]
    call.io.fail(
        f"Exception occurred while executing '{verb}':\njava.lang.SecurityException: {text}\n"
        "\tat android.os.Parcel.createExceptionOrNull(Parcel.java:3011)"
    )
    return True


def _settings(phone: AndroidPhone, call: Call) -> int:
    """get, put, delete, list. Source: packages/SettingsProvider, SettingsService.java."""
    verb, namespace, *words = call.argv[1:]
    denial = "Permission denial: writing to settings requires:android.permission.WRITE_SECURE_SETTINGS"
    if verb in ("put", "delete") and taken(phone, call, denial):
        return 255
    table = phone.state.settings.get(namespace)
    if table is None:
        call.io.fail("Invalid namespace")
        return 255
    if verb == "list":
        return _say(call, "".join(f"{key}={value}\n" for key, value in sorted(table.items())))
    if verb == "get":
        return _say(call, f"{table.get(words[0], 'null')}\n")
    if verb == "put":
        table[words[0]] = words[1]
        return 0
    if verb == "delete":
        return _say(call, f"Deleted {int(table.pop(words[0], None) is not None)} rows\n")
    call.io.fail(f"Invalid command: {verb}")
    return 255


def _logcat(phone: AndroidPhone, call: Call) -> int:
    """``-b events``, ``-d``; tags to keep as ``TAG:I``, with ``*:S`` for the rest."""
    if "-b" in call.argv and call.argv[call.argv.index("-b") + 1] != "events":
        return 0
    tags = {word.partition(":")[0] for word in call.argv[1:] if ":" in word and not word.startswith("*")}
    lines = [line for line in phone.state.events if not tags or any(f" {tag}" in line for tag in tags)]
    return _say(call, "--------- beginning of events\n" + "".join(f"{line}\n" for line in lines))


def am_kill(when: str, package: str, pid: int, *, adj: int = 905, reason: str, api: int = 34) -> str:
    """A line of the event log; newer versions add the resident size."""
    rss = ",0" if api >= 34 else ""
    return f"{when}  1432  1561 I am_kill : [0,{pid},{package},{adj},{reason}{rss}]"


def killinfo(when: str, pid: int, *, uid: int = 10123, adj: int = 905, reason: int = 5) -> str:
    """lmkd's record of a kill: the 33 fields of its logtags."""
    fields = [pid, uid, adj, 900, 184320, reason, *([102400] * 21), 0, 0, 0, 0, 20480, 0]
    return f"{when}   612   612 I killinfo: [{','.join(map(str, fields))}]"


SERVICES: Final[dict[str, Callable[[AndroidPhone, Sequence[str]], str]]] = {
    "activity": _activity,
    "battery": _battery,
    "power": _power,
    "thermalservice": _thermal,
}
