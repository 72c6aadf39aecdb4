"""One mutant: built, booted, and tried for a test that notices."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator import suite
from orchestrator.engine.task import Place
from orchestrator.errors import InfraError, UserError
from orchestrator.host import cache
from orchestrator.host.process import FOREVER, Deadline
from orchestrator.model import JobResult, Stage, TestResult, Verdict
from orchestrator.model.expectations import NONE
from orchestrator.mutation import confirm, judge, mutants, report
from orchestrator.mutation.campaign import MOST_FAILURES, Campaign, Round
from orchestrator.mutation.confirm import Bench, Benches
from orchestrator.mutation.hunks import Hunk
from orchestrator.mutation.judge import Finding
from orchestrator.mutation.mutants import Mutant
from orchestrator.mutation.reach import Reached
from orchestrator.mutation.report import Baseline, Entry, Outcome
from orchestrator.pipeline import job, suite_requests
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.values import Job
from orchestrator.verdict import verdict

MOST_DOUBTS = 4
"""Times that a mutant is tried once more because the test that noticed did not so again."""


@dataclass(frozen=True)
class NotBegun:
    """What comes of a mutant whose turn came when the time was up: it is left for the next run."""


@dataclass(frozen=True)
class Attempt:
    """The trial of one mutant, of which it is known what runs its lines. Behind ``deadline`` no turn of it begins."""

    mutant: Mutant
    campaign: Campaign
    reached: Reached
    deadline: Deadline = FOREVER

    def __call__(self, place: Place) -> Entry | NotBegun | None:
        """Do it; None where the host failed."""
        return entry(self, place)


def entry(attempt: Attempt, place: Place) -> Entry | NotBegun | None:
    """Take a mutant out and try for a test that notices; None where the host failed, for then nothing is known.

    It is built in its turn and tested in its turn: the kernel of the next mutant may be built meanwhile.
    """
    mutant, campaign, reached = attempt.mutant, attempt.campaign, attempt.reached
    with contextlib.ExitStack() as stack:
        with place.build():
            if attempt.deadline.expired:
                return NotBegun()
            started = time.monotonic()
            out = _what_comes_out(mutant, campaign, place.workspace)
            record = JobRecord(_job_without(mutant, out, campaign), place.workspace)
            stack.enter_context(_removed(record))
            finding = _built(record, campaign, reached)
            seconds = time.monotonic() - started
        if finding is None:
            with place.guest(campaign.job):
                if attempt.deadline.expired:
                    return NotBegun()
                started = time.monotonic()
                finding = _noticed(record, campaign)
                seconds += time.monotonic() - started
    if finding is None:
        return None
    return Entry(
        key=mutant.key,
        name=mutant.name,
        identity=mutant.identity,
        where=mutant.hunks[0].subject if mutant.whole else mutant.hunks[0].function,
        outcome=finding.outcome,
        by=finding.by,
        detail=finding.detail or _not_counted(mutant, campaign.baseline),
        tests=finding.tests,
        seconds=round(seconds, 1),
        suite=campaign.baseline.suite,
        doubtful=finding.doubtful,
        every_test=campaign.trial.every_test,
        kept=tuple(hunk.name for hunk in mutant.hunks if hunk not in out),
        round=finding.round,
        after=finding.after,
        noticed=finding.noticed,
        expected=campaign.expectation(finding.by),
        budget=campaign.baseline.budget,
    )


def _not_counted(mutant: Mutant, baseline: Baseline) -> str:
    """Name those of the tests that must notice a fault, and could not. Pure."""
    unable = suite.pick(baseline.ignored, mutant.tests) if mutant.tests else ()
    return f"not as expected with the whole series either: {', '.join(unable)}" if unable else ""


def _built(record: JobRecord, campaign: Campaign, reached: Reached) -> Finding | None:
    """Build a kernel; None where tests are to say what it is."""
    try:
        built = job.go_on(record, Stage.BUILD)
    except UserError as error:  # the tree without the mutant does not know a symbol that the variant asks for
        return Finding(Outcome.NOT_BUILT, (), str(error))
    kernel = built.products.kernel
    if kernel and kernel.sha256 == campaign.image and not kernel.modules:  # their code is not compared
        return Finding(Outcome.EQUIVALENT, (), f"the kernel of the variant {record.job.variant} is the same")
    if kernel and reached.never:
        return Finding(Outcome.NOT_RUN, (), "its lines have code, and none ran with the whole series")
    return None


@contextlib.contextmanager
def _removed(record: JobRecord) -> Iterator[None]:
    """Remove the kernel of a record behind the block, however that ends: it is wrong, and nobody else has it."""
    try:
        yield
    finally:
        if kernel := record.products.kernel:
            with contextlib.suppress(InfraError):
                cache.remove(kernel.image.parent)


def _noticed(record: JobRecord, campaign: Campaign) -> Finding | None:
    """Try a kernel that is built, or was not to be, until a test notices; None where the host failed.

    What a test noticed counts where it does so again, and not on the whole series; else the others go on without it.
    """
    doubtful: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()  # what a busy host may have done counts when it comes once more
    for number in range(MOST_DOUBTS + 1):
        job_now = record.job
        trial = replace(campaign.trial, ignored=(*campaign.trial.ignored, *map(suite_requests.only, doubtful)))
        if number:
            record = JobRecord(replace(job_now, name=f"{job_now.name}.{number + 1}", trial=trial), record.workspace)
        result = job.go_on(record)
        judged = functools.partial(judge.judge, result, trial.expected, job_now.expect)
        finding = judged(trial.ignored)
        if finding is None:
            record.workspace.progress.note(f"{job_now.name}: the host failed, and nothing is known: {result.reason}")
            return None
        once = tuple(name for name in judge.of_load(result, finding) if name not in seen)
        besides = judged((*trial.ignored, *once)) if set(finding.by) - set(once) else None
        doubts = _doubts(besides, record, result, campaign) if besides else ()
        doubtful, seen = (*doubtful, *doubts), (*seen, *once)
        if finding.outcome is not Outcome.KILLED or set(finding.by) - {*once, *doubts}:
            held = judged((*trial.ignored, *once, *map(suite_requests.only, doubts))) or finding
            named = tuple(dict.fromkeys((*held.doubtful, *doubtful, *(name for name in seen if name not in held.by))))
            return replace(_timed(held, result, campaign.rounds), doubtful=named)
    record.workspace.progress.note(f"{record.job.name}: nothing is known: {', '.join((*doubtful, *seen))}: each once")
    return None


def _doubts(finding: Finding, record: JobRecord, result: JobResult, campaign: Campaign) -> tuple[str, ...]:
    """Return which of the tests that noticed do not so again, or do on the whole series as well."""
    if finding.outcome is not Outcome.KILLED or finding.certain or record.products.bootable is None:
        return ()
    tests = {test.name: (run.suite, test) for run in result.suites for test in run.tests}
    noticed = [tests[name] for name in finding.failing if name in tests]
    if not noticed:
        return ()
    whole = JobRecord(replace(campaign.job, name=f"{record.job.name}.whole", trial=record.job.trial), record.workspace)
    booted = job.make(whole, job.bootable)
    with job.running(record), job.running(whole):
        mutant, other = Bench(record, record.products.bootable), Bench(whole, booted)
        benches = Benches(mutant, other, lambda name, test: bool(_difference(name, test, campaign)))
        return confirm.sifted(noticed[:MOST_FAILURES], benches, every=campaign.trial.every_test)


def _difference(name: str, test: TestResult, campaign: Campaign) -> str | None:
    """Return how a test of a suite differs from what is expected of the whole series."""
    return verdict.unexpected(test, campaign.trial.expected.get(name, NONE), campaign.job.expect)


def _timed(finding: Finding, result: JobResult, rounds: Sequence[Round]) -> Finding:
    """Return a finding with when the first test noticed: in which round, after how many tests and seconds. Pure."""
    if finding.outcome is not Outcome.KILLED or not finding.by or finding.by[0].startswith(report.PROBLEM):
        return finding
    first = finding.by[0]
    if first.startswith(report.SPLAT):
        first = next((s.test for s in result.splats if s.allowed_by is None and s.test), "")
    ran = [test for run in result.suites for test in run.tests]
    at = next((number for number, test in enumerate(ran, 1) if test.name == first), 0)
    among = next((one.name for one in rounds if suite.pick([first], one.globs)), "") if at else "boot"
    seconds = round(sum(test.seconds or 0.0 for test in ran[:at]), 3)
    return replace(finding, round=among, after=at, noticed=seconds)


def _job_without(mutant: Mutant, out: Sequence[Hunk], campaign: Campaign) -> Job:
    return mutants.without(campaign.job, mutant, mutants.on_top(mutant, out), campaign.trial)


def _what_comes_out(mutant: Mutant, campaign: Campaign, workspace: Workspace) -> tuple[Hunk, ...]:
    """Return the hunks of a mutant that come out together; of a whole patch some may be held by later patches."""
    out: tuple[Hunk, ...] = ()
    if not mutant.whole or _comes_out(mutant, mutant.hunks, campaign, workspace):
        return mutant.hunks
    for hunk in reversed(mutant.hunks):
        if _comes_out(mutant, (hunk, *out), campaign, workspace):
            out = (hunk, *out)
    return out or mutant.hunks


def _comes_out(mutant: Mutant, out: tuple[Hunk, ...], campaign: Campaign, workspace: Workspace) -> bool:
    tried = _job_without(mutant, out, campaign)
    return job.run(tried, workspace, until=Stage.SERIES).stages[-1].verdict is Verdict.PASS
