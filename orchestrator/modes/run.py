"""The main job: every job of a plan, the series judged over each pair, and the results written for all readers."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

from orchestrator import cache, job
from orchestrator.model import JobResult, RunResult, SeriesResult, Verdict
from orchestrator.plan import Plan
from orchestrator.results import expectations, junit, markdown, result_json, verdict
from orchestrator.workspace import Workspace


def run(plan: Plan, workspace: Workspace) -> RunResult:
    """Run every job of a plan, and judge. The results are on disk after each job: a killed run tells its story."""
    started, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    done: dict[str, JobResult] = {}
    result = _folded(plan, done, workspace, started, clock)
    for planned in plan.jobs:
        done[planned.name] = job.run(planned, workspace)
        result = _folded(plan, done, workspace, started, clock)
        _write(result, workspace.directory)
    return result


def _folded(
    plan: Plan, done: dict[str, JobResult], workspace: Workspace, started: datetime.datetime, clock: float
) -> RunResult:
    series = tuple(
        _judged(done[pair.base.name], done[pair.patched.name], pair.patched, workspace)
        for pair in plan.pairs
        if pair.base.name in done and pair.patched.name in done
    )
    alone = [done[single.name].verdict for single in plan.singles if single.name in done]
    missing = [j.name for j in plan.jobs if j.name not in done]
    total = verdict.fold([s.verdict for s in series] + alone + [Verdict.INFRA for _ in missing])
    return RunResult(
        run=workspace.directory.name,
        mode=plan.mode,
        directory=workspace.directory,
        started=started.isoformat(timespec="seconds"),
        seconds=time.monotonic() - clock,
        jobs=tuple(done.values()),
        series=series,
        verdict=total,
        exit_code=verdict.exit_code(total),
        notes=tuple(f"did not run: {name}" for name in missing),
    )
