"""The tests that made a run red. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model import JobResult, RunResult, SeriesResult, TestResult, Verdict


def tests(run: RunResult) -> Iterator[tuple[JobResult, str, TestResult]]:
    """Yield what is charged, with its job and suite: to the series, or to a job that stands alone what broke in it.

    What is expected to be broken is charged to nobody.
    """
    for series in run.series:
        names = {(t.suite, t.test) for t in series.transitions if t.verdict is Verdict.FAIL}
        yield from _named(series.patched, names)
    for job in run.single_jobs:
        broken = {(suite.suite, test.name) for suite in job.suites for test in suite.tests if test.status.broken}
        charged = broken if job.unexpected is None else broken & set(job.unexpected)
        yield from _named(job, charged if job.verdict is Verdict.FAIL else set())


def of_job(run: RunResult, name: str) -> list[TestResult]:
    """Return the tests of one job, by its name, that made a run red."""
    return [test for job, _, test in tests(run) if job.name == name]


def by_suite(run: RunResult, name: str) -> dict[str, list[TestResult]]:
    """Return what is charged of one job, by suite."""
    red: dict[str, list[TestResult]] = {}
    for job, suite, test in tests(run):
        if job.name == name:
            red.setdefault(suite, []).append(test)
    return red


def of_series(series: SeriesResult) -> dict[str, list[TestResult]]:
    """Return what is charged to a series, by suite."""
    names = {(t.suite, t.test) for t in series.transitions if t.verdict is Verdict.FAIL}
    red: dict[str, list[TestResult]] = {}
    for _, suite, test in _named(series.patched, names):
        red.setdefault(suite, []).append(test)
    return red


def _named(job: JobResult, wanted: set[tuple[str, str]]) -> Iterator[tuple[JobResult, str, TestResult]]:
    for suite in job.suites:
        yield from ((job, suite.suite, test) for test in suite.tests if (suite.suite, test.name) in wanted)
