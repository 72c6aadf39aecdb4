"""Rows of the database → values. Pure."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

from orchestrator.history.schema import CheckRow, IdentityRow, JobRow, OutcomeRow, RunRow, SplatRow, StageRow
from orchestrator.history.values import Check, Complaint, Job, Run, Seen, StageTime, Test
from orchestrator.model import Identity, JobResult, Status
from orchestrator.verdict import cases, outcome


def seen(row: JobRow) -> Seen:
    """Return all that a job showed."""
    folder = Path(row.run.directory)
    return Seen(
        job=job(row),
        stages=tuple(stage(r, folder) for r in row.stages),
        tests=tuple(test(r) for r in row.outcomes),
        splats=tuple(complaint(r, folder) for r in row.splats),
    )


def when(text: str) -> datetime.datetime:
    """Read a time as it is stored."""
    return datetime.datetime.fromisoformat(text)


def run(row: RunRow) -> Run:
    """Return a run."""
    return Run(
        id=row.id,
        mode=row.mode,
        started=when(row.started),
        seconds=row.seconds,
        verdict=row.verdict,
        exit_code=row.exit_code,
        directory=Path(row.directory),
        missing=tuple(row.missing),
        notes=tuple(row.notes),
    )


def check(row: CheckRow, folder: Path) -> Check:
    """Return a check; ``folder`` is that of the run."""
    log = folder / row.log if row.log else None
    return Check(row.name, row.subject, row.verdict, row.message, row.seconds, tuple(row.details), log)


def job(row: JobRow) -> Job:
    """Return a job, with the paths below its run made whole."""
    folder = Path(row.run.directory)
    return Job(
        id=row.id,
        run=row.run_id,
        name=row.name,
        tree=row.tree,
        series=row.series,
        variant=row.variant,
        side=row.side,
        verdict=row.verdict,
        reason=row.reason,
        directory=folder / row.directory,
        identity=identity(row.identity) if row.identity else None,
        release=row.release,
        config=folder / row.config if row.config else None,
        commit=row.commit,
        base=row.base,
        requested=tuple(row.requested or ()),
    )


def identity(row: IdentityRow) -> Identity:
    """Return what a result depends on."""
    return Identity(**{field.name: getattr(row, field.name) for field in dataclasses.fields(Identity)})


def stage(row: StageRow, folder: Path) -> StageTime:
    """Return a stage of a job; ``folder`` is that of the run."""
    log = folder / row.log if row.log else None
    return StageTime(row.stage, row.verdict, row.seconds, row.message, log, row.reused)


def test(row: OutcomeRow) -> Test:
    """Return a test with all of its tries."""
    result = outcome.outcome(row.status, [Status(word) for word in row.earlier])
    return Test(row.suite, row.test, result.status, result.tries, row.reason, row.seconds, row.program, row.number)


def complaint(row: SplatRow, folder: Path) -> Complaint:
    """Return a splat; ``folder`` is that of the run."""
    return Complaint(
        kind=row.kind,
        title=row.title,
        fatal=row.fatal,
        test=row.test,
        allowed_by=row.allowed_by,
        first_line=row.first_line,
        last_line=row.last_line,
        text=row.text,
        console=folder / row.console if row.console else None,
        other_titles=tuple(row.other_titles or ()),
    )


def of_result(result: JobResult, run_id: str) -> Seen:
    """Return what a job showed that is not in the database yet; its ``id`` is 0."""
    kernel, tree = result.products.kernel, result.products.tree
    return Seen(
        job=Job(
            id=0,
            run=run_id,
            name=result.name,
            tree=result.tree,
            series=result.series,
            variant=result.variant,
            side=result.side,
            verdict=result.verdict,
            reason=result.reason,
            directory=result.directory,
            identity=result.identity,
            release=kernel.release if kernel else None,
            config=kernel.config if kernel else None,
            commit=tree.commit if tree else None,
            base=tree.source_commit if tree else None,
            requested=result.requested,
        ),
        stages=tuple(StageTime(s.stage, s.verdict, s.seconds, s.message, s.log, s.reused) for s in result.stages),
        tests=tuple(
            Test(run.suite, test.name, judged.status, judged.tries, test.reason, test.seconds, *cases.line(run, test))
            for run in result.suites
            for test, judged in zip(run.tests, outcome.outcomes(run).values(), strict=True)
        ),
        splats=(),
    )
