"""Kills in a log, why processes ended, actions of a profile, and kills that lmkd marked in a trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foundation.errors import UsageError
from workloads.app_actions import Action, argv_of
from workloads.kills import (
    Kill,
    KillMark,
    Kills,
    by_reason,
    parse_exit_info,
    parse_kills,
    parse_mark,
    with_marks,
)
from workloads.phone_apps import Launcher, parse_launchers
from workloads.profile import PROFILES, load_profile

GOOD = (PROFILES / "phone-apps.toml").read_text()
FIELDS = "1234,10123,905,900,184320,{reason},{free},90000,100,200,300,400,4194300,306000,1,2"


def line(t_s: float, tag: str, text: str) -> str:
    return f"         {t_s:.3f}   612   612 I {tag:8}: {text}\n"


def test_three_witnesses_of_one_kill() -> None:
    log = "--------- beginning of main\n" + line(
        100.5,
        "lowmemorykiller",
        "Kill 'com.one' (1234), uid 10123, oom_score_adj 905 to free 184320kB rss, 10kB swap;"
        " reason: device is low on swap (306000kB < 400000kB) and thrashing (120%)",
    )
    log += line(100.4, "killinfo", f"[{FIELDS.format(reason=2, free=50000)}]")
    log += line(100.6, "am_kill", "[0,1234,com.one,905,remove task,120]")
    (kill,) = parse_kills(log, 100.0)
    assert (kill.t_s, kill.pid, kill.process, kill.adj) == (100.4, 1234, "com.one", 905)
    assert (kill.reason, kill.swap_free_kb) == ("lmkd: low swap and thrashing", 306000)


def test_forced_stops_are_one_reason_whoever_asked() -> None:
    log = line(101.0, "am_kill", "[0,2,com.two,0,stop com.two due to from pid 4321,2048]")
    log += line(102.0, "am_kill", "[0,3,com.three,900,stop com.three due to from pid 4330]")
    # Android 10 names nobody.
    log += line(103.0, "am_kill", "[0,4,com.four,900,stop com.four]")
    assert by_reason(parse_kills(log, 100.0)) == {"activity manager: force stop": 3}


@pytest.mark.parametrize("name", ["oom_adj", "oom_score_adj"])
def test_lmkds_line_of_any_version(name: str) -> None:
    # "oom_adj" and no reason: Android 10 (system/memory/lmkd: lmkd.c).
    text = f"Kill 'com.one' (1234), uid 10123, {name} 905 to free 184320kB"
    (kill,) = parse_kills(line(100.5, "lowmemorykiller", text), 100.0)
    assert (kill.pid, kill.process, kill.adj) == (1234, "com.one", 905)


@pytest.mark.parametrize(
    ("number", "words"), [(8, "low memory"), (9, "direct reclaim stuck"), (1000, "reason 1000")]
)
def test_reasons_of_newer_versions(number: int, words: str) -> None:
    (kill,) = parse_kills(line(100.5, "killinfo", f"[{FIELDS.format(reason=number, free=4)}]"), 100.0)
    assert kill.reason == f"lmkd: {words}"


def test_each_witness_alone_and_what_is_older_or_torn() -> None:
    log = line(99.0, "am_kill", "[0,1,com.old,905,too old,1]")
    log += line(101.0, "am_kill", "[0,2,com.two,905,empty #17,2048]")
    log += line(102.0, "am_kill", "[0,3,com.three,0,bg anr, again]")
    log += line(
        103.0,
        "lowmemorykiller",
        "Kill 'com.four' (4), uid 1, oom_score_adj 0 to free 1kB rss; reason: x (3%)",
    )
    log += line(104.0, "killinfo", "[5,1,2")
    log += line(105.0, "killinfo", f"[{FIELDS.format(reason=99, free=1)}]")
    assert by_reason(parse_kills(log, 100.0)) == {
        "activity manager: bg anr, again": 1,
        "activity manager: empty #17": 1,
        "lmkd: reason 99": 1,
        "lmkd: x": 1,
    }


@pytest.mark.parametrize("joint", [" ", "\n          "])
def test_exit_info_of_either_form(joint: str) -> None:
    records = [("4711", "3 (LOW_MEMORY)"), ("4712", "4 (APP CRASH(EXCEPTION))")]
    text = "ACTIVITY MANAGER PROCESS EXIT INFO (dumpsys activity exit-info)\n"
    for number, (pid, reason) in enumerate(records):
        keys = ["timestamp=2026-01-01", f"pid={pid}", "user=0", "process=com.one", f"reason={reason}"]
        text += f"        ApplicationExitInfo #{number}:\n          {joint.join([*keys, 'status=9'])}\n"
    assert parse_exit_info(text) == {
        4711: "exit info: LOW_MEMORY",
        4712: "exit info: APP CRASH(EXCEPTION)",
    }
    assert parse_exit_info("No services match: exit-info\n") == {}


def test_launcher_activities_and_their_processes() -> None:
    # An application's own name and process follow those of the activity.
    application = "  ApplicationInfo:\n    name=com.one.App\n    packageName=com.one\n    processName={}\n"
    text = "3 activities found:\n" + "".join(
        f"  Activity #{number}:\n    priority=0\n  ActivityInfo:\n    name={name}\n"
        f"    packageName={package}\n    {own}\n{application.format(package)}"
        for number, (name, package, own) in enumerate(
            [
                ("com.one.Main", "com.one", "processName=com.one:search"),
                ("com.shared.Voice", "com.one", "enabled=true exported=true"),
                ("com.onetwo.Main", "com.other", "enabled=true"),
            ]
        )
    )
    assert parse_launchers(text, "com.one") == [
        Launcher(".Main", "com.one:search"),
        Launcher("com.shared.Voice", "com.one"),
    ]
    assert parse_launchers("No activities found\n", "com.one") == []


def test_the_apps_of_the_suites_profile_fit_into_their_dwell() -> None:
    profile = load_profile("phone-apps")
    assert len({app.package for app in profile.apps}) == len(profile.apps) == 23
    actions = [app.action for app in profile.apps if app.action is not None]
    assert {action.kind for action in actions} == {"swipe", "tap", "key"}
    assert all(action.dur_s < profile.dwell_s for action in actions)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('action = "key"', 'action = "press"', "is not 'swipe', 'tap', 'url' or 'key'"),
        ('key = "MEDIA_PLAY_PAUSE"', 'key = "media"', "is not a key such as MEDIA_PLAY_PAUSE"),
        ('key = "MEDIA_PLAY_PAUSE"\n', "", "key is missing"),
        ("at = [0.5, 0.3]", "at = [0.5]", "is not two shares of the screen"),
        ("at = [0.5, 0.3]", "to = [0.5, 0.3]", "unknown key to"),
        ("times = 1\nevery_s = 2.0", "times = 1\nevery_s = 7.0", "takes 7 s, longer than dwell_s = 6"),
        (
            'action = "key"\nkey = "MEDIA_PLAY_PAUSE"',
            'action = "url"\nurl = "example"',
            "is not an address",
        ),
    ],
)
def test_a_mistake_in_an_action(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    path = tmp_path / "own.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        load_profile(str(path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_commands_of_actions() -> None:
    size = (1080, 2400)
    assert argv_of(Action("key", 1, 1.0, text="MEDIA_NEXT"), "a.b", size) == [
        "input",
        "keyevent",
        "KEYCODE_MEDIA_NEXT",
    ]
    assert argv_of(Action("tap", 1, 1.0, (0.25, 0.5)), "a.b", size)[2:] == ["270", "1200"]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("C|612|kill_one_process|4711\n", KillMark(5, 4711, None, None)),
        ("C|612|kill_one_process|0\n", None),
        ("B|612|lmk,4711,3,905,900,12\n", KillMark(5, 4711, 3, 905)),
        ("B|612|lmk,4711,-1,905,900,-1", KillMark(5, 4711, None, 905)),
        ("N|612|lmkd kills|lmk,4711,2,0,0,1", KillMark(5, 4711, 2, 0)),
        ("B|1432|lmk,x", None),
        ("C|1432|other|4711", None),
        ("E|612", None),
    ],
)
def test_marks_of_lmkd_in_a_trace(text: str, mark: KillMark | None) -> None:
    assert parse_mark(text, 5) == mark


def test_a_mark_joins_what_others_say_of_the_same_kill() -> None:
    logged = Kill(1.0, 11, "a.logged", 905, "lmkd: low memory and swap", 20480)
    told = Kill(None, 12, "a.told", None, "exit info: LOW_MEMORY", None)
    manager = Kill(2.0, 13, "a.stopped", 0, "activity manager: stop a.stopped", None)
    marks = [KillMark(5, pid, None, None) for pid in (11, 12, 14, 15)]
    marks += [KillMark(6, 12, 2, 900), KillMark(6, 14, 99, 950)]
    joined = {kill.pid: kill for kill in with_marks([logged, told, manager], marks)}
    assert joined[11] == logged
    assert joined[12] == Kill(None, 12, "a.told", 900, "lmkd: low swap and thrashing", None)
    assert joined[13] == manager
    assert joined[14] == Kill(None, 14, None, 950, "lmkd: reason 99", None)
    assert joined[15] == Kill(None, 15, None, None, "lmkd: not reported", None)


def test_a_trace_adds_the_kills_that_lmkd_marked() -> None:
    told = Kill(None, 12, "a.told", None, "exit info: LOW_MEMORY", None)
    seen = Kills((told,)).with_marks([KillMark(6, 12, 2, 900)])
    assert (seen.facts()["kills_marked"], seen.facts()["kills_by_reason"]) == (
        1,
        {"lmkd: low swap and thrashing": 1},
    )
    assert str(seen) == "1 processes were killed: lmkd: low swap and thrashing (1)"
    assert json.loads(seen.to_json_line())["killed"][0]["process"] == "a.told"
    assert Kills((told,)).with_marks(None) == Kills((told,))
