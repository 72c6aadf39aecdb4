"""How the mutants of a series are tried: the order of the tests, and what they showed on the whole series."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.coverage import measure
from orchestrator.engine.task import Place
from orchestrator.errors import InfraError, KernelError
from orchestrator.host import disk
from orchestrator.host.cache import digest
from orchestrator.model import Bootable, JobResult, Tree, rundir
from orchestrator.model.expectations import NONE, Expectations
from orchestrator.model.trial import Trial
from orchestrator.mutation import judge, mutants, reach
from orchestrator.mutation.judge import Finding
from orchestrator.mutation.mutants import Mutant
from orchestrator.mutation.reach import Known, Reached
from orchestrator.mutation.report import NO_TEST, Baseline, Outcome
from orchestrator.pipeline import booting, job, suite_requests
from orchestrator.pipeline.context import Workspace
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.job_record import expected as promised
from orchestrator.pipeline.values import Job

MOST_FAILURES = 12
"""Tests that differ on one mutant before its trial ends, where all tests are asked for."""
_SHORTEST, _PATIENCE = 5.0, 4.0
"""Seconds that a test may take at least, and how many times what it took on the whole series."""


@dataclass(frozen=True)
class Round:
    """Tests (globs) that are tried together, and what they are called."""

    name: str
    globs: tuple[str, ...]


@dataclass(frozen=True)
class Campaign:
    """How mutants are tried: the job with the whole series, the order of its tests, and what the whole showed.

    ``image`` is the digest of its kernel, built as those of mutants are. ``known`` is what the whole was seen to run,
    if that could be seen.
    """

    job: Job
    trial: Trial
    baseline: Baseline
    image: str
    known: Known | None = None
    rounds: tuple[Round, ...] = ()

    def asking(self, *rounds: Round, every_test: bool) -> Campaign:
        """Return the campaign with the tests in this order, all of them or up to the first that notices."""
        globs = tuple(one.globs for one in rounds)
        trial = replace(self.trial, rounds=globs, every_test=every_test, most=MOST_FAILURES if every_test else None)
        return replace(self, trial=trial, rounds=rounds)

    def expectation(self, by: Sequence[str]) -> str:
        """Return a digest of what is expected of the tests that noticed a mutant, or of all where none did."""
        return expectation_key(by or self.baseline.fails_on, self.trial.expected, self.job.expect)

    def reached(self, mutant: Mutant) -> Reached:
        """Return which tests run the lines of a mutant, as far as that is known."""
        return self.known.of(mutant.hunks) if self.known else reach.UNKNOWN


@dataclass(frozen=True)
class Preparation:
    """The run of the whole series as its mutants will be tried, unless ``known`` was measured so already."""

    job: Job
    budget: float
    late: tuple[str, ...]
    known: Baseline | None

    def __call__(self, place: Place) -> Campaign:
        """Do it. Raises as ``prepare``."""
        with place.guest(self.job):
            return prepare(self.job, self.budget, self.late, self.known, place.workspace)


def prepare(whole: Job, budget: float, late: tuple[str, ...], known: Baseline | None, workspace: Workspace) -> Campaign:
    """Run the whole series as its mutants will be, unless ``known`` is of this kernel, these tests and this budget.

    Nor is it believed where something else was expected of its tests.
    Raises KernelError where the series does not apply, build, boot or run its tests, InfraError where the host failed.
    """
    limit = whole.suites[0][1].test_timeout
    trial = Trial((whole.tests,), limit, budget, late, ignored=("*",), every_test=True)
    planned = replace(whole, name=f"{whole.name}.whole", trial=trial)
    record = JobRecord(planned, workspace)
    rootfs, kernel = job.make(record, job.packed), job.make(record, job.built)
    expected = promised(planned, kernel)
    place = workspace.cache.path("coverage", f"{coverage_key(kernel.sha256, rootfs.sha256)}.json")
    wanted = functools.partial(expectation_key, expected=expected, column=planned.expect)
    if known and known.is_of(kernel.sha256, rootfs.sha256, budget, wanted(known.fails_on)):
        base = known
    else:
        bootable = job.make(record, job.tested)
        result = record.save()
        _keep_coverage(result, place)
        finding = judge.judge(result, expected, planned.expect, ())
        measured = _measured(result, bootable, finding, expected, workspace)
        base = replace(measured, budget=budget, expected=wanted(measured.fails_on))
    tree = job.make(record, job.patched)
    as_mutants_are = job.make(JobRecord(mutants.beside(whole, f"{planned.name}.lean"), workspace), job.built)
    base = replace(base, build=digest(as_mutants_are.toolchain, as_mutants_are.config))
    return Campaign(whole, held_against(trial, base, expected), base, as_mutants_are.sha256, _known(tree, place))


def held_against(trial: Trial, base: Baseline, expected: Mapping[str, Expectations]) -> Trial:
    """Return the trial of a mutant: with the limits of its tests, and without what the whole series shows as well."""
    # globs name tests alone: what is wrong with a program is compared as a text
    ignored = tuple(name if name.startswith(NO_TEST) else suite_requests.only(name) for name in base.ignored)
    return replace(trial, limits=limits(base, trial.limit), ignored=ignored, expected=expected)


def limits(base: Baseline, most: float) -> dict[str, float]:
    """Return the seconds that tests may take on a mutant, before they are scaled: a hang is waited for often.

    They are of few sizes, each twice the one before: tests of one limit run in one command.
    """
    sizes = [size for step in range(32) if (size := _SHORTEST * 2**step) < most * base.scale]
    own = {
        test: next((size for size in sizes if size >= _PATIENCE * seconds), None)
        for test, seconds in base.seconds.items()
    }
    return {test: size / base.scale for test, size in own.items() if size}


def coverage_key(kernel: str, rootfs: str) -> str:
    """Return the name of what this kernel was seen to run with these tests; both are digests."""
    return digest(measure.RECIPE, kernel, rootfs)


def expectation_key(tests: Iterable[str], expected: Mapping[str, Expectations], column: str | None) -> str:
    """Return a digest of what is expected of these tests; why it is, and what is of other tests, does not count."""
    return digest(
        *(
            repr((suite, test, wanted.of(test, column), wanted.judged(test, column), wanted.broken_on(test)))
            for suite, wanted in sorted(expected.items())
            for test in sorted(tests)
        )
    )


def _keep_coverage(result: JobResult, place: Path) -> None:
    """Keep what the whole series ran: a campaign goes on later, and the run is gone by then."""
    with contextlib.suppress(OSError, InfraError):
        disk.write_atomic(place, (result.directory / rundir.COVERAGE).read_bytes())


def _known(tree: Tree, place: Path) -> Known | None:
    coverage = measure.load(place)
    return Known.read(tree, coverage) if coverage and not coverage.by_guest else None


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
    unlike = set(finding.by)
    return Baseline(
        kernel=bootable.kernel.sha256,
        suite=bootable.rootfs.sha256,
        fails_on={
            test.name: expected.get(run.suite, NONE).broken_on(test.name) for run in result.suites for test in run.tests
        },
        seconds={test.name: test.seconds for test in tests if test.seconds is not None and test.name not in unlike},
        scale=booting.scale(bootable.accel, workspace),
        ignored=tuple(dict.fromkeys((*finding.by, *judge.problems(result)))),
    )
