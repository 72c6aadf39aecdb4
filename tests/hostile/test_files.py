"""Files that are read again, damaged in every way: one line and exit code 2, or made again; places that are none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hostile.attack import Attack, strike
from tests.hostile.campaign import Outcome
from tests.stage.cli.test_commands import Table
from tests.stage.pipeline.test_run import GOOD, wait_for

pytestmark = pytest.mark.nightly

DAMAGES: dict[str, bytes] = {
    "empty": b"",
    "an empty mapping": b"{}",
    "a list": b"[]",
    "a mapping in a list": b"[{}]",
    "null": b"null",
    "a word": b'"x"',
    "cut short": b'{"version": 1, "kind": "job", "result": {"job": "x',
    "another version": b'{"version": 7}',
    "another kind": b'{"version": 1, "kind": "rnu", "result": {}}',
    "a kind that is a list": b'{"version": 1, "kind": [], "result": {}}',
    "a result that is a list": b'{"version": 1, "kind": "job", "result": []}',
    "a result that is a word": b'{"version": 1, "kind": "job", "result": "[/b]\\u001b[31m"}',
    "no text": b"\xff\xfe\x00\x01",
    "zeros": b"\0" * 4096,
    "deep": b"[" * 100_000,
    "deep mappings": b'{"version":' * 50_000,
    "5000 digits": b'{"version": ' + b"9" * 5000 + b"}",
    "not finite": b'{"version": NaN}',
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """A table on which a series was run, once for all of this file."""
    table = Table(tmp_path_factory.mktemp("done"))
    table.series(*GOOD)
    code, output = table.type("run")
    assert code == 0, output
    return table


def asked(table: Table, *argv: str, code: int = 2) -> Outcome:
    """Type a command; what it says is one line and no traceback."""
    answer = strike(Attack(" ".join(argv), lambda _: None, argv, code), table)
    assert len([line for line in answer.output.splitlines() if line.startswith("wpci: ")]) == 1, answer.output
    return answer


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_result_that_is_damaged_is_refused_by_its_name(done: Table, damage: str) -> None:
    folder = done.folder / "results" / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(done.folder / "results" / "last", folder)
    for path in (folder / "result.json", *folder.glob("jobs/*/result.json")):
        path.write_bytes(DAMAGES[damage])
    for argv in (("boot", "--run", "damaged"), ("kcidb", "damaged")):
        answer = asked(done, *argv)
        assert "results/damaged/" in answer.output and "result.json" in answer.output
        assert max(map(len, answer.output.splitlines())) < 800


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bisect_whose_state_is_damaged_does_not_go_on(done: Table, damage: str) -> None:
    folder = done.folder / "results" / "bisect"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state.json").write_bytes(DAMAGES[damage])
    assert "state.json" in asked(done, "bisect", "bisect", "--continue").output


YAML_DAMAGES = {**DAMAGES, "twice": b"rules: [a]\nrules: [b]\n", "a date that is none": b"a: 2027-02-30\n"}


@pytest.mark.parametrize("damage", [d for d in YAML_DAMAGES if d not in {"a list", "null", "empty"}])
def test_rules_and_expectations_that_are_damaged_are_refused_before_anything_runs(done: Table, damage: str) -> None:
    pipeline = done.folder / "pipeline.yaml"
    whole = pipeline.read_text()
    (done.folder / "damaged.yaml").write_bytes(YAML_DAMAGES[damage])
    try:
        for old, new in (
            ("default_mode:", "splat_rules: damaged.yaml\ndefault_mode:"),
            ("{directory: programs}", "{directory: programs, expected: damaged.yaml}"),
        ):
            pipeline.write_text(whole.replace(old, new, 1))
            assert "damaged.yaml" in asked(done, "run").output
    finally:
        pipeline.write_text(whole)


def test_expectations_that_name_no_test_are_refused(done: Table) -> None:
    pipeline = done.folder / "pipeline.yaml"
    whole = pipeline.read_text()
    (done.folder / "expected.yaml").write_text("columns: [stock]\ntests: {T01: {stock: pass}, T20: {stock: pass}}\n")
    pipeline.write_text(whole.replace("{directory: programs}", "{directory: programs, expected: expected.yaml}"))
    try:
        assert "tests.T20: no test has this id; did you mean 'T02'?" in asked(done, "run").output
    finally:
        pipeline.write_text(whole)


def test_a_bisect_without_a_symptom_says_what_there_is(done: Table) -> None:
    assert "--symptom boot, build, test:ID" in asked(done, "bisect", "--good", "HEAD~1", "--bad", "HEAD").output


def test_a_history_that_is_no_database_is_named(done: Table) -> None:
    database = done.folder / "results" / "history.db"
    kept = database.read_bytes() if database.exists() else None
    database.write_bytes(b"no database at all" * 100)
    try:
        assert "history" in asked(done, "history", code=3).output
    finally:
        database.unlink()
        if kept:
            database.write_bytes(kept)


@pytest.mark.parametrize("damage", ["empty", "a list", "no text", "deep", "cut short", "5000 digits"])
def test_what_the_cache_remembers_is_made_again_where_it_is_damaged(done: Table, damage: str) -> None:
    cache = done.folder / "cache"
    remembered = [
        *cache.glob("kernels/*/kernel.json"), *cache.glob("tests/*"), *cache.glob("objects/*"), *cache.glob("accel/*"),
        *cache.rglob(".wpci.json"),
    ]  # fmt: skip
    assert len(remembered) > 2, sorted(cache.rglob("*"))[:50]
    for path in (path for path in remembered if path.is_file()):
        path.write_bytes(DAMAGES[damage])
    row = Attack("remembered", lambda _: None, ("run",), 0, verdict="pass")
    strike(row, done)
    for path in cache.glob("kernels/*/kernel.json"):
        assert json.loads(path.read_text())["build_id"]


def place(name: str) -> Callable[[Table], None]:
    def bring(table: Table) -> None:
        (table.folder / name).write_text("not a folder\n")

    return bring


PLACES = [
    Attack("a cache that is a file", place("c"), ("run",), 3, ("c/",), environment={"WPCI_CACHE": "c"}),
    Attack("a cache below a file", place("c"), ("run",), 3, ("c/",), environment={"WPCI_CACHE": "c/d"}),
    Attack("a cache that is a device", lambda _: None, ("run",), 3, environment={"WPCI_CACHE": "/dev/null"}),
    Attack(
        "a cache with a space", lambda _: None, ("run",), 2, ("has ' ' in its path",), environment={"WPCI_CACHE": "a b"}
    ),
    Attack(
        "a cache with a colon", lambda _: None, ("run",), 2, ("has ':' in its path",), environment={"WPCI_CACHE": "a:b"}
    ),
    Attack("a home that is a file", place("h"), ("run",), 3, ("h/",), environment={"WPCI_CACHE": "", "HOME": "h"}),
    Attack("no home to write to", lambda _: None, ("run",), 3, environment={"WPCI_CACHE": "", "HOME": "/proc/self"}),
    Attack("results that are a file", place("r"), ("run", "--results", "r"), 3, ("r",)),
    Attack("results below a device", lambda _: None, ("run", "--results", "/dev/null/r"), 3, ("/dev/null",)),
    Attack("a configuration that is a folder", lambda _: None, ("run", "--config", "programs"), 2, ("programs",)),
    Attack("a configuration that never ends", lambda _: None, ("run", "--config", "/dev/zero"), 2, ("/dev/zero",)),
    Attack("results of which the name is too long", lambda _: None, ("run", "--results", "r" * 300), 3, ("too long",)),
    Attack("a series that never ends", lambda _: None, ("run", "--series", "/dev/zero"), 2, ("larger than 48 MiB",)),
    Attack("a saved output that is a folder", lambda _: None, ("parse", "programs"), 2, ("programs",)),
]


@pytest.mark.parametrize("attack", PLACES, ids=str)
def test_a_place_that_is_none_is_one_line(attack: Attack, tmp_path: Path) -> None:
    answer = strike(attack, Table(tmp_path))
    assert len([line for line in answer.output.splitlines() if line.startswith("wpci: ")]) == 1, answer.output


@pytest.mark.parametrize("gone", ["results", "cache"])
def test_a_folder_that_goes_away_meanwhile_is_no_verdict_on_the_series(gone: str, tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.series(*GOOD)
    with table.start() as child:
        wait_for(table.folder, "results/*/jobs/*/boot-1/console.log")
        shutil.rmtree(table.folder / gone, ignore_errors=True)
        output, _ = child.communicate()
    assert child.returncode in {0, 3} and "\nTraceback" not in output, output  # the fake QEMU has one
