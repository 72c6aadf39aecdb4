"""The main job: every job of a plan, one after the other, the series judged over each pair."""

from __future__ import annotations

from orchestrator.model import RunResult
from orchestrator.model.plan import Plan
from orchestrator.pipeline import job
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.run_record import RunRecord


def run(plan: Plan, workspace: Workspace) -> RunResult:
    """Run every job of a plan, and judge. The results are on disk after each job: a killed run tells its story."""
    run_record = RunRecord(plan, workspace)
    result = run_record.result()
    for planned in plan.jobs:
        result = run_record.add(job.run(planned, workspace))
    return result
