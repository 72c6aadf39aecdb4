"""The main job: every job of a plan, the series judged over each pair, and the results written for all readers."""

from __future__ import annotations

import datetime
import sys
import time

from orchestrator import cache, job, process, record
from orchestrator.model import JobResult, RunResult, SeriesResult, Verdict
from orchestrator.plan import Pair, Plan
from orchestrator.results import junit, markdown, result_json, series_verdict, verdict
from orchestrator.workspace import Workspace


def run(plan: Plan, workspace: Workspace) -> RunResult:
    """Run every job of a plan, and judge. The results are on disk after each job: a killed run tells its story."""
    for planned in plan.jobs:
        record.expected(planned)  # a mistake there must not show after an hour
    started, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    done: dict[str, JobResult] = {}
    result = _folded(plan, done, workspace, started, clock)
    for planned in plan.jobs:
        done[planned.name] = job.run(planned, workspace)
        result = _folded(plan, done, workspace, started, clock)
        _write(result, plan)
    return result


def _judged(base: JobResult, patched: JobResult, pair: Pair) -> SeriesResult:
    """Judge a pair by what the base's kernel has the symbols for: no series excuses itself by switching one off."""
    promised = record.expected(pair.patched, base.products.kernel)
    return series_verdict.judge(base, patched, promised, pair.base.expect, pair.patched.expect)


def _write(result: RunResult, plan: Plan) -> None:
    """Write what people and CI servers read; the job files have names that ``**/junit*.xml`` does not catch twice."""
    directory, planned = result.directory, {job.name: job for job in plan.jobs}
    cache.write_atomic(directory / "result.json", result_json.dump(result))
    cache.write_atomic(directory / "junit.xml", junit.render(result))
    cache.write_atomic(directory / "summary.md", markdown.render(result))
    for done in result.jobs:
        wanted = planned[done.job]
        text = junit.render_job(done, record.expected(wanted, done.products.kernel), wanted.expect)
        cache.write_atomic(done.directory / "job-junit.xml", text)
        script = done.directory / "reproduce.sh"
        cache.write_atomic(script, _reproduce(result, done))
        script.chmod(0o755)


def _reproduce(result: RunResult, done: JobResult) -> str:
    boot = process.pasteable(
        [sys.executable, "-m", "orchestrator.cli", "boot", "--run", result.directory, "--job", done.job]
    )
    return (
        "#!/bin/sh\n"
        f"# Boot the kernel of {done.job} again and run one test in it: reproduce.sh TEST\n"
        f'exec {boot} ${{1:+--test "$1"}}\n'
    )


def _folded(
    plan: Plan, done: dict[str, JobResult], workspace: Workspace, started: datetime.datetime, clock: float
) -> RunResult:
    series = tuple(
        _judged(done[pair.base.name], done[pair.patched.name], pair)
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
        missing=tuple(missing),
    )
