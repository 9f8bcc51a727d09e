from __future__ import annotations

import re
from pathlib import Path

import pytest

from foundation.errors import UsageError
from workloads.profile import PROFILES, Changes, load_profile, mix_text

GOOD = (PROFILES / "phone-like.toml").read_text()


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_profile_of_the_suite_loads_and_needs_more_than_a_virtual_device_has_left(path: Path) -> None:
    profile = load_profile(path.stem)
    assert profile.source == path.read_text()
    if not any(app.synthetic for app in profile.apps) and profile.eater is None:
        # Real apps, for a phone.
        assert 23 <= len(profile.apps) <= 30
        assert 5 <= profile.dwell_s <= 15
        return
    total_mb = sum(app.synthetic.anon_mb for app in profile.apps if app.synthetic)
    if profile.eater is not None:
        total_mb = profile.eater.mb
    assert 163 < total_mb < 223, "a 256 MB guest has 223 in all, about 60 of them without swap"
    assert len({app.synthetic.seed for app in profile.apps if app.synthetic}) == len(profile.apps)


def test_the_lru_is_pinned_only_where_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    for text, wanted in (("", None), ("mglru = true\n", True), ("mglru = false\n", False)):
        path.write_text(GOOD.replace("[device]\n", f"[device]\n{text}"))
        assert load_profile(str(path)).device.mglru is wanted
    path.write_text(GOOD.replace("[device]\n", "[device]\nmglru = 1\n"))
    with pytest.raises(UsageError, match="mglru = 1 is not true or false"):
        load_profile(str(path))


def test_an_app_overrides_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(GOOD.replace('"suite.chat"', '"suite.chat"\nanon_mb = 12\nseed = 99'))
    apps = {app.package: app.synthetic for app in load_profile(str(path)).apps}
    chat, camera = apps["suite.chat"], apps["suite.camera"]
    assert chat is not None
    assert camera is not None
    assert (chat.anon_mb, chat.seed, camera.anon_mb) == (12, 99, 36)
    assert "anon_kb=12288\n" in chat.to_ini()


def test_a_profile_of_real_packages_needs_no_memory_figures(tmp_path: Path) -> None:
    path = tmp_path / "phone.toml"
    head = GOOD.split("[defaults]")[0]
    path.write_text(
        head + '[[apps]]\npackage = "com.android.settings"\nactivity = ".Settings"\n'
        '[[apps]]\npackage = "com.android.chrome"\nactivity = "com.google.android.apps.chrome.Main"\n'
    )
    profile = load_profile(str(path))
    assert [app.synthetic for app in profile.apps] == [None, None]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("swappiness = 100", "swapiness = 100", "rename swapiness to swappiness"),
        ("swappiness = 100", "swappiness = 100\nzram_size = 3", "unknown key zram_size"),
        ("swappiness = 100", "swappiness = 300", "is not 0 to 200"),
        ("swappiness = 100", "swappiness = true", "is not 0 to 200"),
        ("rounds = 1", 'rounds = "2"', "is not 1 to 10000"),
        ('order = "fixed"', 'order = "any"', "'fixed' or 'shuffled'"),
        ("hot_share = 0.6", "hot_share = 1.6", "a share from 0 to 1"),
        ("random = 0.34", "random = 0.5", "sum to 1.16"),
        ("random = 0.34", "randon = 0.34", "did you mean 'random'"),
        ('"ratio2.5" = 0.51', '"ratio0.5" = 0.51', "content has no kind 'ratio0.5'"),
        ('"suite.chat"', '"chat"', "is not a package name"),
        ('"suite.chat"', '"suite.game"', "suite.game is listed twice"),
        ("[device]", "[devices]", "unknown key devices"),
        ("[workload]", "[workload", "cannot be read"),
    ],
)
def test_a_bad_profile_names_the_file_the_key_and_the_fix(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    assert old in GOOD
    path = tmp_path / "bad.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        load_profile(str(path))
    message = str(caught.value)
    assert words in message
    assert "bad.toml" in message
    assert "\n" not in message


def test_a_missing_table_and_a_single_app_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(re.sub(r"\[workload\][^\[]*", "", GOOD))
    with pytest.raises(UsageError, match=r"\[workload\] is missing"):
        load_profile(str(path))
    path.write_text(GOOD.split("[[apps]]")[0] + '[[apps]]\npackage = "suite.one"\n')
    with pytest.raises(UsageError, match="at least two"):
        load_profile(str(path))


def test_an_eater_profile_has_no_apps_and_names_its_workload(tmp_path: Path) -> None:
    profile = load_profile("eater")
    assert (profile.workload, load_profile("smoke").workload) == ("memory-eater", "app-switching")
    assert profile.eater is not None
    assert mix_text(profile.eater.content) == "zero:0.05,same:0.1,ratio2.5:0.51,random:0.34"
    path = tmp_path / "both.toml"
    path.write_text(profile.source + GOOD[GOOD.index("[workload]") :])
    with pytest.raises(UsageError, match="belong to two workloads"):
        load_profile(str(path))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("mb = 200", "mib = 200", "rename mib to mb"),
        ("mb = 200", "mb = 0", "is not a size"),
        ("touches = 0", "touches = 0\nrate = 3", "did you mean rate_mb_s"),
        ("rewrite_share = 0.0", "rewrite_share = 2", "a share from 0 to 1"),
        ("random = 0.34", "random = 0.5", "sum to 1.16"),
    ],
)
def test_a_bad_eater_profile_names_the_key_and_the_fix(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    source = (PROFILES / "eater.toml").read_text()
    assert old in source
    path = tmp_path / "bad.toml"
    path.write_text(source.replace(old, new, 1))
    with pytest.raises(UsageError, match=re.escape(words)):
        load_profile(str(path))


def test_changes_take_the_place_of_keys_and_the_source_is_the_changed_profile(tmp_path: Path) -> None:
    changes: Changes = {
        "device": {"zram_algorithm": "zstd"},
        "defaults": {"content": {"zero": 0.5, "ratio2.5": 0.5}},
    }
    changed = load_profile("phone-like", changes)
    assert changed.device.zram_algorithm == "zstd"
    assert changed.device.zram_mb == load_profile("phone-like").device.zram_mb
    synthetic = changed.apps[0].synthetic
    assert synthetic is not None
    assert mix_text(synthetic.content) == "zero:0.5,ratio2.5:0.5"
    path = tmp_path / "again.toml"
    path.write_text(changed.source)
    again = load_profile(str(path))
    assert (again.device, again.apps, again.rounds) == (changed.device, changed.apps, changed.rounds)


def test_changes_are_checked_as_the_profile_is() -> None:
    with pytest.raises(UsageError, match="did you mean zram_algorithm"):
        load_profile("phone-like", {"device": {"zram_algoritm": "zstd"}})
    with pytest.raises(
        UsageError, match=r"no table \[eater\] to change -> it has device, workload, defaults"
    ):
        load_profile("phone-like", {"eater": {"mb": 3}})


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'phone-like'"):
        load_profile("phonelike")
    with pytest.raises(UsageError, match="known: "):
        load_profile("zzz")
