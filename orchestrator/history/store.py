"""Runs → database: a run as it ends, and the folders of runs that were there before the database was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, delete, select
from sqlalchemy.orm import Session

from orchestrator.errors import PipelineError
from orchestrator.history import classify
from orchestrator.history.database import Database
from orchestrator.history.schema import (
    CheckRow,
    IdentityRow,
    JobRow,
    OutcomeRow,
    RunRow,
    SeriesRow,
    SplatRow,
    StageRow,
    SuiteRow,
)
from orchestrator.host import cache
from orchestrator.model import Identity, JobResult, Kernel, RunResult, SeriesResult, SuiteRun, Verdict, rundir
from orchestrator.report import result_json
from orchestrator.verdict import cases


def add(database: Database, run: RunResult) -> None:
    """Write a run down, in place of what was known of it before: a run may be added again as it grows."""
    with database.writing() as session:
        session.execute(delete(RunRow).where(RunRow.id == run.run))
        session.add(_run(session, run))


def add_job(database: Database, run: RunResult, job: JobResult) -> None:
    """Write down a job that has ended, and what its run comes to with it, at the cost of one job.

    The order of jobs and series, where they end in another than the plan's, is right when the run is added at its end.
    """
    with database.writing() as session:
        row = session.get(RunRow, run.run)
        if row is None:
            session.add(_run(session, run))
            return
        for name, value in _facts(run).items():
            setattr(row, name, value)
        session.execute(delete(JobRow).where(JobRow.run_id == run.run, JobRow.name == job.name))
        session.add(_of_run(run, _job(session, run, job, run.jobs.index(job))))
        for number, judged in enumerate(run.series):
            if job.name in (judged.base.name, judged.patched.name):
                session.execute(delete(SeriesRow).where(SeriesRow.run_id == run.run, *_is_same(judged)))
                session.add(_of_run(run, _series(judged, number)))


Part = TypeVar("Part", JobRow, SeriesRow)


def _of_run(run: RunResult, row: Part) -> Part:
    row.run_id = run.run
    return row


def _is_same(judged: SeriesResult) -> Iterator[ColumnElement[bool]]:
    yield SeriesRow.tree == judged.tree
    yield SeriesRow.series == judged.series
    yield SeriesRow.variant == judged.variant


@dataclass(frozen=True)
class Imported:
    """What an import did. ``problems`` are the folders that could not be read, a line each."""

    runs: tuple[str, ...]
    problems: tuple[str, ...]


def import_folders(database: Database, results: Path) -> Imported:
    """Add the runs of a folder that the history does not know yet, from their result.json.

    A run is known by its own name, whatever its folder is called. Those that had not come to their end when they were
    added, or were added when checks were not kept, are brought up to date. Raises InfraError.
    """
    with database.reading() as session:
        query = select(RunRow.id, RunRow.seconds, RunRow.verdict, RunRow.missing)
        rows = session.execute(query).all()
        unchecked = set(session.scalars(select(RunRow.id).where(RunRow.mode == _CHECKING, ~RunRow.checks.any())))
    unsettled = {row.id: row.seconds for row in rows if _is_open(row)}
    known = {row.id for row in rows} - unsettled.keys() - unchecked
    added, problems = [], []
    for path in sorted(results.glob("*/result.json")):
        if path.parent.is_symlink() or path.parent.name in known:
            continue
        try:
            run = result_json.read_run(path)
            if run.run in known or not _brings_more(run, unsettled, unchecked):  # a folder may be a copy of a run's
                continue
            add(database, run)
        except PipelineError as error:
            problems.append(str(error) if str(path) in str(error) else f"{path}: {error}")
        else:
            added.append(run.run)
            unsettled[run.run] = run.seconds
            known |= set() if _is_open(run) else {run.run}
    return Imported(tuple(added), tuple(problems))


def _brings_more(run: RunResult, unsettled: Mapping[str, float], unchecked: Set[str]) -> bool:
    """Whether a run has something that is not known yet: itself, its end, or its checks. Pure."""
    if run.run in unchecked and run.checks:
        return True
    if run.run in unsettled:
        return run.seconds > unsettled[run.run]
    return run.run not in unchecked


def _is_open(run: RunResult | Row[str, float, Verdict, list[str]]) -> bool:
    """Whether a run may still have something to do."""
    return bool(run.missing) or run.verdict is Verdict.INFRA


_CHECKING = "validate"
"""The mode whose runs have checks."""


def _run(session: Session, run: RunResult) -> RunRow:
    return RunRow(
        id=run.run,
        **_facts(run),
        jobs=[_job(session, run, job, number) for number, job in enumerate(run.jobs)],
        series=[_series(judged, number) for number, judged in enumerate(run.series)],
        checks=[
            CheckRow(
                ordinal=number,
                name=c.name,
                subject=c.subject,
                verdict=c.verdict,
                message=c.message,
                seconds=c.seconds,
                details=list(c.details),
                log=_relative(c.log, run.directory) if c.log else None,
            )
            for number, c in enumerate(run.checks)
        ],
    )


def _facts(run: RunResult) -> dict[str, Any]:
    """Return what is stored of a run itself."""
    return {
        "mode": run.mode,
        "started": run.started,
        "seconds": run.seconds,
        "verdict": run.verdict,
        "exit_code": run.exit_code,
        "directory": str(run.directory),
        "missing": list(run.missing),
        "notes": list(run.notes),
    }


def _series(s: SeriesResult, number: int) -> SeriesRow:
    return SeriesRow(
        ordinal=number, tree=s.tree, series=s.series, variant=s.variant, verdict=s.verdict, reason=s.reason
    )  # fmt: skip


def _job(session: Session, run: RunResult, job: JobResult, number: int) -> JobRow:
    kernel, tree = job.products.kernel, job.products.tree
    return JobRow(
        ordinal=number,
        name=job.name,
        tree=job.tree,
        series=job.series,
        variant=job.variant,
        side=job.side,
        verdict=job.verdict,
        reason=job.reason,
        directory=_relative(job.directory, run.directory),
        identity=_identity(session, job.identity) if job.identity else None,
        release=kernel.release if kernel else None,
        config=_relative(_config(job, kernel), run.directory) if kernel else None,
        commit=tree.commit if tree else None,
        base=tree.source_commit if tree else None,
        requested=list(job.requested),
        stages=[
            StageRow(
                ordinal=order,
                stage=s.stage,
                verdict=s.verdict,
                seconds=s.seconds,
                message=s.message,
                log=_relative(s.log, run.directory) if s.log else None,
                reused=s.reused,
            )
            for order, s in enumerate(job.stages)
        ],
        suites=[
            SuiteRow(ordinal=order, name=s.suite, seconds=s.seconds, problems=list(s.problems))
            for order, s in enumerate(job.suites)
        ],
        outcomes=[row for suite in job.suites for row in _outcomes(suite)],
        splats=_splats(job, run),
    )


def _config(job: JobResult, kernel: Kernel) -> Path:
    """Return the .config beside the results, else the one in the cache."""
    copy = job.directory / rundir.CONFIG
    return copy if copy.exists() else kernel.config


def _outcomes(run: SuiteRun) -> list[OutcomeRow]:
    earlier = dict(run.retried)
    return [
        OutcomeRow(
            suite=run.suite,
            test=test.name,
            status=test.status,
            earlier=[status.value for status in earlier.get(test.name, ())],
            reason=test.reason,
            seconds=test.seconds,
            program=program,
            number=number,
        )
        for test in run.tests
        for program, number in (cases.line(run, test),)
    ]


def _splats(job: JobResult, run: RunResult) -> list[SplatRow]:
    return [
        SplatRow(
            kind=s.kind,
            title=s.title,
            first_line=s.first_line,
            last_line=s.last_line,
            text=s.text,
            fatal=s.fatal,
            test=s.test,
            allowed_by=s.allowed_by,
            console=_relative(s.console, run.directory) if s.console else None,
            other_titles=list(s.other_titles),
        )
        for s in job.splats
    ]


def _identity(session: Session, identity: Identity) -> IdentityRow:
    """Return the row of an identity; most nights have the same ones."""
    digest = cache.digest(*(str(part) for part in astuple(identity)))
    row = session.scalar(select(IdentityRow).where(IdentityRow.digest == digest))
    if row:
        return row
    fields = {name: getattr(identity, name) for name in identity.__dataclass_fields__}
    row = IdentityRow(digest=digest, setting=cache.digest(*classify.setting(identity)), **fields)
    session.add(row)
    session.flush()  # the next job of this run may have the same one
    return row


def _relative(path: Path, folder: Path) -> str:
    """Return a path as it is stored: relative to the folder of the run where it lies below that."""
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
