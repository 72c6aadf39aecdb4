"""The main job: every job of a plan, one after the other, the series judged over each pair."""

from __future__ import annotations

from orchestrator import job
from orchestrator.model import RunResult
from orchestrator.plan import Plan
from orchestrator.tally import Tally
from orchestrator.workspace import Workspace


def run(plan: Plan, workspace: Workspace) -> RunResult:
    """Run every job of a plan, and judge. The results are on disk after each job: a killed run tells its story."""
    tally = Tally(plan, workspace)
    result = tally.result()
    for planned in plan.jobs:
        result = tally.add(job.run(planned, workspace))
    return result
