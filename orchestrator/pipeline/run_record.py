"""Jobs → a run: what is done so far, judged over each pair, and written for all readers."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.errors import Exit, PipelineError
from orchestrator.host import disk
from orchestrator.model import CheckResult, JobResult, RunResult, SeriesResult, Verdict, rundir
from orchestrator.pipeline import job_record, unattended
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.evidence import Collector
from orchestrator.pipeline.values import Job, Pair, Plan
from orchestrator.report import html, junit, markdown, result_json
from orchestrator.text import wording
from orchestrator.verdict import comparison, series_verdict, verdict

_MOST_NOTES = 20
"""Notes of jobs that a run has among its own; all of them stand with the jobs."""


@dataclass
class RunRecord:
    """The jobs of a plan as they end. ``notes`` are shown with the result.

    ``checks`` count as jobs do, and ``verdicts`` beside them. ``excused`` names jobs that a check speaks for, and which
    will not run. ``pending`` are steps that have not come to their end: with any, no run is green. A run that was
    ``interrupted`` says so by its exit code. What is drawn of all jobs (JUnit, summary, page) is drawn as jobs end, but
    not again within ``pages_every`` seconds: it grows with the run, and a run may have thousands of jobs.
    """

    plan: Plan
    workspace: Workspace
    notes: list[str] = field(default_factory=list)
    checks: list[CheckResult] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    excused: set[str] = field(default_factory=set)
    pending: list[str] = field(default_factory=list)
    interrupted: bool = False
    pages_every: float = 0.0
    _drawn: float = field(init=False, default=float("-inf"))
    _done: dict[str, JobResult] = field(default_factory=dict)
    _lost: dict[str, str] = field(default_factory=dict)
    _started: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))
    _evidence: Collector = field(init=False)
    _clock: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._evidence = Collector(self.plan)

    def add(self, job: JobResult) -> RunResult:
        """Take the result of a job, and write down what the run comes to so far: what a killed run did is on disk."""
        self._done[job.name] = job
        self._lost.pop(job.name, None)
        if time.monotonic() - self._drawn >= self.pages_every:
            return self.write()
        result = self._recorded()
        self._write_jobs(result, [planned for planned in self.plan.jobs if planned.name == job.name])
        return result

    def done(self, planned: Job) -> JobResult | None:
        """Return the result of a job, if it has one."""
        return self._done.get(planned.name)

    def go_on(self, earlier: RunResult) -> None:
        """Take over what an earlier call came to in the folder of the run: its jobs, its beginning, and its notes."""
        self._done = {job.name: job for job in earlier.jobs}
        self._started = datetime.datetime.fromisoformat(earlier.started)
        self._clock -= earlier.seconds
        self.notes += earlier.remarks

    def lose(self, planned: Job, error: PipelineError) -> None:
        """Note that a job has no result, and why: it is missing, and nothing is green without it."""
        self._done.pop(planned.name, None)
        log = f" (log: {error.log})" if error.log else ""
        self._lost[planned.name] = f"{planned.name}: {error}{log}"

    def write(self) -> RunResult:
        """Write what people and CI servers read; a job's files have names that ``**/junit*.xml`` does not catch."""
        # Judged anew each time, all of it: what a later try changes must not stand in one file and not in the other.
        result = self._recorded()
        disk.write_atomic(result.directory / rundir.JUNIT, junit.render(result))
        disk.write_atomic(result.directory / rundir.SUMMARY, markdown.render(result))
        disk.write_atomic(result.directory / rundir.PAGE, html.render(result))
        self._write_jobs(result, self.plan.jobs)
        self._drawn = time.monotonic()
        return result

    def _recorded(self) -> RunResult:
        """Write down what the run comes to so far, for whoever goes on with it."""
        result = self.result()
        result = replace(result, evidence=self._evidence.collect(result))
        disk.write_atomic(result.directory / rundir.RESULT, result_json.dump(result))
        return result

    def _write_jobs(self, result: RunResult, jobs: Sequence[Job]) -> None:
        """Write the files of jobs that are done."""
        for planned in jobs:
            if done := self._done.get(planned.name):
                text = junit.render_job(done, job_record.expected(planned, done.products.kernel), planned.expect)
                disk.write_atomic(done.directory / rundir.JOB_JUNIT, text)
                if by_hand := unattended.script(result, done, rundir.REPRODUCE):
                    script = done.directory / rundir.REPRODUCE
                    disk.write_atomic(script, by_hand)
                    script.chmod(0o755)
                _keep_config(done)

    @property
    def is_red(self) -> bool:
        """Whether the run is red so far: nothing that is still to come makes it green."""
        return self.result().verdict is Verdict.FAIL

    def result(self) -> RunResult:
        """Return what the run comes to: jobs that are not done are missing, and nothing is green without them."""
        done = self._done
        series = tuple(
            of_pair(done[pair.base.name], done[pair.patched.name], pair)
            for pair in self.plan.pairs
            if pair.base.name in done and pair.patched.name in done
        )
        alone = [done[single.name].verdict for single in self.plan.singles if single.name in done]
        planned = [job.name for job in self.plan.jobs if job.name not in self.excused]
        missing = tuple(name for name in planned if name not in done)
        judged = [check.verdict for check in self.checks] + [s.verdict for s in series] + alone + self.verdicts
        total = verdict.fold(judged + [Verdict.INFRA for _ in (*missing, *self.pending)])
        return RunResult(
            run=self.workspace.directory.name,
            mode=self.plan.label,
            directory=self.workspace.directory,
            started=self._started.isoformat(timespec="seconds"),
            seconds=time.monotonic() - self._clock,
            jobs=tuple(done[planned.name] for planned in self.plan.jobs if planned.name in done),
            series=series,
            verdict=total,
            exit_code=Exit.INTERRUPTED if self.interrupted else total.exit_code,
            notes=(*self.notes, *self._findings(series, missing)),
            checks=tuple(self.checks),
            missing=missing,
            remarks=tuple(self.notes),
        )

    def _findings(self, series: Sequence[SeriesResult], missing: Sequence[str]) -> Iterator[str]:
        """Yield what the result shows besides the notes that were taken while the jobs ran."""
        yield from self._lost.values()
        for judged in series:
            yield from _unlike(judged)
        for job in self._done.values():
            yield from (f"{job.name}: pollution: {seen.test} is {seen.words}" for seen in job.alone if seen.polluted)
        yield from _noted(self._done.values())
        yield from (f"did not run: {name}" for name in missing)
        yield from (f"did not come to its end: {step}" for step in self.pending)


def of_pair(base: JobResult, patched: JobResult, pair: Pair) -> SeriesResult:
    """Judge a pair by what the base's kernel has the symbols for: no series excuses itself by switching one off."""
    promised = job_record.expected(pair.patched, base.products.kernel)
    return series_verdict.judge(base, patched, promised, pair.base.expect, pair.patched.expect)


def _noted(jobs: Iterable[JobResult]) -> Iterator[str]:
    """Yield what jobs noted, each text once: what went wrong with evidence above all.

    What is noted of their trees stands with the jobs alone: each job of a series has the same.
    """
    noted = wording.together(
        (" ".join(note.split()), job.name)
        for job in jobs
        for note in dict.fromkeys(job.notes)
        if not (job.products.tree and note in job.products.tree.notes)
    )
    yield from (f"{wording.some(names, 3)}: {note}" for note, names in noted[:_MOST_NOTES])
    if len(noted) > _MOST_NOTES:
        yield f"jobs noted {len(noted) - _MOST_NOTES} things more: see the page"


def _unlike(judged: SeriesResult) -> Iterator[str]:
    """Say where base and patched were not tested alike: what the series is charged with may be the host's."""
    one, other = judged.base.identity, judged.patched.identity
    if one and other and (differing := comparison.unlike(one, other)):
        yield f"{judged.base.name} and {judged.patched.name} were not tested alike: {', '.join(differing)}"


def _keep_config(done: JobResult) -> None:
    """Copy the .config of a job's kernel beside its results: the cache may be emptied."""
    kernel, copy = done.products.kernel, done.directory / rundir.CONFIG
    if kernel and not copy.exists():
        disk.write_atomic(copy, kernel.config.read_bytes())
