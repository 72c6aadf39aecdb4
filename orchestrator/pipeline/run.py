"""The main job: every job of a plan, one after the other, the series judged over each pair."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.errors import InfraError
from orchestrator.host import cores, crash
from orchestrator.model import JobResult, RunResult, Stage, TestResult
from orchestrator.pipeline import alone, alongside, first_red, job
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.run_record import RunRecord
from orchestrator.pipeline.values import Plan
from orchestrator.progress import Progress
from orchestrator.verdict import charged


def run(plan: Plan, workspace: Workspace, *, ahead: bool | None = None, stops_at_first: bool = False) -> RunResult:
    """Run every job of a plan, and judge. The results are on disk after each job, also those of a run that is killed.

    The next kernel is built while a guest runs: ``ahead`` None where cores are left for that, True always, False never.
    A job that ends as nobody foresaw has no result, and the others go on. With ``stops_at_first`` the first red ends
    it: in the midst of a suite, and no further job begins. Raises UserError.
    """
    run_record = RunRecord(plan, workspace)
    records = [JobRecord(planned, workspace) for planned in plan.jobs]
    for record, following in zip(records, [*records[1:], None], strict=True):
        try:
            with crash.contained(record.directory):
                with record.ending_at(_first_red(record, plan, run_record) if stops_at_first else None):
                    done = _tested(record, None if record.red else following, ahead)  # what may be the end has no next
                result = run_record.add(done)
                announce(result, done, workspace.progress)
                if red := charged.by_suite(result, done.name):
                    run_record.add(alone.examine(record, red))
        except InfraError as error:
            workspace.progress.note(f"{record.job.name}: {error}")
            run_record.lose(record.job, error)
        if stops_at_first and run_record.is_red:
            run_record.notes.append(first_red.words(record.job))
            break
    return run_record.write()


def _first_red(record: JobRecord, plan: Plan, run_record: RunRecord) -> Callable[[str, TestResult], bool] | None:
    """Return what says of a test whether the run is red by it; of a base, nothing is: the series is judged."""
    pair = next((pair for pair in plan.pairs if record.job.name == pair.patched.name), None)
    if pair:
        base = run_record.done(pair.base)
        return first_red.of_series(pair, base) if base else None
    return first_red.of_job(record) if record.job in plan.singles else None


def _tested(record: JobRecord, following: JobRecord | None, ahead: bool | None) -> JobResult:
    """Run one job to its end, and build the kernel of the following one while its guest runs."""
    job.go_on(record, Stage.ROOTFS)
    with alongside.building(following, cores.spare(record.job.variant_config.machine.cpus, ahead)):
        return job.go_on(record)


def announce(result: RunResult, done: JobResult, progress: Progress) -> None:
    """Say a verdict the moment it is known: that of a job, and of the pair that it is the second of."""
    progress.note(f"{done.name}: {done.verdict.name}: {done.reason}")
    for pair in result.series:
        if pair.patched.name == done.name:
            progress.note(f"{pair.series} in {pair.variant}: {pair.verdict.name}: {pair.reason}")
