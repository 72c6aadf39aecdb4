"""A night that found a regression goes on to what brought it: a bisect between the last night and this one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator.bisect import run
from orchestrator.bisect.values import ALL, Outcome, Request
from orchestrator.config.schema import Pipeline
from orchestrator.config.sources import GitSource, PathSource
from orchestrator.errors import PipelineError
from orchestrator.history import night, read
from orchestrator.history.classify import Change
from orchestrator.history.database import Database
from orchestrator.history.night import Comparison, Finding
from orchestrator.history.values import Job
from orchestrator.host import crash
from orchestrator.model import JobResult, RunResult, Stage, Status, Symptom, SymptomKind
from orchestrator.pipeline.context import Workspace, at_work
from orchestrator.text.wording import STAGES

_NO_SYMPTOM = (Status.MISSING, Status.ERROR)
"""What shows nothing to a bisect."""
_STAGES = {Stage.BUILD.value: SymptomKind.BUILD, Stage.BOOT.value: SymptomKind.BOOT}


@dataclass(frozen=True)
class Suspect:
    """The first regression of a job, and the same job on the last night without it; None where there is none."""

    finding: Finding
    job: JobResult
    before: Job | None

    @property
    def name(self) -> str:
        """The regression in one word, for people."""
        return f"{self.job.name} {self.finding.id}"


def chase(
    mode: str, result: RunResult, comparison: Comparison, database: Database, workspace: Workspace
) -> Iterator[str]:
    """Bisect the first regression of each job, one after the other, each in a folder of its own; yield a line for each.

    What cannot be bisected gets a line that says why. Raises nothing of a bisect's: the night is judged already.
    """
    for number, suspect in enumerate(suspects(result, comparison, database), 1):
        answer = request(suspect, workspace.pipeline, mode)
        if isinstance(answer, str):
            yield f"not bisected: {suspect.name}: {answer}"
            continue
        directory = workspace.directory.with_name(f"{workspace.directory.name}-bisect-{number}")
        try:
            with crash.contained(directory):
                outcome = _bisected(answer, replace(workspace, directory=directory))
        except PipelineError as error:
            yield f"not bisected: {suspect.name}: {error}"
        else:
            yield f"bisected: {suspect.name}: {outcome.reason} ({directory})"


def _bisected(wanted: Request, workspace: Workspace) -> Outcome:
    workspace.directory.mkdir(exist_ok=True)
    with at_work(workspace.directory):
        return run.run(wanted, workspace)


def suspects(result: RunResult, comparison: Comparison, database: Database) -> list[Suspect]:
    """Return the regressions to chase."""
    jobs = {job.name: job for job in result.jobs}
    chosen = first(result, comparison.of(Change.REGRESSED))
    return [Suspect(f, jobs[f.job], _before(database, result.run, f)) for f in chosen]


def first(result: RunResult, regressed: Sequence[Finding]) -> list[Finding]:
    """Return the first regression of each job; what the base shows too is asked of the base alone. Pure.

    One that a bisect can see goes before those that it cannot: a test that did not run, or could not set up.
    """
    regressed = sorted(regressed, key=lambda finding: finding.now in _NO_SYMPTOM)
    jobs = {job.name: job for job in result.jobs}
    bases = {(jobs[f.job].tree, jobs[f.job].variant, f.id) for f in regressed if not jobs[f.job].series}
    firsts: dict[str, Finding] = {}
    for finding in regressed:
        job = jobs[finding.job]
        if not (job.series and (job.tree, job.variant, finding.id) in bases):
            firsts.setdefault(finding.job, finding)
    return list(firsts.values())


def _before(database: Database, run_id: str, finding: Finding) -> Job | None:
    """Return the same job of the last comparable run that showed what the regression is held against."""
    (now,) = read.seen(database, run_id, job=finding.job)
    earlier = read.before(database, run_id, finding.job, limit=night.WINDOW)
    alike = (seen for seen in earlier if night.comparable(now.job, seen.job))
    return next((seen.job for seen in alike if night.showed_before(seen, finding, now)), None)


def request(suspect: Suspect, pipeline: Pipeline, mode: str) -> Request | str:
    """Return what to ask the bisect for, or why there is nothing to ask. Pure."""
    job, now, before = suspect.job, suspect.job.products.tree, suspect.before
    symptom = _symptom(suspect.finding)
    if symptom is None:
        return "a series that does not apply names its patch itself"
    if suspect.finding.now in _NO_SYMPTOM:
        return "it did not run, or could not set up: a bisect cannot see that"
    if now is None or before is None or before.base is None:
        return "the commit of the last night is not known"
    common = Request(
        good=before.base,
        bad=now.source_commit,
        symptom=symptom,
        tree=job.tree,
        mode=mode,
        variant=job.variant,
        suites=(suspect.finding.suite,) if symptom.kind is SymptomKind.TEST else (),
    )
    if now.source_commit != before.base:
        if not isinstance(pipeline.trees[job.tree].source, GitSource | PathSource):
            return "the tree has no history: its source is no git repository"
        return replace(common, carry=job.series)
    if job.series and now.commit != before.commit:
        return replace(common, good="0", bad=ALL, series=job.series)
    return "neither the tree nor the series has changed since the last night"


def _symptom(finding: Finding) -> Symptom | None:
    if finding.suite != STAGES:
        return Symptom(SymptomKind.TEST, finding.test)
    kind = _STAGES.get(finding.test)
    return Symptom(kind) if kind else None
