"""Every job of a plan on an engine: the main job, where it is not this machine alone that runs it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from orchestrator.engine.task import Engine, Place, Task
from orchestrator.errors import InfraError, KernelError, PipelineError, UserError
from orchestrator.host import crash, disk
from orchestrator.model import JobResult, RunResult, Stage, rundir
from orchestrator.pipeline import alone, first_red, job
from orchestrator.pipeline import run as main_job
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.run_record import RunRecord
from orchestrator.pipeline.values import Job, Plan
from orchestrator.report import result_json
from orchestrator.verdict import charged


@dataclass(frozen=True)
class WholeJob:
    """A job from its source to its last test."""

    job: Job

    def __call__(self, place: Place) -> JobResult:
        """Return what came of it. Raises UserError, and Cancelled."""
        return in_turn(self.job, place, job.go_on)


@dataclass(frozen=True)
class KernelOf:
    """The kernel of a job, and no guest."""

    job: Job

    def __call__(self, place: Place) -> JobResult:
        """Return what came of it. Raises UserError, and Cancelled."""
        with place.build():
            return job.run(self.job, place.workspace, until=Stage.BUILD)


def in_turn(planned: Job, place: Place, tested: Callable[[JobRecord], JobResult]) -> JobResult:
    """Build a job, and let ``tested`` go on with it where nothing failed, each in its turn. Raises Cancelled."""
    record = JobRecord(planned, place.workspace)
    with place.build():
        result = job.go_on(record, Stage.ROOTFS)
    if not record.failed:
        with place.guest(planned):
            result = tested(record)
    return result


@dataclass(frozen=True)
class RedAlone:
    """Red tests of a job once more, each alone; ``job`` has a name of its own, for the folder of it all."""

    job: Job
    cases: tuple[alone.Case, ...]

    def __call__(self, place: Place) -> JobResult:
        """Return a result that says what came of it. Raises UserError, and Cancelled."""
        return in_turn(self.job, place, self._tested)

    def _tested(self, record: JobRecord) -> JobResult:
        try:
            job.make(record, job.bootable)
        except (InfraError, KernelError) as error:
            record.notes.append(f"{alone.NOT_RUN}: {error}")
        return alone.run(record, self.cases, at_once=1)  # an engine has counted one guest of it


def run(plan: Plan, workspace: Workspace, engine: Engine, *, stops_at_first: bool = False) -> RunResult:
    """Run every job of a plan, and judge. The results are on disk after each job, also those of a run that is killed.

    A job that ends as nobody foresaw has no result, and the others go on. With ``stops_at_first`` the first red job
    ends those that are at work. Raises UserError, and InfraError where the engine itself is gone.
    """
    run_record = RunRecord(plan, workspace)
    workspace.progress.note(engine.words(plan.jobs))
    tasks = (Task(planned.name, planned, WholeJob(planned)) for planned in plan.jobs)
    with contextlib.closing(engine.run(tasks, workspace)) as ended:
        for done in ended:
            _collect(done.task.job, done.outcome, run_record)
            if stops_at_first and run_record.is_red:
                run_record.notes.append(first_red.words(done.task.job))
                break
    _run_red_alone(run_record, engine)
    return run_record.write()


def _run_red_alone(run_record: RunRecord, engine: Engine) -> None:
    """Run what is charged once more, alone: that is known when both sides of a pair are."""
    result, workspace = run_record.result(), run_record.workspace
    tasks, results = [], {done.name: done for done in result.jobs}
    for planned in run_record.plan.jobs:
        if red := charged.by_suite(result, planned.name):
            named = replace(planned, name=f"{planned.name}.{alone.FOLDER}")
            first = results[planned.name]
            try:
                with crash.contained(first.directory):
                    work = RedAlone(named, alone.cases(planned, red, first.directory))
            except PipelineError as error:
                run_record.add(_not_run_alone(first, error))
                continue
            tasks.append(Task(named.name, planned, work))
    if not tasks or not workspace.pipeline.limits.alone:
        return
    with contextlib.closing(engine.run(iter(tasks), workspace)) as ended:
        for done in ended:
            first = results[done.task.job.name]
            if isinstance(done.outcome, JobResult):
                run_record.add(_with_alone(first, done.outcome))
            elif isinstance(done.outcome, PipelineError):
                run_record.add(_not_run_alone(first, done.outcome))
            else:
                raise done.outcome


def _not_run_alone(first: JobResult, why: PipelineError) -> JobResult:
    """Return a result with a note that says why nothing ran alone."""
    return replace(first, notes=(*first.notes, f"{alone.NOT_RUN}: {why}"))


def _with_alone(first: JobResult, again: JobResult) -> JobResult:
    """Return a result with what came of its red tests alone, and write it down; no verdict changes by it."""
    notes = dict.fromkeys((*first.notes, *again.notes))
    both = replace(first, alone=again.alone, notes=tuple(notes))
    disk.write_atomic(both.directory / rundir.RESULT, result_json.dump(both))
    return both


def _collect(planned: Job, outcome: JobResult | BaseException, run_record: RunRecord) -> None:
    progress = run_record.workspace.progress
    if isinstance(outcome, JobResult):
        main_job.announce(run_record.add(outcome), outcome, progress)
    elif isinstance(outcome, PipelineError) and not isinstance(outcome, UserError):
        progress.note(f"{planned.name}: {outcome}")
        run_record.lose(planned, outcome)
    else:
        raise outcome
