"""The last runs with all that they showed, for reports: a handful of statements, however many tests there are."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session, joinedload

from orchestrator.history import rows
from orchestrator.history.database import Database
from orchestrator.history.schema import JobRow, OutcomeRow, RunRow, SplatRow, StageRow
from orchestrator.history.values import Complaint, Occurrence, Seen, StageTime, Test, Whole
from orchestrator.model import Status
from orchestrator.verdict import outcome


def modes(database: Database) -> tuple[str, ...]:
    """Return the modes that the history has runs of, the one that ran last first."""
    wanted = select(RunRow.mode).group_by(RunRow.mode).order_by(func.max(RunRow.started).desc(), RunRow.mode)
    with database.reading() as session:
        return tuple(session.scalars(wanted))


def last(database: Database, mode: str, limit: int) -> tuple[Whole, ...]:
    """Return the last ``limit`` runs of a mode, newest first, each with what its jobs showed."""
    wanted = (
        select(RunRow).where(RunRow.mode == mode).order_by(RunRow.started.desc(), RunRow.id.desc()).limit(limit)
    )  # fmt: skip
    with database.reading() as session:
        runs = {row.id: rows.run(row) for row in session.scalars(wanted)}
        seen = _seen(session, list(runs))
        return tuple(Whole(run, tuple(seen.get(name, ()))) for name, run in runs.items())


def newest(database: Database) -> tuple[Occurrence, ...]:
    """Return the last splat of each title, however long ago that was."""
    ids = select(func.max(SplatRow.id)).group_by(SplatRow.title)
    wanted = (
        select(SplatRow)
        .where(SplatRow.id.in_(ids))
        .order_by(SplatRow.title)
        .options(joinedload(SplatRow.job).joinedload(JobRow.run))
    )
    with database.reading() as session:
        return tuple(
            Occurrence(rows.run(r.job.run), rows.job(r.job), rows.complaint(r, Path(r.job.run.directory)))
            for r in session.scalars(wanted)
        )


def _seen(session: Session, runs: Sequence[str]) -> dict[str, list[Seen]]:
    """Return what the jobs of these runs showed, by run, in the order of each."""
    wanted = select(JobRow).where(JobRow.run_id.in_(runs)).order_by(JobRow.ordinal).options(joinedload(JobRow.run))
    jobs = [(row.id, rows.job(row), Path(row.run.directory)) for row in session.scalars(wanted)]
    stages = _by_job(session, _of(runs, StageRow, _STAGE, StageRow.ordinal))
    tests = _by_job(session, _of(runs, OutcomeRow, _TEST, OutcomeRow.id))
    splats = _by_job(session, _of(runs, SplatRow, _SPLAT, SplatRow.id))
    by_run: dict[str, list[Seen]] = {}
    for number, job, folder in jobs:
        whole = Seen(
            job=job,
            stages=tuple(_stage(row, folder) for row in stages.get(number, ())),
            tests=tuple(_test(row) for row in tests.get(number, ())),
            splats=tuple(_splat(row, folder) for row in splats.get(number, ())),
        )
        by_run.setdefault(job.run, []).append(whole)
    return by_run


_STAGE = (StageRow.stage, StageRow.verdict, StageRow.seconds, StageRow.message, StageRow.log, StageRow.reused)
_TEST = (
    OutcomeRow.suite, OutcomeRow.test, OutcomeRow.status, OutcomeRow.earlier, OutcomeRow.reason, OutcomeRow.seconds,
    OutcomeRow.program, OutcomeRow.number,
)  # fmt: skip
_SPLAT = (
    SplatRow.kind, SplatRow.title, SplatRow.fatal, SplatRow.test, SplatRow.allowed_by, SplatRow.first_line,
    SplatRow.last_line, SplatRow.text, SplatRow.console, SplatRow.other_titles,
)  # fmt: skip


def _of(runs: Sequence[str], table: Any, columns: tuple[Any, ...], order: Any) -> Select[Any]:
    """Return the statement for what hangs on the jobs of these runs: plain columns, for whole rows cost much more."""
    return (
        select(table.job_id, *columns)
        .join(JobRow, table.job_id == JobRow.id)
        .where(JobRow.run_id.in_(runs))
        .order_by(table.job_id, order)
    )


def _by_job(session: Session, wanted: Select[Any]) -> dict[int, list[Row[Any]]]:
    def groups() -> Iterator[tuple[int, list[Row[Any]]]]:
        for number, group in itertools.groupby(session.execute(wanted), lambda row: row[0]):
            yield number, list(group)

    return dict(groups())


def _stage(row: Any, folder: Path) -> StageTime:
    _, stage, verdict, seconds, message, log, reused = row
    return StageTime(stage, verdict, seconds, message, folder / log if log else None, reused)


def _test(row: Any) -> Test:
    _, suite, name, status, earlier, reason, seconds, program, number = row
    result = _outcome(status, tuple(earlier))
    return Test(suite, name, result.status, result.tries, reason, seconds, program, number)


@functools.cache
def _outcome(status: Status, earlier: tuple[str, ...]) -> outcome.Outcome:
    return outcome.outcome(status, [Status(word) for word in earlier])


def _splat(row: Any, folder: Path) -> Complaint:
    _, kind, title, fatal, test, allowed_by, first_line, last_line, text, console, others = row
    where = folder / console if console else None
    return Complaint(kind, title, fatal, test, allowed_by, first_line, last_line, text, where, tuple(others or ()))
