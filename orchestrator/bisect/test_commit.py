"""One step: jobs are run on a commit until its term is known."""

from __future__ import annotations

import contextlib
import functools
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from orchestrator.bisect import judge, observe
from orchestrator.bisect.judge import Judged, Rule
from orchestrator.bisect.symptom import Observation, Sight, Why
from orchestrator.bisect.values import Role, State, Step
from orchestrator.errors import InfraError, UserError
from orchestrator.model import JobResult, Kernel, Stage, Symptom, SymptomKind, Verdict, rundir
from orchestrator.pipeline import job as jobs
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.values import Job
from orchestrator.progress import Detail, Progress
from orchestrator.report import result_json
from orchestrator.verdict import cases


@dataclass(frozen=True)
class Target:
    """What a step tests. ``label`` is how the commit is called, ``role`` what the step is for."""

    role: Role
    commit: str
    label: str
    job: Job


def run(target: Target, state: State, rule: Rule, workspace: Workspace, meanwhile: Callable[[], None]) -> Step:
    """Return the step that a target comes to. ``meanwhile`` is called once its kernel is there, before a guest boots.

    A kernel that an earlier step has run is not run again, but to verify. Raises InfraError where the host failed
    twice, and UserError on an end; elsewhere what an end could be asked and this commit cannot makes a skip.
    """
    started = time.monotonic()
    name = f"{len(state.steps) + 1:02}-{target.commit[:12]}"
    work = _Work(workspace, state.request.symptom, name, _with_symptom(state, workspace))
    step = Step(len(state.steps) + 1, target.role, target.commit, target.label)
    try:
        step = _taken(step, target, state, rule, work, meanwhile)
    except UserError as error:
        if target.role in {Role.BAD_END, Role.GOOD_END}:
            raise
        step = replace(step, reason=str(error), why=Why.UNFIT)
    return replace(step, observations=tuple(work.tries), jobs=tuple(work.folders), seconds=time.monotonic() - started)


def _with_symptom(state: State, workspace: Workspace) -> JobResult | None:
    """Return a job of an end that names the test that is chased; None where there is none (yet).

    A bad end that skips the whole program names no case of it.
    """
    for folder in (folder for end in state.ends if end for folder in end.jobs):
        with contextlib.suppress(UserError):  # a folder that somebody has pruned: then names are all there is
            result = result_json.read_job(workspace.directory / rundir.JOBS / folder / rundir.RESULT)
            if observe.names(state.request.symptom, result):
                return result
    return None


def _taken(step: Step, target: Target, state: State, rule: Rule, work: _Work, meanwhile: Callable[[], None]) -> Step:
    built = work.build(target.job)
    step = _with_kernel(step, target, built.products.kernel, state)
    if step.same_as is not None:
        return step
    if _stopped(built) or observe.until(work.chased) is Stage.BUILD:
        work.tries += work.observed(built)
    else:
        meanwhile()
    return _judged(step, work.decide(target.job, rule))


def _with_kernel(step: Step, target: Target, kernel: Kernel | None, state: State) -> Step:
    """Return the step with its kernel, and with its answer where that kernel was run before."""
    ran = kernel.sha256 if kernel and kernel.modules is None and _same_programs(target.job) else ""
    step = replace(step, kernel=ran)
    twin = next((s for s in state.steps if ran and s.kernel == ran and s.same_as is None), None)
    if twin is None or target.role is not Role.SEARCH:
        return step
    reason = f"the same kernel as step {twin.number}"
    return replace(step, same_as=twin.number, term=twin.term, reason=reason, why=twin.why, sure=twin.sure)


def _same_programs(job: Job) -> bool:
    """Whether the test programs are the same at every step: not built from the tree under test."""
    return all(suite.kind != "tree" or suite.tree is not None for _, suite in job.suites)


def _judged(step: Step, judged: Judged) -> Step:
    return replace(step, term=judged.term, reason=judged.reason, why=judged.why, count=judged.count, sure=judged.sure)


@dataclass(frozen=True)
class _Quiet:
    """Progress without the details of a job's stages: a step is one line."""

    progress: Progress

    def note(self, text: str) -> None:
        if not isinstance(text, Detail):
            self.progress.note(text)

    def advance(self, what: str, done: float, total: float | None, left: float | None = None) -> None:
        self.progress.advance(what, done, total, left)


@dataclass
class _Work:
    """The jobs of one step. Their folders are ``name``, ``name.2`` and so on; those of a killed one are dropped.

    ``like`` is a job in which the test that is chased has the name that it is chased by.
    """

    workspace: Workspace
    chased: Symptom
    name: str
    like: JobResult | None = None
    tries: list[Observation] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    unused: bool = False
    """Whether the last folder has a build, and no guest yet."""

    def __post_init__(self) -> None:
        jobs_folder = self.workspace.directory / "jobs"
        for left in (jobs_folder / self.name, *jobs_folder.glob(f"{self.name}.*")):
            shutil.rmtree(left, ignore_errors=True)

    def build(self, job: Job) -> JobResult:
        """Build the kernel of a job; where the host fails, once more. Raises InfraError."""
        result = self._tried(job, Stage.BUILD, _host_fault)
        self.unused = True
        return result

    def decide(self, job: Job, rule: Rule) -> Judged:
        """Run a job until the rule is content; where the host fails, once more. Raises InfraError."""
        while (judged := self._judge(rule)) is None:
            repeat = self._repeats(job, rule)
            host_fault = functools.partial(self._infra, repeat=repeat)
            result = self._tried(replace(job, repeat=repeat), observe.until(self.chased), host_fault)
            self.tries += self.observed(result, repeat)
        return judged

    def observed(self, result: JobResult, repeat: int = 1) -> tuple[Observation, ...]:
        """Return what a job showed. A case whose text tells what came of it is known by the number of its line.

        Raises UserError where it has several tests of that name: their runs are not those of one.
        """
        if len(suites := observe.suites(self.chased, result)) > 1:
            raise UserError(f"{self.chased} is a test of several suites, {', '.join(suites)}: name one with --suite")
        if self.like is None and observe.names(self.chased, result):
            self.like = result
        return observe.observations(self.chased, cases.job_named_as(result, self.like or result), repeat)

    def _judge(self, rule: Rule) -> Judged | None:
        if rule.odds is None and self.tries and len(self.folders) >= rule.guests:
            rule = replace(rule, runs=min(rule.runs, len(self.tries)), most=min(rule.most, len(self.tries)))
        return judge.judge(self.tries, rule) if self.tries else None

    def _repeats(self, job: Job, rule: Rule) -> int:
        """Return how many runs the next guest makes: one of programs of a tree, which may leave something."""
        if self.chased.kind is not SymptomKind.TEST or any(suite.kind == "tree" for _, suite in job.suites):
            return 1
        return max(1, rule.runs - len(self.tries) % max(1, rule.runs))

    def _infra(self, result: JobResult, repeat: int) -> str:
        seen = self.observed(result, repeat)
        return next((one.how or "no reason" for one in seen if one.sight is Sight.INFRA), "")

    def _tried(self, job: Job, until: Stage, fault_of: Callable[[JobResult], str]) -> JobResult:
        result = self._run(job, until)
        if fault := fault_of(result):
            self.workspace.progress.note(f"{self.name}: the host failed, once more: {fault}")
            result = self._run(job, until)
            if fault := fault_of(result):
                raise InfraError(fault)
        return result

    def _run(self, job: Job, until: Stage) -> JobResult:
        if not self.unused:
            more = f".{len(self.folders) + 1}" if self.folders else ""
            self.folders.append(self.name + more)
        self.unused = False
        name = self.folders[-1]
        quiet = replace(self.workspace, progress=_Quiet(self.workspace.progress))
        return jobs.run(replace(job, name=name), quiet, until)


def _stopped(result: JobResult) -> bool:
    return any(stage.verdict is not Verdict.PASS for stage in result.stages)


def _host_fault(result: JobResult) -> str:
    return next((s.message or "no reason" for s in result.stages if s.verdict is Verdict.INFRA), "")
