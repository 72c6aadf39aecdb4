"""pipeline.yaml: every kind of fault is one line that names the file, the place and the way out."""

import json
from pathlib import Path
from typing import get_args

import pytest

from orchestrator.arch import ARCHITECTURES
from orchestrator.config import loader
from orchestrator.config.fragments import DEBUG_INFO
from orchestrator.config.schema import Pipeline, Variant
from orchestrator.errors import UserError

GOOD = """
trees:
  here: {source: {provider: path, path: tree}}
series:
  mine: {path: series, tree: here}
variants:
  small: {fragments: [a.config], machine: {memory: 512M}}
suites:
  own: {directory: tests, test_timeout: 1m}
modes:
  smoke: {series: [mine], variants: [small], suites: [own]}
"""

ENDLESS = "suites:\n  x: {{kind: program, programs: [{}], test_timeout: 1m, {}}}\n"

FORMAT = "suites:\n  x: {{kind: tree, directory: d, programs: [{{name: p, run: p, format: {}}}]}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tree", "series", "tests"):
        (tmp_path / name).mkdir()
    (tmp_path / "a.config").write_text("CONFIG_A=y\n")
    return tmp_path


def load(folder: Path, text: str) -> Pipeline:
    path = folder / "pipeline.yaml"
    path.write_text(text)
    return loader.load(path)


def test_a_good_file_gives_values_with_units_and_absolute_paths(folder: Path) -> None:
    pipeline = load(folder, GOOD)
    assert pipeline.variants["small"].machine.memory == 512 * 2**20
    assert pipeline.suites["own"].test_timeout == 60
    assert pipeline.variants["small"].fragments == (DEBUG_INFO, folder / "a.config")
    assert pipeline.series["mine"].path == folder / "series"


BOMB = "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
"""Ten lines that stand for 400 million values."""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("memory: 512M", "memry: 512M", ["variants.small.machine.memry", "unknown key", "'memory'"]),
        ("tree: here", "tree: her", ["series.mine.tree", "'her'", "did you mean 'here'"]),
        ("[small]", "[smal]", ["modes.smoke.variants[0]", "did you mean 'small'"]),
        ("a.config", "b.config", ["variants.small.fragments[0]", "b.config"]),
        ("a.config", "~nobody-of-that-name/a.config", ["variants.small.fragments[0]", "no such file"]),
        ("a.config", "x" * 400, ["variants.small.fragments[0]", "no such file"]),
        ("memory: 512M", "memory: lots", ["variants.small.machine.memory", "'lots'"]),
        ("provider: path, path: tree", "provider: svn, path: tree", ["trees.here.source", "svn"]),
        ("provider: path, path: tree", "provider: path", ["trees.here.source.path", "missing"]),
        ("provider: path, path: tree", "provider: path, pth: tree", ["trees.here.source.pth", "did you mean 'path'"]),
        ("test_timeout: 1m", "test_timeout: 0", ["suites.own.test_timeout"]),
        ("suites:\n", "suites:\n  stage: {directory: tests}\n", ["suites.stage: the stages of a job"]),
        ("modes:", "validate: {builds: [smal]}\nmodes:", ["validate.builds[0]", "did you mean 'small'"]),
        ("modes:", "validate: {coverage: {at_least: 120}}\nmodes:", ["validate.coverage.at_least", "100"]),
        ("modes:", "validate: {skip: [sprase]}\nmodes:", ["validate.skip[0]", "sparse"]),
        ("modes:", "validate: {notify: [{kind: github, repositry: x}]}\nmodes:", ["notify[0].repositry", "repository"]),
        ("modes:", "validate: {notify: [{kind: webhook, url: {env: A, file: b}}]}\nmodes:", ["notify[0].url"]),
        ("modes:", "mods:", ["mods: unknown key", "'modes'"]),
        ("series: [mine], ", "", ["modes.smoke", "nothing would run"]),
        ("suites: [own]}", "suites: [own], also: [{variants: [small], suites: [own]}]}",
         ["modes.smoke.also[0]", "nothing would run"]),
        ("suites: [own]}", "suites: [own], also: [{series: [mine], variants: [small], suites: [owm]}]}",
         ["modes.smoke.also[0].suites[0]", "did you mean 'own'"]),
        ("suites: [own]}", "suites: [own], also: [{variant: [small], suites: [own]}]}",
         ["modes.smoke.also[0].variant", "did you mean 'variants'"]),
        ("suites:\n", "suites: [\n", ["not YAML"]),
        ("suites:\n", "# a \x1b\nsuites:\n", ["not YAML: line ", "special characters"]),
        ("variants: [small]", "variants: small", ["modes.smoke.variants: a list is needed (got 'small')"]),
        ("test_timeout: 1m", "test_timeout: true", ["suites.own.test_timeout", "text like 90s"]),
        ("  small: {", "  small: {base: other.config, ", ["variants.small.base", "other.config"]),
        ("series:\n  mine:", "series:\n  mine: {path: series, tree: here}\n  mine:", ["stands twice"]),
        ("series:\n", "? [a, b]\n: c\nseries:\n", ["not YAML", "no text"]),
        ("series:\n", "2020-01-01: c\nseries:\n", ["2020-01-01", "no text"]),
        ("modes:", "kcidb: {orign: x}\nmodes:", ["kcidb.orign", "did you mean 'origin'"]),
        ("modes:", "kcidb: {zzz: x}\nmodes:", ["kcidb.zzz", "known: artifacts, origin"]),
        ("modes:", "limits: {kernels: {dais: 3}}\nmodes:", ["limits.kernels.dais", "did you mean 'days'"]),
        ("suites:\n", "suites:\n  x: {kind: tree, directory: d, programs: [{name: p, run: p, format: {cas: x}}]}\n",
         ["suites.x.programs[0].format.cas", "did you mean 'case'"]),
        ("modes:", "engine: dask\nmodes:", [": engine: Input should be 'local', or keys with values (got 'dask')"]),
        ("modes:", "engine: {}\nmodes:", [": engine.dask: missing"]),
        ("modes:", "engine: {dask: tcp://a:1}\nmodes:", [": engine.dask: String", "tls", "(got 'tcp://a:1')"]),
        ("modes:", "engine: {dask: {workers: 0}}\nmodes:", [": engine.dask.workers: ", "than or equal to 1 (got 0)"]),
        ("modes:", "engine: {dask: {wrkers: 2}}\nmodes:", [": engine.dask.wrkers: unknown", "'workers'"]),
        ("modes:", "engine: {dask: tls://a:1, silence: soon}\nmodes:", [": engine.silence: ", "(got 'soon')"]),
        ("suites:\n", FORMAT.format("ktp"), [": suites.x.programs[0].format: Input should be 'auto'", "(got 'ktp')"]),
        ("suites:\n", FORMAT.format("{total: x}"), [": suites.x.programs[0].format.case: missing"]),
        ("suites:\n", FORMAT.format("{case: x, outcomes: {}, total: y}"),
         [": suites.x.programs[0].format.case: ", "the group name, outcome is missing"]),
        ("memory: 512M", "cpus: yes", ["variants.small.machine.cpus", "not yes or no (got True)"]),
        ("memory: 512M", "numa_nodes: on", ["variants.small.machine.numa_nodes", "not yes or no (got True)"]),
        ("modes:", "version: true\nmodes:", [": version: ", "not yes or no (got True)"]),
        ("modes:", "limits: {tcg_scale: yes}\nmodes:", ["limits.tcg_scale", "not yes or no (got True)"]),
        ("modes:", "limits: {kernels: {days: yes}}\nmodes:", ["limits.kernels.days", "not yes or no (got True)"]),
        ("modes:", "nightly: {guests: yes}\nmodes:", ["nightly.guests", "not yes or no (got True)"]),
        ("modes:", "validate: {retries: no}\nmodes:", ["validate.retries", "not yes or no (got False)"]),
        ("modes:", "validate: {coverage: {at_least: yes}}\nmodes:", ["coverage.at_least", "not yes or no (got True)"]),
        ("modes:", "engine: {dask: {workers: yes}}\nmodes:", ["engine.dask.workers", "not yes or no (got True)"]),
        ("test_timeout: 1m", "shards: yes", ["suites.own.shards", "1 to 64 guests", "(got True)"]),
        ("test_timeout: 1m", "shards: many", [": suites.own.shards: ", "1 to 64 guests, or a time like 2m"]),
        ("test_timeout: 1m", "shards: 100", [": suites.own.shards: ", "(got 100)"]),
        ("modes:", "validate: {notify: [{kind: webhook, url: ftp}]}\nmodes:", [": validate.notify[0].url: String"]),
        ("modes:", "validate: {notify: [{kind: webhook, url: {env: a}}]}\nmodes:",
         [": validate.notify[0].url.env: String"]),
        ("modes:", "validate: {coverage: 80}\nmodes:",
         [": validate.coverage: keys with values are needed (got 80)"]),
        ("provider: path, path: tree", "path: tree", [": trees.here.source.provider: missing"]),
        ("source: {provider: path, path: tree}", "source: tree", [": trees.here.source: keys with values are needed"]),
        ("memory: 512M", "memory: 1.5T", ["variants.small.machine.memory", "1.5T"]),
        ("memory: 512M", f"memory: {'9' * 5000}", ["not YAML: line ", "not a int"]),
        ("suites:\n", "allow: [{title: x, reason: y, link: z, expires: 2027-02-30}]\nsuites:\n", ["not a timestamp"]),
        ("suites:\n", f"allow: {'[' * 100_000}\nsuites:\n", ["more than 50 values inside one another"]),
        ("suites:\n", f"allow: {'{a: ' * 10_000}\nsuites:\n", ["more than 50 values inside one another"]),
        ("suites:\n", "allow: &a [*a]\nsuites:\n", ["an alias stands inside what it stands for"]),
        ("suites:\n", f"{BOMB}suites:\n", ["more than 200000 values"]),
        ("memory: 512M", f"memory: '{'y' * 10_000}'", ["variants.small.machine.memory"]),
        ("[a.config]", "[tests]", ["variants.small.fragments[0]", "is a folder"]),
        ("test_timeout: 1m", "test_timeout: .inf", ["suites.own.test_timeout", "finite"]),
        ("test_timeout: 1m", "test_timeout: 11m",
         ["suites.own.test_timeout: 660 s, and the whole suite has 600 s (timeout)"]),
        ("suites:\n", ENDLESS.format("{name: a, file: a.c}", "budget: 3s"),
         ["suites.x.budget: only programs of a suite of kind own"]),
        ("suites:\n", ENDLESS.format("{name: a, file: a.c, endless: yes}", "timeout: 60s"),
         ["suites.x.timeout: 60 s, and its endless programs run for 60 s"]),
        ("suites:\n",
         ENDLESS.format("{name: a, file: a.c, endless: yes}, {name: b, file: a.c, endless: yes}", "timeout: 2m"),
         ["suites.x.timeout: 120 s, and its endless programs run for 120 s"]),
        ("memory: 512M", "memory: yes", ["variants.small.machine.memory", "True"]),
        ("variants: [small]", "variants: []", ["modes.smoke.variants", "at least 1"]),
        ("suites: [own]", "suites: []", ["modes.smoke.suites", "at least 1"]),
        ("suites:\n", "allow: [{title: x, reason: y, link: z, expires: soon}]\nsuites:\n",
         ["allow[0].expires", "'soon'", "2027-01-31"]),
    ],
)  # fmt: skip
def test_each_kind_of_fault_is_one_line_with_its_place(folder: Path, old: str, new: str, words: list[str]) -> None:
    assert old in GOOD
    with pytest.raises(UserError) as caught:
        load(folder, GOOD.replace(old, new, 1))
    line = str(caught.value)
    assert "\n" not in line and len(line) < 600
    assert str(folder / "pipeline.yaml") in line
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("endless", "limits"),
    [("", "timeout: 1m"), (", endless: yes", "timeout: 121s"), (", endless: yes", "timeout: 61s, shards: 2")],
)
def test_limits_that_leave_each_endless_program_its_time_are_taken(folder: Path, endless: str, limits: str) -> None:
    programs = ", ".join(f"{{name: {name}, file: a.config{endless}}}" for name in "ab")
    load(folder, GOOD.replace("suites:\n", ENDLESS.format(programs, limits)))


def test_a_suite_may_be_shorter_than_the_time_of_a_test_that_nobody_named(folder: Path) -> None:
    load(folder, GOOD.replace("test_timeout: 1m", "timeout: 15s"))


def test_keys_can_be_merged_and_a_date_needs_no_quotes(folder: Path) -> None:
    """Anchors keep variants short, and YAML makes a date of what looks like one."""
    text = GOOD.replace("small: {", "small: &small {").replace(
        "suites:\n", "  big: {<<: *small, accel: tcg}\nsuites:\n", 1
    )
    pipeline = load(folder, text + "allow: [{title: x, reason: y, link: z, expires: 2027-01-31}]\n")
    assert pipeline.variants["big"].fragments == pipeline.variants["small"].fragments
    assert pipeline.variants["big"].accel == "tcg"
    assert pipeline.allow[0].expires == "2027-01-31"


@pytest.mark.parametrize("text", ["", "[]", "just text"])
def test_a_file_that_is_no_mapping_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(UserError, match="not a mapping"):
        load(folder, text)


def test_a_missing_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.yaml: No such file"):
        loader.load(tmp_path / "absent.yaml")


def test_the_schema_describes_every_top_level_key() -> None:
    schema = json.loads(loader.schema())
    assert set(schema["properties"]) == {f.alias or name for name, f in Pipeline.model_fields.items()}


def test_the_shipped_pipeline_loads() -> None:
    pipeline = loader.load(Path(__file__).parents[3] / "pipeline.yaml")
    assert pipeline.default_mode in pipeline.modes


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("sqlite:///nights.db", "sqlite:///{folder}/nights.db"),
        ("sqlite:////var/lib/nights.db", "sqlite:////var/lib/nights.db"),
        ("postgresql://ci@host/nights", "postgresql://ci@host/nights"),
    ],
)
def test_a_relative_history_lies_beside_the_file(folder: Path, url: str, resolved: str) -> None:
    assert load(folder, f"{GOOD}history: {url}\n").history == resolved.format(folder=folder)


def test_a_size_may_have_a_fraction_as_a_time_has(folder: Path) -> None:
    pipeline = load(folder, GOOD.replace("memory: 512M", "memory: 1.5G"))
    assert pipeline.variants["small"].machine.memory == 3 * 2**29


@pytest.mark.parametrize("small", ["512", "0.5M", "1K"])
def test_a_guest_has_a_mebibyte_at_least_for_qemu_rounds_less_down_to_none(folder: Path, small: str) -> None:
    with pytest.raises(UserError, match=r"memory: .*no memory of a guest; is it \d+M that is meant\?"):
        load(folder, GOOD.replace("memory: 512M", f"memory: {small}"))


def test_an_address_with_a_password_is_not_shown(folder: Path) -> None:
    with pytest.raises(UserError, match=r"engine\.store: .*holds a password") as caught:
        load(folder, f"{GOOD}engine: {{dask: 'tls://a:1', store: 's3://me:secret@host/bucket'}}\n")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["limits: {kernels: {size: 20}}", "nightly: {mode: smoke, keep: {size: 20}}"])
def test_what_is_kept_is_a_mebibyte_at_least_for_less_keeps_nothing(folder: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"size: .*20 bytes keep nothing; is it 20G that is meant\? \(got 20\)"):
        load(folder, f"{GOOD}{text}\n")
    assert load(folder, f"{GOOD}{text.replace('20', '1M')}\n")


def test_the_output_of_a_test_is_not_cut_before_a_kibibyte(folder: Path) -> None:
    with pytest.raises(UserError, match=r"suites\.own\.output_cap: .*64 bytes .*; is it 64K that is meant\?"):
        load(folder, GOOD.replace("test_timeout: 1m", "output_cap: 64"))
    assert load(folder, GOOD.replace("test_timeout: 1m", "output_cap: 1K")).suites["own"].output_cap == 1024


def test_a_limit_without_an_end_is_refused_and_one_of_a_century_is_none(folder: Path) -> None:
    assert load(folder, f"{GOOD}limits: {{boot: 999999h}}\n").limits.boot == 999999 * 3600
    with pytest.raises(UserError, match="tcg_scale"):
        load(folder, f"{GOOD}limits: {{tcg_scale: .inf}}\n")


def test_a_variant_may_have_each_architecture_that_there_is() -> None:
    assert get_args(Variant.model_fields["arch"].annotation) == tuple(ARCHITECTURES)
