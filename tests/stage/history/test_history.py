"""The history in real databases: SQLite files, and PostgreSQL where it is installed."""

from __future__ import annotations

import dataclasses
import datetime
import multiprocessing
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event, inspect, text

from orchestrator.errors import InfraError, UserError
from orchestrator.history import database, night, read, store, window
from orchestrator.history.classify import Change, TitleChange
from orchestrator.history.database import Database
from orchestrator.history.schema import Base
from orchestrator.history.values import Check
from orchestrator.model import (
    CheckResult,
    Kernel,
    Products,
    RunResult,
    Side,
    Splat,
    Stage,
    StageResult,
    Status,
    SuiteRun,
    TestResult,
    Tree,
    Verdict,
)
from orchestrator.nightly import culprits
from orchestrator.report import result_json
from tests.fakes import postgres
from tests.fakes import results as fixture

HEAD = "8"
SAMPLES = Path(__file__).parents[2] / "samples" / "history"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    assert postgres.programs(), "PostgreSQL is not installed: apt-get install postgresql"
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return database.place(None, tmp_path)
    found: str = request.getfixturevalue("server")
    with database._engine(database._parsed(found)).begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return found


@pytest.fixture
def opened(url: str) -> Database:
    return database.open_(url)


def a_run(number: int = 1, **changes: object) -> RunResult:
    """Return a run of a pair, as rich as runs get, on its own day."""
    run = fixture.run(fixture.series(*fixture.pair()))
    started = f"2026-11-{number:02}T04:00:00+00:00"
    return dataclasses.replace(run, run=f"run-{number}", started=started, **changes)  # type: ignore[arg-type]


def alone(number: int, *tests: TestResult, retried: tuple[Status, ...] = (), **changes: object) -> RunResult:
    """Return a run of one job with these tests; ``retried`` are the earlier outcomes of the first of them."""
    job = fixture.job(Side.BASE, tests)
    earlier = ((tests[0].name, retried),) if retried else ()
    suites = (dataclasses.replace(job.suites[0], retried=earlier),)
    job = dataclasses.replace(job, **{"suites": suites, **changes})  # type: ignore[arg-type]
    started = f"2026-11-{number:02}T04:00:00+00:00"
    return fixture.run(alone=(job,), run=f"run-{number}", started=started)


def test_what_is_added_is_read_back(opened: Database) -> None:
    store.add(opened, a_run())
    (run,) = read.runs(opened)
    assert (run.id, run.mode, run.verdict, run.exit_code) == ("run-1", "smoke", Verdict.FAIL, 1)
    assert (run.started.isoformat(), run.seconds, run.directory) == ("2026-11-01T04:00:00+00:00", 77.7, Path("/r"))
    assert run.complete and run.notes == a_run().notes
    assert [s.verdict for s in read.series(opened, run.id)] == [Verdict.FAIL]
    base, patched = read.jobs(opened, run.id)
    assert (base.side, base.series, patched.side, patched.series) == (Side.BASE, None, Side.PATCHED, "uffd-wp")
    assert patched.identity == fixture.IDENTITY and patched.directory == Path("/r/jobs/patched")
    stages = read.stages(opened, patched)
    assert [(s.stage, s.seconds, s.reused) for s in stages] == [
        (Stage.BUILD, 12.5, True), (Stage.BOOT, 4.25, False), (Stage.SUITE, 30.0, False),
    ]  # fmt: skip
    assert stages[2].log == Path("/r/suite.log")
    tests = {test.name: test for test in read.tests(opened, patched)}
    assert list(tests) == [test.name for test in fixture.pair()[1].suites[0].tests]
    assert tests["promised"].seconds == 1.5 and tests["worse"].status is Status.TIMEOUT
    splats = read.splats(opened, patched)
    assert [s.title for s in splats][-1] == "Out of memory" and splats[-1].allowed_by
    assert (splats[1].first_line, splats[1].last_line, splats[1].test) == (20, 40, "worse")


def test_text_that_no_database_takes_is_replaced(opened: Database) -> None:
    hostile = "nul \x00 surrogate \ud800 end"
    result = alone(1, TestResult("long " * 200, Status.FAIL, hostile))
    job = dataclasses.replace(result.jobs[0], reason=hostile, splats=(Splat("mm", "t" * 4000, 1, 1, hostile, False),))
    store.add(opened, dataclasses.replace(result, jobs=(job,), notes=(hostile,)))
    (found,) = read.jobs(opened, "run-1")
    assert found.reason == "nul \ufffd surrogate ? end"
    assert read.runs(opened)[0].notes == ("nul \ufffd surrogate ? end",)
    assert len(read.titles(opened)[0].title) == 255


CHECKS = (
    CheckResult("applies", "three", Verdict.PASS, "2 patches on toy", 1.5),
    CheckResult(
        "sparse", "small", Verdict.FAIL, "1 new complaint", 4.0, ("mm/a.c:1: odd\0",), Path("/r/checks/sparse.log")
    ),
    CheckResult("suites", "noswap", Verdict.SKIP, "did not run: not asked for", 0.0),
)
KEPT = [
    Check("applies", "three", Verdict.PASS, "2 patches on toy", 1.5, (), None),
    Check(
        "sparse", "small", Verdict.FAIL, "1 new complaint", 4.0, ("mm/a.c:1: odd\ufffd",), Path("/r/checks/sparse.log")
    ),
    Check("suites", "noswap", Verdict.SKIP, "did not run: not asked for", 0.0, (), None),
]


def test_the_checks_of_a_run_are_kept_in_their_order(opened: Database) -> None:
    store.add(opened, a_run())
    store.add(opened, a_run(2, mode="validate", checks=CHECKS))
    assert read.checks(opened, "run-1") == () and list(read.checks(opened, "run-2")) == KEPT
    store.add(opened, a_run(2, mode="validate", checks=CHECKS[:1]))
    assert list(read.checks(opened, "run-2")) == KEPT[:1]


def test_a_run_that_grows_job_by_job_comes_to_the_same_as_one_that_is_added_whole(opened: Database) -> None:
    whole, (base, patched) = a_run(), a_run().jobs
    begun = dataclasses.replace(whole, jobs=(), series=(), missing=(base.name, patched.name), verdict=Verdict.INFRA)
    store.add(opened, begun)
    store.add_job(opened, dataclasses.replace(begun, jobs=(base,), missing=(patched.name,)), base)
    (run,) = read.runs(opened)
    assert run.missing == (patched.name,) and [job.name for job in read.jobs(opened, run.id)] == [base.name]
    for _ in range(2):
        store.add_job(opened, whole, patched)
    (grown,), jobs, series = read.runs(opened), read.seen(opened, run.id), read.series(opened, run.id)
    store.add(opened, whole)
    assert (grown,) == read.runs(opened) and series == read.series(opened, run.id) and len(series) == 1
    assert [seen.tests for seen in jobs] == [seen.tests for seen in read.seen(opened, run.id)]
    assert [seen.job.name for seen in jobs] == [base.name, patched.name]


def test_a_job_of_a_run_that_is_not_known_brings_the_run(opened: Database) -> None:
    """It could not be reached when the run began."""
    store.add_job(opened, a_run(), a_run().jobs[1])
    assert len(read.jobs(opened, "run-1")) == 2


def test_adding_a_run_again_replaces_it(opened: Database) -> None:
    whole = a_run()
    store.add(opened, dataclasses.replace(whole, jobs=whole.jobs[:1], series=(), missing=(whole.jobs[1].name,)))
    (run,) = read.runs(opened)
    assert not run.complete and run.missing == ("linux-5.10/smoke.patched",)
    for _ in range(2):
        store.add(opened, whole)
    (run,) = read.runs(opened)
    assert run.complete and len(read.jobs(opened, run.id)) == 2
    with opened.reading() as session:
        counts = {table: session.scalar(text(f"SELECT count(*) FROM {table}")) for table in Base.metadata.tables}
    assert counts == {
        "runs": 1, "series": 1, "jobs": 2, "identities": 1, "stages": 6, "suites": 2, "outcomes": 14, "splats": 5,
        "checks": 0,
    }  # fmt: skip


def test_every_outcome_of_a_retried_test_is_kept(opened: Database) -> None:
    store.add(opened, alone(1, TestResult("T", Status.PASS), retried=(Status.FAIL, Status.PASS)))
    (point,) = read.points(opened, "T", suite="uffd")
    assert point.test.tries == (Status.FAIL, Status.PASS, Status.PASS)
    assert point.test.status is Status.FAIL
    (finding,) = [f for f in night.compare(opened, "run-1").findings if f.suite == "uffd"]
    assert finding.change is Change.FLAKY and (finding.rate.broken, finding.rate.tries) == (1, 3)


def test_a_night_whose_clock_was_wrong_is_not_the_last_one(opened: Database) -> None:
    """It would be the last one until its day has come."""
    for number in (1, 2):
        store.add(opened, alone(number, TestResult("T", Status.PASS)))
    ahead = dataclasses.replace(alone(3, TestResult("T", Status.PASS)), started="2036-01-01T04:00:00+00:00")
    store.add(opened, ahead)
    now = datetime.datetime(2026, 11, 2, 3, 59, tzinfo=datetime.UTC)
    last = read.last_run(opened, ahead.mode, now)
    assert last and last.id == "run-2", "clocks of machines may differ by a little"
    assert read.last_run(opened, "full", now) is None
    first = read.last_run(opened, ahead.mode, now - datetime.timedelta(hours=9))
    assert first and first.id == "run-1"


def test_nights_are_compared_in_their_order(opened: Database) -> None:
    for number, status in ((3, Status.FAIL), (1, Status.FAIL), (2, Status.PASS)):
        kernel = dataclasses.replace(fixture.IDENTITY, kernel=f"kernel {number}")
        store.add(opened, alone(number, TestResult("T", status), identity=kernel))
    assert [run.id for run in read.runs(opened)] == ["run-3", "run-2", "run-1"]
    assert [run.id for run in read.runs(opened, limit=1)] == ["run-3"]
    assert read.runs(opened, mode="full") == ()
    changes = {n: night.compare(opened, f"run-{n}").findings[-1].change for n in (1, 2, 3)}
    assert changes == {1: Change.NEW, 2: Change.FIXED, 3: Change.REGRESSED}


def test_another_mode_and_another_job_are_not_compared_with(opened: Database) -> None:
    store.add(opened, dataclasses.replace(alone(1, TestResult("T", Status.PASS)), mode="full"))
    store.add(opened, alone(2, TestResult("T", Status.PASS), name="other"))
    store.add(opened, alone(3, TestResult("T", Status.FAIL)))
    assert night.compare(opened, "run-3").findings[-1].change is Change.NEW


def test_a_splat_is_found_by_its_title(opened: Database) -> None:
    store.add(opened, a_run(1))
    store.add(opened, a_run(2))
    titles = {t.title: t for t in read.titles(opened)}
    bad = titles["BUG: Bad page map in <zap>"]
    assert (bad.count, bad.runs, bad.fatal, bad.first.day, bad.last.day) == (4, 2, False, 1, 2)
    found = read.occurrences(opened, bad.title)
    assert [(o.run.id, o.splat.first_line) for o in found] == [
        ("run-2", 20), ("run-2", 50), ("run-1", 20), ("run-1", 50),
    ]  # fmt: skip
    changes = {s.title: s.change for s in night.compare(opened, "run-2").splats if s.job.endswith("patched")}
    assert set(changes.values()) == {TitleChange.KNOWN}


def test_the_time_of_a_job_is_that_of_its_last_guest(opened: Database) -> None:
    assert read.seconds(opened, "linux-5.10/smoke.base") is None
    store.add(opened, alone(1, TestResult("T", Status.PASS)))
    broken = (StageResult(Stage.BUILD, Verdict.FAIL, 900.0),)
    store.add(opened, alone(2, stages=broken, suites=(), identity=None))
    assert read.seconds(opened, "linux-5.10/smoke.base") == 34.25


def test_paths_below_a_run_follow_its_folder(opened: Database, tmp_path: Path) -> None:
    folder = tmp_path / "results" / "run-1"
    (folder / "jobs" / "j").mkdir(parents=True)
    image, config, log = Path("/c/vmlinux"), Path("/c/config"), Path("/c/log")
    kernel = Kernel("k", image, image, config, None, "5.10.1", "b", "s", "gcc", (), log)
    tree = Tree(tmp_path, commit="tip", base="base", content="c", label="l")
    result = alone(1, TestResult("T", Status.PASS), directory=folder / "jobs" / "j", products=Products(tree, kernel))
    store.add(opened, dataclasses.replace(result, directory=folder))
    (job,) = read.jobs(opened, "run-1")
    assert job.directory == folder / "jobs" / "j"
    assert (job.commit, job.base) == ("tip", "base")
    assert (job.release, job.config) == ("5.10.1", Path("/c/config"))


def test_folders_of_runs_are_imported_once(opened: Database, tmp_path: Path) -> None:
    results = tmp_path / "results"
    for number in (1, 2):
        folder = results / f"run-{number}"
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(result_json.dump(a_run(number)))
    (results / "last").symlink_to("run-2")
    (results / "killed-early").mkdir()
    (results / "broken").mkdir()
    (results / "broken" / "result.json").write_text("{")
    imported = store.import_folders(opened, results)
    assert imported.runs == ("run-1", "run-2")
    (problem,) = imported.problems
    assert problem.startswith(str(results / "broken" / "result.json"))
    assert store.import_folders(opened, results).runs == ()
    assert len(read.runs(opened)) == 2


def test_the_command_lists_runs_and_what_a_test_showed(tmp_path: Path) -> None:
    for number, status in ((1, Status.PASS), (2, Status.FAIL)):
        folder = tmp_path / "results" / f"run-{number}"
        folder.mkdir(parents=True)
        run = alone(number, TestResult("T", status, "it broke", seconds=1.5), retried=(Status.PASS,))
        (folder / "result.json").write_text(result_json.dump(run))
    (tmp_path / "pipeline.yaml").write_text(
        "trees: {t: {source: {provider: path, path: .}}}\nvariants: {v: {}}\nsuites: {s: {directory: .}}\n"
        "modes: {smoke: {trees: [t], variants: [v], suites: [s]}}\n"
    )
    assert called(tmp_path, "--import") == ["run-2  smoke  PASS  78 s", "run-1  smoke  PASS  78 s"]
    name = "linux-5.10/smoke.base  tcg  uffd/T  pass"
    assert called(tmp_path, "uffd/T", "--limit", "1") == [f"run-2  {name} fail  1.50 s  it broke"]
    assert called(tmp_path, "T") == [
        f"run-2  {name} fail  1.50 s  it broke",
        f"run-1  {name} pass  1.50 s  it broke",
    ]
    for words, what in (
        (("--mode", "smoek"), "is of mode smoek; did you mean 'smoke'?"),
        (("T", "--mode", "full"), "is of mode full"),
        (
            ("T", "--job", "linux-5.10/smoke.bas"),
            "has a job linux-5.10/smoke.bas; did you mean 'linux-5.10/smoke.base'?",
        ),
    ):
        done = history(tmp_path, *words)
        assert (done.returncode, done.stdout) == (2, "") and f"wpci: no run of the history {what}" in done.stderr
    for unknown, near in (("ufd/T", "uffd/T"), ("Tt", "T")):
        done = history(tmp_path, unknown)
        assert done.returncode == 2 and done.stdout == "", done.stdout
        assert f"no run of the history has a test {unknown}; did you mean '{near}'?" in done.stderr


def test_a_name_with_slashes_is_found_with_its_suite_and_without(tmp_path: Path) -> None:
    name = "gup.R/W pin/unpin [0]"
    store.add(database.open_(database.place(None, tmp_path / "results")), alone(1, TestResult(name, Status.PASS)))
    shown = [f"run-1  linux-5.10/smoke.base  tcg  uffd/{name}  pass"]
    assert called(tmp_path, f"uffd/{name}") == shown and called(tmp_path, name) == shown
    assert all("is of mode full" in history(tmp_path, test, "--mode", "full").stderr for test in (name, f"uffd/{name}"))
    for unknown, near in (("uffd/gup.R/W pin/unpin", f"uffd/{name}"), ("gup.R/W pin/unpin 0", name)):
        done = history(tmp_path, unknown)
        assert done.returncode == 2 and f"{unknown}; did you mean '{near}'?" in done.stderr, done.stderr
    assert history(tmp_path, "unpin [0]").returncode == 2, "the end of a name is no name"


def called(folder: Path, *options: str) -> list[str]:
    """Return the lines that ``wpci history`` prints."""
    done = history(folder, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def history(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "orchestrator.cli", "history", *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_an_unknown_run_is_named(opened: Database) -> None:
    with pytest.raises(UserError, match="no run nothing"):
        read.run(opened, "nothing")


def test_the_migrations_make_the_schema(opened: Database) -> None:
    with opened.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == HEAD
        found = [d for d in compare_metadata(context, Base.metadata) if d[0] not in {"modify_type"}]
    assert found == []


def test_a_history_of_version_1_is_migrated_and_keeps_its_runs(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "history.db") as old:
        old.executescript((SAMPLES / "version-1.sql").read_text())
    opened = database.open_(database.place(None, tmp_path))
    base, patched = read.jobs(opened, "run-1")
    assert (base.commit, base.base) == (None, None) and len(read.tests(opened, patched)) == 7
    store.add(opened, a_run(2))
    (finding,) = [f for f in night.compare(opened, "run-2").findings if f.job == patched.name and f.test == "worse"]
    assert finding.change is Change.PERSISTENT
    with opened.engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == HEAD


def test_a_history_of_version_2_is_migrated_and_gets_the_checks_of_its_runs(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "history.db") as old:
        old.executescript((SAMPLES / "version-2.sql").read_text())
    opened = database.open_(database.place(None, tmp_path))
    assert [run.id for run in read.runs(opened)] == ["run-1"] and len(read.titles(opened)) == 3
    gets_its_checks(opened, tmp_path / "results")


def test_a_history_of_version_2_with_runs_is_migrated_in_each_database(url: str, tmp_path: Path) -> None:
    engine = database._engine(database._parsed(url))
    with database._exclusive(engine) as connection:
        command.upgrade(database._config(connection), "2")
        connection.execute(
            text(
                "INSERT INTO runs (id, mode, started, seconds, verdict, exit_code, directory, missing, notes) VALUES "
                "('run-1', 'validate', '2026-11-01T04:00:00+00:00', 77.7, 'fail', 1, '/r', '[]', '[\"a note\"]')"
            )
        )
    opened = database.open_(url)
    assert [run.notes for run in read.runs(opened)] == [("a note",)]
    gets_its_checks(opened, tmp_path / "results")


def gets_its_checks(opened: Database, results: Path) -> None:
    """Import the folder of a run that the history knew when it did not keep checks."""
    assert read.checks(opened, "run-1") == ()
    path = results / "run-1" / "result.json"
    path.parent.mkdir(parents=True)
    path.write_text(result_json.dump(a_run(1, mode="validate", checks=CHECKS)))
    assert store.import_folders(opened, results).runs == ("run-1",)
    assert list(read.checks(opened, "run-1")) == KEPT and len(read.jobs(opened, "run-1")) == 2
    assert store.import_folders(opened, results).runs == ()


def test_a_validation_that_was_killed_before_its_first_check_is_added_once(opened: Database, tmp_path: Path) -> None:
    path = tmp_path / "results" / "run-1" / "result.json"
    path.parent.mkdir(parents=True)
    path.write_text(result_json.dump(a_run(1, mode="validate", verdict=Verdict.INFRA)))
    assert store.import_folders(opened, tmp_path / "results").runs == ("run-1",)
    assert store.import_folders(opened, tmp_path / "results").runs == ()


def test_many_that_open_and_write_at_once_all_end_well(url: str) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        pool.map(_open_and_add, [(url, number) for number in range(1, 9)])
    opened = database.open_(url)
    assert len(read.runs(opened)) == 8
    with opened.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM identities")) == 1


def _open_and_add(task: tuple[str, int]) -> None:
    url, number = task
    store.add(database.open_(url), a_run(number))


def test_a_writer_waits_for_another_no_longer_than_it_has_patience(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE", 1)
    opened = database.open_(url)
    with opened.writing(), pytest.raises(InfraError, match="lock") as error:
        store.add(opened, a_run())
    assert "\n" not in str(error.value)
    store.add(opened, a_run())


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_reader_waits_for_a_migration_no_longer_than_it_has_patience(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 1)
    opened = database.open_(url)
    with opened.writing() as session:
        session.execute(text("LOCK TABLE runs IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(InfraError, match="lock timeout"):
            read.runs(opened)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [("runs", "verdict", "newer"), ("runs", "started", "newer"), ("outcomes", "earlier", '["newer"]')],
)
def test_a_word_that_only_a_newer_version_knows_is_one_line(
    opened: Database, table: str, column: str, value: str
) -> None:
    store.add(opened, a_run())
    with opened.writing() as session:
        session.execute(text(f"UPDATE {table} SET {column} = '{value}'"))
    with pytest.raises(InfraError, match=r"newer.*: a newer version wrote it, or it is damaged"):
        assert read.runs(opened) and read.seen(opened, "run-1")


def test_a_newer_history_is_refused_in_one_line(url: str) -> None:
    with database.open_(url).engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '999'"))
    with pytest.raises(UserError, match=f"its version is 999, this program knows {HEAD}: a newer one made it"):
        database.open_(url)


def test_a_history_of_two_versions_is_one_line(url: str) -> None:
    with database.open_(url).engine.begin() as connection:
        connection.execute(text("INSERT INTO alembic_version VALUES ('7')"))
    with pytest.raises(InfraError, match=r"history .*more than one head"):
        database.open_(url)


def test_a_database_of_something_else_is_left_alone(url: str) -> None:
    with database._engine(database._parsed(url)).begin() as connection:
        connection.execute(text("CREATE TABLE accounts (id INTEGER)"))
    with pytest.raises(UserError, match=r"holds something else \(table accounts\)"):
        database.open_(url)


def test_a_migration_that_fails_leaves_nothing_behind(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade = command.upgrade

    def upgrade_and_fail(config: Config, target: str) -> None:
        upgrade(config, target)
        raise OSError("No space left on device")

    monkeypatch.setattr(command, "upgrade", upgrade_and_fail)
    with pytest.raises(InfraError, match="No space left on device"):
        database.open_(url)
    monkeypatch.undo()
    with database._engine(database._parsed(url)).connect() as connection:
        assert inspect(connection).get_table_names() == []
    assert read.runs(database.open_(url)) == ()


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "history.db").write_text("not a database, but long enough to look like one " * 10)
    with pytest.raises(InfraError, match=r"history\.db: file is not a database"):
        database.open_(database.place(None, tmp_path))


def test_a_folder_that_cannot_be_written_is_one_line() -> None:
    with pytest.raises(InfraError, match=r"history sqlite:////proc/none/history\.db: "):
        database.open_("sqlite:////proc/none/history.db")


def test_a_history_can_be_read_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    place = database.place(None, tmp_path)
    store.add(database.open_(place), a_run())
    opened = database.open_(f"sqlite:///file:{tmp_path}/history.db?mode=ro&uri=true")
    assert len(read.runs(opened)) == 1
    with pytest.raises(InfraError, match="readonly"):
        store.add(opened, a_run(2))
    assert list(Path().iterdir()) == []


def test_a_server_that_is_not_there_is_one_line_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(InfraError) as error:
        database.open_(f"postgresql://wpci:secret@/none?host={tmp_path}")
    assert "\n" not in str(error.value) and "secret" not in str(error.value) and "wpci:***@" in str(error.value)


def test_a_folder_whose_name_is_not_utf_8_is_the_users_fault(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the name of this folder is not UTF-8"):
        database.place(None, tmp_path / os.fsdecode(b"r\xff"))
    assert database.place("sqlite:///h.db", tmp_path / os.fsdecode(b"r\xff")) == "sqlite:///h.db"


@pytest.mark.parametrize("wrong", ["history.db", "nosuchdatabase://host/name"])
def test_a_url_that_is_none_is_the_users_fault(wrong: str) -> None:
    with pytest.raises(UserError, match="history: "):
        database.open_(wrong)


def test_an_empty_suite_is_kept(opened: Database) -> None:
    run = alone(1)
    empty = dataclasses.replace(run.jobs[0], suites=(SuiteRun("uffd", (), (), 0.0, ("no plan",)),))
    store.add(opened, dataclasses.replace(run, jobs=(empty,)))
    assert read.tests(opened, read.jobs(opened, "run-1")[0]) == ()


def test_a_run_that_went_on_since_it_was_imported_is_brought_up_to_date(opened: Database, tmp_path: Path) -> None:
    whole = a_run()
    part = dataclasses.replace(
        whole, jobs=whole.jobs[:1], series=(), missing=(whole.jobs[1].name,), seconds=5.0, verdict=Verdict.INFRA
    )
    path = tmp_path / "results" / whole.run / "result.json"
    path.parent.mkdir(parents=True)
    for run, added in ((part, (whole.run,)), (part, ()), (whole, (whole.run,)), (whole, ())):
        path.write_text(result_json.dump(run))
        assert store.import_folders(opened, tmp_path / "results").runs == added
    path.write_text(result_json.dump(part))  # read by someone before the run ended, and added after it did
    store.import_folders(opened, tmp_path / "results")
    (found,) = read.runs(opened)
    assert found.complete and len(read.jobs(opened, whole.run)) == 2


@pytest.mark.parametrize("name", ["run-1.bak", "a copy of run-1"])
def test_an_old_copy_of_the_folder_of_a_run_brings_nothing(opened: Database, tmp_path: Path, name: str) -> None:
    whole = a_run()
    missing = tuple(job.name for job in whole.jobs)
    part = dataclasses.replace(whole, jobs=(), series=(), missing=missing, seconds=5.0, verdict=Verdict.INFRA)
    for folder, run in ((whole.run, whole), (name, part)):
        path = tmp_path / "results" / folder / "result.json"
        path.parent.mkdir(parents=True)
        path.write_text(result_json.dump(run))
    added = store.import_folders(opened, tmp_path / "results").runs
    assert added in ((whole.run,), (whole.run,) * 2)
    assert store.import_folders(opened, tmp_path / "results") == store.Imported((), ())
    (found,) = read.runs(opened)
    assert found.complete and len(read.jobs(opened, whole.run)) == 2


def statements(opened: Database, runs: int, tests: int) -> int:
    """Return how many statements the last runs of a mode take."""
    names = [TestResult(f"T{number}", Status.PASS) for number in range(tests)]
    for number in range(1, runs + 1):
        store.add(opened, alone(number, *names))
    counted: list[str] = []
    event.listen(opened.engine, "before_cursor_execute", lambda *call: counted.append(call[2]))
    found = window.last(opened, "smoke", 60)
    assert len(found) == runs and all(len(whole.jobs[0].tests) == tests for whole in found)
    return len(counted)


def test_the_last_runs_take_the_same_few_statements_however_much_they_hold(tmp_path: Path) -> None:
    few = statements(database.open_(database.place(None, tmp_path / "few")), 1, 1)
    assert few == statements(database.open_(database.place(None, tmp_path / "many")), 12, 40) <= 6  # BEGIN is one


def test_the_last_runs_hold_what_each_job_showed(opened: Database) -> None:
    for number in (1, 2, 3):
        store.add(opened, a_run(number))
    store.add(opened, dataclasses.replace(a_run(4), mode="full"))
    found = window.last(opened, "smoke", 2)
    assert [whole.run.id for whole in found] == ["run-3", "run-2"] and window.modes(opened) == ("full", "smoke")
    for whole in found:
        assert whole.jobs == read.seen(opened, whole.run.id)
    assert night.compare_last(window.last(opened, "smoke", 9)) == night.compare(opened, "run-3")
    newest = {one.splat.title: one.run.id for one in window.newest(opened)}
    assert set(newest.values()) == {"run-4"} and len(newest) == len(read.titles(opened))


SECOND = TestResult("cow.b", Status.PASS, number=2)


@pytest.mark.parametrize(
    ("tonight", "wanted"),
    [
        (
            (TestResult("cow.Leak", Status.FAIL, number=1), SECOND),
            {"cow.Leak": Change.REGRESSED, "cow.b": Change.STEADY},
        ),
        (
            (TestResult("cow", Status.SKIP, "no swap"),),
            {"cow": Change.NEW, "cow.No leak": Change.REGRESSED, "cow.b": Change.REGRESSED},
        ),
    ],
)
def test_the_pages_and_the_night_say_the_same_of_a_program_of_anybodys(
    tmp_path: Path, tonight: tuple[TestResult, ...], wanted: dict[str, Change]
) -> None:
    opened, before = database.open_(database.place(None, tmp_path)), TestResult("cow.No leak", Status.PASS, number=1)
    for number, tests in enumerate([(before, SECOND), tonight], 1):
        identity = dataclasses.replace(fixture.IDENTITY, kernel=str(number))
        store.add(opened, alone(number, suites=(SuiteRun("ks", tests, (), 1.0, programs=("cow",)),), identity=identity))
    compared = night.compare(opened, "run-2")
    assert {finding.test: finding.change for finding in compared.findings if finding.suite == "ks"} == wanted
    assert night.compare_last(window.last(opened, "smoke", 9)) == compared


def test_a_history_that_is_made_while_it_is_opened_is_no_stranger(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database.open_(url)
    real, answers = MigrationContext.get_current_revision, [None]  # as it was before another process committed it

    def first_as_before(context: MigrationContext) -> str | None:
        return answers.pop() if answers else real(context)

    monkeypatch.setattr(MigrationContext, "get_current_revision", first_as_before)
    assert read.runs(database.open_(url)) == ()


def test_what_is_sure_only_tonight_is_chased_from_the_last_night_that_worked(tmp_path: Path) -> None:
    opened, runs = database.open_(database.place(None, tmp_path)), {}
    for number in range(1, 29):
        kernel, tree = f"kernel {number}", Tree(Path("/t"), "tip", f"base {number}", "c", "l")
        test = TestResult("T", Status.FAIL if number > 26 else Status.PASS)
        retried = (Status.FAIL,) if number == 20 else ()
        identity, products = dataclasses.replace(fixture.IDENTITY, kernel=kernel), Products(tree=tree)
        runs[number] = alone(number, test, retried=retried, identity=identity, products=products)
        store.add(opened, runs[number])
    assert night.compare(opened, "run-27").of(Change.REGRESSED) == ()
    comparison = night.compare(opened, "run-28")
    (found,) = comparison.of(Change.REGRESSED)
    assert (found.before, found.now) == (Status.PASS, Status.FAIL)
    (suspect,) = culprits.suspects(runs[28], comparison, opened)
    assert suspect.before is not None and suspect.before.base == "base 26", "run 27 is broken"
