"""The main job: every job of a plan, one after the other, the series judged over each pair."""

from __future__ import annotations

from orchestrator.errors import InfraError
from orchestrator.host import crash
from orchestrator.model import RunResult
from orchestrator.model.plan import Plan
from orchestrator.pipeline import job
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.run_record import RunRecord


def run(plan: Plan, workspace: Workspace) -> RunResult:
    """Run every job of a plan, and judge. The results are on disk after each job: a killed run tells its story.

    A job that ends as nobody foresaw has no result, and the others go on. Raises UserError.
    """
    run_record = RunRecord(plan, workspace)
    for planned in plan.jobs:
        try:
            with crash.contained(workspace.job_directory(planned.name)):
                run_record.add(job.run(planned, workspace))
        except InfraError as error:
            workspace.progress.note(f"{planned.name}: {error}")
            run_record.lose(planned, error)
    return run_record.write()
