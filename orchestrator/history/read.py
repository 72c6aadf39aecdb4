"""Database → values, for reports and for the judgement of a night. Newest first, unless stated otherwise."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Integer, Select, cast, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, joinedload, selectinload

from orchestrator.errors import UserError
from orchestrator.history import rows
from orchestrator.history.database import Database
from orchestrator.history.schema import CheckRow, JobRow, OutcomeRow, RunRow, SeriesRow, SplatRow, StageRow
from orchestrator.history.values import (
    Check,
    Complaint,
    Job,
    Occurrence,
    Point,
    Run,
    Seen,
    Series,
    StageTime,
    Test,
    Title,
)
from orchestrator.model import Stage

Part = TypeVar("Part", StageRow, SplatRow)
"""What a job has several of."""
_SKEW = datetime.timedelta(hours=1)
"""By how much the clocks of the machines that share a history may differ."""


def runs(database: Database, *, mode: str | None = None, limit: int | None = None) -> tuple[Run, ...]:
    """Return the runs, of one mode or of all."""
    wanted = select(RunRow).order_by(RunRow.started.desc(), RunRow.id.desc()).limit(limit)
    if mode is not None:
        wanted = wanted.where(RunRow.mode == mode)
    with database.reading() as session:
        return tuple(rows.run(row) for row in session.scalars(wanted))


def last_run(database: Database, mode: str, now: datetime.datetime) -> Run | None:
    """Return the last run of a mode, or None; one that began long after ``now`` had a clock that was wrong."""
    latest = (now.astimezone(datetime.UTC) + _SKEW).isoformat(timespec="seconds")
    wanted = (
        select(RunRow)
        .where(RunRow.mode == mode, RunRow.started <= latest)
        .order_by(RunRow.started.desc(), RunRow.id.desc())
        .limit(1)
    )
    with database.reading() as session:
        row = session.scalar(wanted)
        return rows.run(row) if row else None


def run(database: Database, run_id: str) -> Run:
    """Return one run. Raises UserError where there is none of that name."""
    with database.reading() as session:
        if row := session.get(RunRow, run_id):
            return rows.run(row)
    raise UserError(f"history {database.name}: no run {run_id}")


def series(database: Database, run_id: str) -> tuple[Series, ...]:
    """Return how a run judged each series, in the order of the run."""
    wanted = select(SeriesRow).where(SeriesRow.run_id == run_id).order_by(SeriesRow.ordinal)
    with database.reading() as session:
        return tuple(Series(r.tree, r.series, r.variant, r.verdict, r.reason) for r in session.scalars(wanted))


def checks(database: Database, run_id: str) -> tuple[Check, ...]:
    """Return the checks of a run, in the order in which they were made."""
    wanted = (
        select(CheckRow, RunRow.directory)
        .join(RunRow, CheckRow.run_id == RunRow.id)
        .where(RunRow.id == run_id)
        .order_by(CheckRow.ordinal)
    )
    with database.reading() as session:
        return tuple(rows.check(row, Path(folder)) for row, folder in session.execute(wanted))


def jobs(database: Database, run_id: str) -> tuple[Job, ...]:
    """Return the jobs of a run, in its order."""
    wanted = select(JobRow).where(JobRow.run_id == run_id).order_by(JobRow.ordinal).options(joinedload(JobRow.run))
    with database.reading() as session:
        return tuple(rows.job(row) for row in session.scalars(wanted))


def stages(database: Database, job: Job) -> tuple[StageTime, ...]:
    """Return the stages of a job, in their order."""
    wanted = _of_job(StageRow, job, StageRow.ordinal)
    with database.reading() as session:
        return tuple(rows.stage(row, Path(folder)) for row, folder in session.execute(wanted))


def tests(database: Database, job: Job) -> tuple[Test, ...]:
    """Return the tests of a job, in the order of running."""
    wanted = select(OutcomeRow).where(OutcomeRow.job_id == job.id).order_by(OutcomeRow.id)
    with database.reading() as session:
        return tuple(rows.test(row) for row in session.scalars(wanted))


def splats(database: Database, job: Job) -> tuple[Complaint, ...]:
    """Return the splats of a job, in the order of its consoles."""
    wanted = _of_job(SplatRow, job, SplatRow.id)
    with database.reading() as session:
        return tuple(rows.complaint(row, Path(folder)) for row, folder in session.execute(wanted))


def _of_job(kind: type[Part], job: Job, order: InstrumentedAttribute[int]) -> Select[Part, str]:
    """Select what a job has of a kind, each with the folder of the run."""
    joined = select(kind, RunRow.directory).join(JobRow, kind.job_id == JobRow.id).join(RunRow)
    return joined.where(JobRow.id == job.id).order_by(order)


def points(
    database: Database,
    test: str,
    *,
    suite: str | None = None,
    job: str | None = None,
    mode: str | None = None,
    limit: int = 100,
) -> tuple[Point, ...]:
    """Return what one test showed in each job of each run, or of one suite, in one job, in the runs of one mode."""
    wanted = (
        select(OutcomeRow)
        .join(OutcomeRow.job)
        .join(JobRow.run)
        .where(OutcomeRow.test == test)
        .order_by(RunRow.started.desc(), RunRow.id.desc(), JobRow.ordinal)
        .limit(limit)
        .options(joinedload(OutcomeRow.job).joinedload(JobRow.run))
    )
    wanted = wanted if suite is None else wanted.where(OutcomeRow.suite == suite)
    wanted = wanted if job is None else wanted.where(JobRow.name == job)
    wanted = wanted if mode is None else wanted.where(RunRow.mode == mode)
    with database.reading() as session:
        return tuple(Point(rows.run(r.job.run), rows.job(r.job), rows.test(r)) for r in session.scalars(wanted))


def test_names(database: Database) -> tuple[str, ...]:
    """Return the names of all tests that ever ran, as SUITE/TEST."""
    wanted = select(OutcomeRow.suite, OutcomeRow.test).distinct().order_by(OutcomeRow.suite, OutcomeRow.test)
    with database.reading() as session:
        return tuple(f"{suite}/{test}" for suite, test in session.execute(wanted))


def job_names(database: Database) -> tuple[str, ...]:
    """Return the names of all jobs that ever ran."""
    with database.reading() as session:
        return tuple(session.scalars(select(JobRow.name).distinct().order_by(JobRow.name)))


def titles(database: Database) -> tuple[Title, ...]:
    """Return every title of a splat, the one seen last first."""
    wanted = (
        select(
            SplatRow.title,
            func.min(SplatRow.kind),
            func.max(cast(SplatRow.fatal, Integer)),
            func.count(),
            func.count(JobRow.run_id.distinct()),
            func.min(RunRow.started),
            func.max(RunRow.started),
        )
        .join(SplatRow.job)
        .join(JobRow.run)
        .group_by(SplatRow.title)
        .order_by(func.max(RunRow.started).desc(), SplatRow.title)
    )
    with database.reading() as session:
        return tuple(
            Title(title, kind, bool(fatal), count, of_runs, rows.when(first), rows.when(last))
            for title, kind, fatal, count, of_runs, first, last in session.execute(wanted)
        )


def occurrences(database: Database, title: str, *, limit: int = 100) -> tuple[Occurrence, ...]:
    """Return where splats of one title were seen."""
    wanted = (
        select(SplatRow)
        .join(SplatRow.job)
        .join(JobRow.run)
        .where(SplatRow.title == title)
        .order_by(RunRow.started.desc(), RunRow.id.desc(), JobRow.ordinal, SplatRow.id)
        .limit(limit)
        .options(joinedload(SplatRow.job).joinedload(JobRow.run))
    )
    with database.reading() as session:
        return tuple(
            Occurrence(rows.run(r.job.run), rows.job(r.job), rows.complaint(r, Path(r.job.run.directory)))
            for r in session.scalars(wanted)
        )


def seen(database: Database, run_id: str, *, job: str | None = None) -> tuple[Seen, ...]:
    """Return all that the jobs of a run showed, or one of them, in its order."""
    wanted = _whole().where(JobRow.run_id == run_id).order_by(JobRow.ordinal)
    wanted = wanted if job is None else wanted.where(JobRow.name == job)
    with database.reading() as session:
        return tuple(rows.seen(row) for row in session.scalars(wanted))


def before(database: Database, run: str, name: str, *, limit: int) -> tuple[Seen, ...]:
    """Return what a job of a run showed in earlier runs of its mode, in whatever setting, newest first."""
    with database.reading() as session:
        this = session.get_one(RunRow, run)
        wanted = (
            _whole()
            .join(JobRow.run)
            .where(JobRow.name == name, RunRow.mode == this.mode)
            .where(or_(RunRow.started < this.started, (RunRow.started == this.started) & (RunRow.id < this.id)))
            .order_by(RunRow.started.desc(), RunRow.id.desc())
            .limit(limit)
        )
        return tuple(rows.seen(row) for row in session.scalars(wanted))


def seconds(database: Database, name: str) -> float | None:
    """Return how long the guests of the jobs of this name took the last time that they came to tests, or None."""
    wanted = (
        select(func.sum(StageRow.seconds))
        .join(JobRow, StageRow.job_id == JobRow.id)
        .join(RunRow)
        .where(JobRow.name == name, StageRow.stage.in_((Stage.BOOT, Stage.SUITE)))
        .group_by(JobRow.id, RunRow.started)
        .having(func.count() == 2)
        .order_by(RunRow.started.desc())
        .limit(1)
    )
    with database.reading() as session:
        return session.scalar(wanted)


def _whole() -> Select[JobRow]:
    return select(JobRow).options(
        joinedload(JobRow.run),
        selectinload(JobRow.stages),
        selectinload(JobRow.outcomes),
        selectinload(JobRow.splats),
    )
