"""One mutant of a series taken out: built, booted, and tried for a test that notices."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator import suite
from orchestrator.engine.task import Place
from orchestrator.errors import KernelError, UserError
from orchestrator.model import Bootable, JobResult, Stage, Verdict, rundir
from orchestrator.model.expectations import NONE, Expectations
from orchestrator.model.plan import Job, Trial
from orchestrator.mutation import mutants, report
from orchestrator.mutation.hunks import Hunk
from orchestrator.mutation.mutants import Mutant
from orchestrator.mutation.report import Baseline, Entry, Finding, Outcome
from orchestrator.pipeline import booting, job
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.job_record import expected as promised

PLACE = "mutant"
"""The work tree of kernels that lack a mutant: from one to the next only what differs is built."""
_SHORTEST, _PATIENCE = 10.0, 3.0
"""Seconds that a test may take at least, and how many times what the slowest good test of the whole series took."""


@dataclass(frozen=True)
class Campaign:
    """How mutants are tried: the job with the whole series, the order of its tests, and what the whole showed."""

    job: Job
    trial: Trial
    baseline: Baseline

    def asking(self, *rounds: tuple[str, ...], every_test: bool) -> Campaign:
        """Return the campaign with the tests in this order, all of them or up to the first that notices."""
        return replace(self, trial=replace(self.trial, rounds=rounds, every_test=every_test))


@dataclass(frozen=True)
class Preparation:
    """The run of the whole series as its mutants will be tried, unless ``known`` is of this kernel and these tests."""

    job: Job
    budget: float
    late: tuple[str, ...]
    known: Baseline | None

    def __call__(self, place: Place) -> Campaign:
        """Do it. Raises as ``prepare``."""
        with place.guest(self.job):
            return prepare(self.job, self.budget, self.late, self.known, place.workspace)


@dataclass(frozen=True)
class Attempt:
    """The trial of one mutant."""

    mutant: Mutant
    campaign: Campaign

    def __call__(self, place: Place) -> Entry | None:
        """Do it; None where the host failed."""
        with place.guest(self.campaign.job):
            return entry(self.mutant, self.campaign, place.workspace)


def prepare(whole: Job, budget: float, late: tuple[str, ...], known: Baseline | None, workspace: Workspace) -> Campaign:
    """Run the whole series as its mutants will be, unless ``known`` is of this kernel and these tests.

    Raises KernelError where the series does not apply, build, boot or run its tests, InfraError where the host failed.
    """
    limit = whole.suites[0][1].test_timeout
    trial = Trial((whole.tests,), limit, budget, late, ignored=("*",), every_test=True)
    planned = replace(whole, name=f"{whole.name}.whole", trial=trial)
    record = JobRecord(planned, workspace)
    rootfs, kernel = job.make(record, job.packed), job.make(record, job.built)
    expected = promised(planned, kernel)
    if known and (known.kernel, known.suite) == (kernel.sha256, rootfs.sha256):
        base = known
    else:
        bootable = job.make(record, job.tested)
        result = record.save()
        base = _measured(result, bootable, report.judge(result, expected, planned.expect, ()), expected, workspace)
    limit = min(limit, max(_SHORTEST, _PATIENCE * base.slowest) / base.scale)
    return Campaign(whole, replace(trial, limit=limit, ignored=base.ignored, expected=expected), base)


def _measured(
    result: JobResult,
    bootable: Bootable,
    finding: Finding | None,
    expected: Mapping[str, Expectations],
    workspace: Workspace,
) -> Baseline:
    """Return what a run of the whole series says of the tests."""
    tests = [test for run in result.suites for test in run.tests]
    if not tests or finding is None or (finding.certain and finding.outcome is not Outcome.SURVIVED):
        raise KernelError(f"the whole series is not well: {result.reason}", log=result.directory / rundir.RESULT)
    return Baseline(
        kernel=bootable.kernel.sha256,
        suite=bootable.rootfs.sha256,
        fails_on={
            test.name: expected.get(run.suite, NONE).broken_on(test.name) for run in result.suites for test in run.tests
        },
        slowest=max((test.seconds or 0.0 for test in tests if test.name not in finding.by), default=0.0),
        scale=booting.scale(bootable.accel, workspace),
        ignored=finding.by,
    )


def entry(mutant: Mutant, campaign: Campaign, workspace: Workspace) -> Entry | None:
    """Take a mutant out and trial for a test that notices; None where the host failed, for then nothing is known."""
    started = time.monotonic()
    out = _what_comes_out(mutant, campaign, workspace)
    finding = _tried(_job_without(mutant, out, campaign, workspace), campaign, workspace)
    if finding is None:
        return None
    return Entry(
        key=mutant.key,
        name=mutant.name,
        identity=mutant.identity,
        where=mutant.hunks[0].subject if mutant.whole else mutant.hunks[0].function,
        outcome=finding.outcome,
        by=finding.by,
        detail=finding.detail or _unheard(mutant, campaign.baseline),
        tests=finding.tests,
        seconds=round(time.monotonic() - started, 1),
        suite=campaign.baseline.suite,
        doubtful=finding.doubtful,
        every_test=campaign.trial.every_test,
        kept=tuple(hunk.name for hunk in mutant.hunks if hunk not in out),
    )


def _unheard(mutant: Mutant, baseline: Baseline) -> str:
    """Name those of the tests that must notice a fault, and could not. Pure."""
    unheard = suite.pick(baseline.ignored, mutant.tests) if mutant.tests else ()
    return f"not as expected with the whole series either: {', '.join(unheard)}" if unheard else ""


def _tried(planned: Job, campaign: Campaign, workspace: Workspace) -> Finding | None:
    """Build a kernel, and test it unless it is the kernel of the whole series; None where the host failed."""
    record = JobRecord(planned, workspace)
    try:
        built = job.go_on(record, Stage.BUILD)
    except UserError as error:  # the tree without the mutant does not know a symbol that the variant asks for
        return Finding(Outcome.NOT_BUILT, (), str(error))
    if built.products.kernel and built.products.kernel.sha256 == campaign.baseline.kernel:
        return Finding(Outcome.EQUIVALENT, (), f"the variant {planned.variant} does not build this code")
    trial = campaign.trial
    result = job.go_on(record)
    finding = report.judge(result, trial.expected, planned.expect, trial.ignored)
    tests = finding.failing if finding else ()
    if tests and trial.every_test:  # else the trial itself has asked the one that ended it again
        result = job.again(record, {run.suite: tests for run in result.suites})
        finding = report.judge(result, trial.expected, planned.expect, trial.ignored)
    if finding is None:
        workspace.progress.note(f"{planned.name}: the host failed, and nothing is known: {result.reason}")
    return finding


def _job_without(mutant: Mutant, out: Sequence[Hunk], campaign: Campaign, workspace: Workspace) -> Job:
    carry = mutants.write(out, _folder(mutant, workspace) / f"{len(out)}-hunks")
    return mutants.without(campaign.job, mutant, carry, campaign.trial, PLACE)


def _folder(mutant: Mutant, workspace: Workspace) -> Path:
    return workspace.directory / "hunks" / mutant.name.replace("/", "-")


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
    tried = _job_without(mutant, out, campaign, workspace)
    return job.run(tried, workspace, until=Stage.SERIES).stages[-1].verdict is Verdict.PASS
