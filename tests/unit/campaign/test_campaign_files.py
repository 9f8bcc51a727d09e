"""Campaign files: those that are shipped, what a leg changes, and what is wrong with a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.metrics import PRIMARIES, all_metrics
from foundation.errors import UsageError
from harness.campaign.campaign_file import load_campaign, shipped
from harness.campaign.command import main
from harness.campaign.merging import settings_of, settings_of_all
from harness.campaign.options import Given
from harness.campaign.questions import FOLDER, question_files, question_of
from harness.campaign.runner import runs_of
from harness.campaign.session import plan_of, questions_of
from harness.campaign.workloads import WORKLOADS, WorkloadKind
from harness.virtual.base import DEFAULT_BASE, parse_base
from workloads.profile import PROFILES

GOOD = """\
# Is it?
workload = "app-switching"
profile = "smoke"
variants = ["a=stock", "b=kcompressd:nice=19"]
scenarios = ["idle"]
pairs = 6
reps = 1
seed = 3
set.device.swappiness = 60

[virtual]
base = "6.1-amd64"
memory_mb = 512

[[legs]]
name = "one"

[[legs]]
name = "two"
pairs = 7
variants = ["a=stock", "c=kcompressd:depth=24"]
virtual.cpus = 4
set.device.zram_algorithm = "zstd"
set.defaults.content = { zero = 0.5, random = 0.5 }
"""

# What a campaign compares with, where that is not the kernel as Debian builds it.
BASELINES = {
    "phone-apps": "sysctl",
    "queue": "kcompressd",
    "forward-progress": "kcompressd",
    # The thread in the zram module of the stock kernel alone has what they vary.
    "reclaim-cycle": "stock",
    "threads-depth": "stock",
}
# What they run on, where that is not the default base by the instruction clock, with one CPU.
MODULE = "6.1-amd64"
DEVICES = {
    "cpus/1-cpu": ("6.12-amd64", "host", 1),
    "cpus/4-cpus": ("6.12-amd64", "host", 4),
    "page-io": (MODULE, "instructions", 1),
    "queue": (MODULE, "instructions", 1),
    "reclaim-cycle": (MODULE, "host", 2),
    "threads-depth": (MODULE, "host", 2),
}
# A kernel built here needs less memory than Debian's: this leaves the apps as much as 256 MB there.
MEMORY_MB = dict.fromkeys(
    ("algorithms", "content", "cpus", "forward-progress", "lru", "reviewers"), 224
) | {"page-io": 228, "reclaim-cycle": 272, "refault": 240}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(GOOD)
    return path


ON_A_PHONE = ("phone-apps",)


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_campaign_can_be_planned_and_says_what_it_asks(name: str, tmp_path: Path) -> None:
    file = load_campaign(name)
    assert "?" in file.question
    device = "phone" if name in ON_A_PHONE else "virtual"
    for settings in settings_of_all({"campaign": name, "results": tmp_path, "device": device}):
        plan = plan_of(settings)
        assert plan.pairs == (10 if name in ON_A_PHONE else 8)
        assert plan.profile.workload == plan.workload == file.workload
        assert settings.virtual_memory_mb == MEMORY_MB.get(name, 256)
        assert plan.variants[0].kind.word == BASELINES.get(name, "built")
        usual = (str(DEFAULT_BASE), "instructions", 1)
        on = (settings.virtual_base, settings.virtual_clock, settings.cpus)
        assert on == DEVICES.get(settings.name, usual)
        for variant in plan.variants:
            variant.check()


def test_the_shipped_campaigns_are_those_that_were_asked_for() -> None:
    assert shipped() == [
        "algorithms",
        "content",
        "cpus",
        "forward-progress",
        "lru",
        "page-io",
        "phone-apps",
        "queue",
        "reclaim-cycle",
        "refault",
        "reviewers",
        "threads-depth",
    ]
    legs = {name: [leg.name for leg in load_campaign(name).legs] for name in shipped()}
    assert legs["algorithms"] == ["lzo-rle", "lz4", "zstd"]
    assert legs["cpus"] == ["1-cpu", "4-cpus"]
    assert legs["lru"] == ["classic", "mglru"]
    assert legs["content"] == ["zero", "same-filled", "ratio4", "ratio2", "random"]
    assert legs["reviewers"] == legs["threads-depth"] == [None]
    variants = load_campaign("threads-depth").legs[0].given["variants"]
    assert len(variants) == 1 + 3 * 3
    reviewers = settings_of({"campaign": "reviewers"}).variants
    assert reviewers == (
        "baseline=built",
        "same=built",
        "patched=kcompressd",
        "slow=kcompressd:delay_us=200",
    )


def test_a_leg_sets_what_it_names_and_leaves_the_rest(good: Path) -> None:
    one, two = settings_of_all({"campaign": str(good)})
    assert (one.pairs, two.pairs) == (6, 7)
    assert (one.virtual_cpus, two.virtual_cpus) == (None, 4)
    assert one.base == two.base == parse_base("6.1-amd64")
    assert (one.virtual_memory_mb, two.virtual_memory_mb) == (512, 512)
    assert (one.results, two.results) == (Path("results/own/one"), Path("results/own/two"))
    assert (one.seed, one.reps, one.scenarios) == (3, 1, ("idle",))
    assert [settings.variants[1] for settings in (one, two)] == [
        "b=kcompressd:nice=19",
        "c=kcompressd:depth=24",
    ]
    plans = [plan_of(settings) for settings in (one, two)]
    assert [plan.name for plan in plans] == ["own/one", "own/two"]
    assert [plan.profile.device.zram_algorithm for plan in plans] == ["lz4", "zstd"]
    assert [plan.profile.device.swappiness for plan in plans] == [60, 60]
    first = plans[1].profile.apps[0].synthetic
    assert first is not None
    assert [part.kind for part in first.content] == ["zero", "random"]
    assert plans[0].identity() != plans[1].identity()


def test_numbers_of_the_command_line_come_before_the_files(good: Path, tmp_path: Path) -> None:
    line = {
        "campaign": str(good),
        "leg": "two",
        "pairs": 2,
        "reps": 3,
        "seed": 9,
        "scenarios": ("busy",),
        "results": tmp_path / "r",
    }
    settings = settings_of(line)
    assert (settings.pairs, settings.reps, settings.seed, settings.scenarios) == (2, 3, 9, ("busy",))
    assert settings.results == tmp_path / "r" / "two"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"variants": ("a=stock", "b=stock")}, "--variant and --campaign own"),
        ({"profile": "smoke"}, "--profile and --campaign own"),
        ({"virtual_base": "6.12-amd64"}, "--virtual-base and --campaign own"),
        ({"virtual_cpus": 1}, "--virtual-cpus and --campaign own"),
        ({"virtual_memory_mb": 256}, "--virtual-memory-mb and --campaign own"),
        ({"workload": "memory-eater"}, "campaign own uses app-switching"),
    ],
)
def test_the_file_alone_defines_what_is_compared(good: Path, line: Given, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        settings_of({**line, "campaign": str(good), "leg": "one"})


def test_a_file_with_legs_runs_one_of_them_or_says_how_to_run_all(good: Path) -> None:
    with pytest.raises(
        UsageError, match=r"has 2 legs: one, two -> choose one with --leg, or run all: python"
    ):
        settings_of({"campaign": str(good)})
    with pytest.raises(UsageError, match="has no leg 'tow' -> did you mean 'two'"):
        settings_of({"campaign": str(good), "leg": "tow"})
    with pytest.raises(UsageError, match="reviewers has no legs"):
        settings_of({"campaign": "reviewers", "leg": "one"})
    with pytest.raises(UsageError, match="--campaign FILE"):
        settings_of({"leg": "one"})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("pairs = 6", "pair = 6", "unknown key pair -> did you mean pairs?"),
        ('name = "two"', 'nam = "two"', "name is missing -> rename nam to name"),
        ("virtual.cpus = 4", "virtual.cpu = 4", "[virtual] unknown key cpu -> did you mean cpus?"),
        ("virtual.cpus = 4", "virtual.cpus = 0", "is not 1 to 64 CPUs"),
        ("virtual.cpus = 4", "virtual = 4", "virtual = 4 is not a table"),
        ("set.device.zram", "set.devise.zram", "[set] unknown key devise -> did you mean device?"),
        ("set.device.zram_algorithm", "set.device.zram_algoritm", "did you mean zram_algorithm?"),
        ("set.defaults.content", "set.eater.content", "no table [eater] to change"),
        ('name = "two"', 'name = "one"', "two legs have the name 'one'"),
        ('name = "two"', 'name = "../two"', "is not a folder name"),
        (
            '"app-switching"',
            '"app-switch"',
            "unknown workload 'app-switch' -> did you mean 'app-switching'",
        ),
        ('"app-switching"', '"memory-eater"', "profile smoke is for app-switching"),
        ('["idle"]', '["idel"]', "did you mean 'idle'"),
        ('["idle"]', '"idle"', "scenarios = 'idle' is not a list of strings"),
        ("kcompressd:nice=19", "kcompresd", "did you mean 'kcompressd'"),
        ("kcompressd:depth=24", "kcompressd:dept=24", "did you mean 'depth'"),
        ('profile = "smoke"', 'profile = "smok"', "did you mean 'smoke'"),
        ("pairs = 6", "pairs = 6.5", "pairs = 6.5 is not 1 to 200 pairs"),
        ("pairs = 7", "pairs = true", "pairs = True is not 1 to 200 pairs"),
        ("[[legs]]", "[legs]", "cannot be read"),
        ("workload =", "workload", "cannot be read"),
    ],
)
def test_a_bad_file_is_one_line_that_names_the_fix(good: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    good.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        runs_of({"campaign": str(good)})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_campaign_offers_the_nearest() -> None:
    with pytest.raises(UsageError, match="no campaign 'algorithm' -> did you mean 'algorithms'"):
        load_campaign("algorithm")
    with pytest.raises(UsageError, match="no campaign"):
        load_campaign("missing/file.toml")


def test_a_profile_beside_the_file_is_found_from_anywhere(good: Path) -> None:
    (good.parent / "mine.toml").write_text((PROFILES / "smoke.toml").read_text())
    good.write_text(GOOD.replace('"smoke"', '"mine.toml"'))
    assert plan_of(settings_of({"campaign": str(good), "leg": "one"})).profile.name == "mine"


@pytest.mark.parametrize("kind", WORKLOADS.values(), ids=lambda kind: kind.name)
def test_every_workload_has_its_question_and_at_most_three_primaries(kind: WorkloadKind) -> None:
    path = FOLDER / kind.file
    assert path.is_file()
    asked = question_of([path])
    assert asked is not None
    assert (asked.workload, asked.campaign) == (kind.name, None)
    assert set(kind.primaries) <= all_metrics().keys()
    assert len(kind.primaries) <= 3


def test_the_question_decides_the_primaries() -> None:
    switching, eating = (plan_of(settings_of({"workload": name})) for name in WORKLOADS)
    assert switching.primaries == PRIMARIES
    assert eating.primaries == ("pgsteal_anon_per_s", "allocstall", "reclaim_cpu_us_per_page")
    assert {question.metric for question in questions_of(eating)} == set(eating.primaries)
    written = eating.record(emulated=True, lanes={})
    assert written.primaries == eating.primaries
    assert written.workload == "memory-eater"


def test_two_questions_are_two_runs() -> None:
    with pytest.raises(
        UsageError, match=r"test_app_switching\.py and test_throughput\.py are two questions"
    ):
        question_of([FOLDER / kind.file for kind in WORKLOADS.values()])
    assert question_of([FOLDER, Path("elsewhere") / "test_throughput.py"]) is None


def test_every_test_file_asks_a_question_and_holds_what_the_others_hold() -> None:
    there = {path.name for path in FOLDER.glob("test_*.py")}
    assert there == question_files().keys()
    for name, file in question_files().items():
        assert "?" in file.question
        assert (file.workload is None) != (file.campaign is None), name
        text = (FOLDER / name).read_text()
        assert "from harness.campaign.items import test_block, test_verdict\n" in text
    assert {one.name for one in question_files().values() if one.campaign} == set(shipped())


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_campaign_that_is_copied_to_a_file_is_the_same_campaign(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", name]) == 0
    copy = tmp_path / f"{name}.toml"
    copy.write_text(capsys.readouterr().out)
    mine, theirs = load_campaign(str(copy)), load_campaign(name)
    assert (mine.question, mine.workload, mine.legs) == (theirs.question, theirs.workload, theirs.legs)
