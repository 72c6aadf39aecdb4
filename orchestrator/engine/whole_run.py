"""Every job of a plan on an engine: the main job, where it is not this machine alone that runs it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.engine.task import Engine, Place, Task
from orchestrator.errors import PipelineError, UserError
from orchestrator.model import JobResult, RunResult, Stage
from orchestrator.pipeline import job
from orchestrator.pipeline import run as main_job
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.plan import Job, Plan
from orchestrator.pipeline.run_record import RunRecord


@dataclass(frozen=True)
class WholeJob:
    """A job from its source to its last test."""

    job: Job

    def __call__(self, place: Place) -> JobResult:
        """Return what came of it. Raises UserError, and Cancelled."""
        return in_turn(self.job, place, job.go_on)


def in_turn(planned: Job, place: Place, tested: Callable[[JobRecord], JobResult]) -> JobResult:
    """Build a job, and let ``tested`` go on with it where nothing failed, each in its turn. Raises Cancelled."""
    record = JobRecord(planned, place.workspace)
    with place.build():
        result = job.go_on(record, Stage.ROOTFS)
    if not record.failed:
        with place.guest(planned):
            result = tested(record)
    return result


def run(plan: Plan, workspace: Workspace, engine: Engine) -> RunResult:
    """Run every job of a plan, and judge. The results are on disk after each job, also those of a run that is killed.

    A job that ends as nobody foresaw has no result, and the others go on. Raises UserError, and InfraError where the
    engine itself is gone.
    """
    run_record = RunRecord(plan, workspace)
    workspace.progress.note(engine.words(plan.jobs))
    tasks = (Task(planned.name, planned, WholeJob(planned)) for planned in plan.jobs)
    with contextlib.closing(engine.run(tasks, workspace)) as ended:
        for done in ended:
            _collect(done.task.job, done.outcome, run_record)
    return run_record.write()


def _collect(planned: Job, outcome: JobResult | BaseException, run_record: RunRecord) -> None:
    progress = run_record.workspace.progress
    if isinstance(outcome, JobResult):
        main_job.announce(run_record.add(outcome), outcome, progress)
    elif isinstance(outcome, PipelineError) and not isinstance(outcome, UserError):
        progress.note(f"{planned.name}: {outcome}")
        run_record.lose(planned, outcome)
    else:
        raise outcome
