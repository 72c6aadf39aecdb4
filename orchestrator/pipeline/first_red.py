"""The first test that makes a run red, seen while its suite runs."""

from __future__ import annotations

import functools
from collections.abc import Callable

from orchestrator.model import JobResult, TestResult, Verdict
from orchestrator.model.expectations import NONE, Expectations
from orchestrator.pipeline import job_record
from orchestrator.pipeline.job_record import JobRecord
from orchestrator.pipeline.values import Job, Pair
from orchestrator.verdict import cases, transitions, verdict
from orchestrator.verdict.outcome import outcome


def words(job: Job) -> str:
    """Return what a run says that ends with this job."""
    return f"--stop-at-first: the run is red with {job.name}"


def of_series(pair: Pair, base: JobResult) -> Callable[[str, TestResult], bool]:
    """Return what says of a test of the patched kernel, by its suite, whether it is charged to the series."""
    promised = job_record.expected(pair.patched, base.products.kernel)
    shown, runs = transitions.shown_on(base), {run.suite: run for run in base.suites}

    def is_red(suite: str, test: TestResult) -> bool:
        change = transitions.judge(
            test.name,
            shown(suite, cases.name_in(runs[suite], test) if suite in runs else test.name),
            outcome(test.status),
            promised.get(suite, NONE),
            pair.base.expect,
            pair.patched.expect,
            suite,
        )
        return change.verdict is Verdict.FAIL

    return is_red


def of_job(record: JobRecord) -> Callable[[str, TestResult], bool]:
    """Return what says of a test of a job that stands alone, by its suite, whether it is not what it should be.

    Asked only while a suite of the job runs: its kernel is known by then.
    """

    @functools.cache
    def promised() -> dict[str, Expectations]:
        return job_record.expected(record.job, record.products.kernel)

    def is_red(suite: str, test: TestResult) -> bool:
        return bool(verdict.unexpected(test, promised().get(suite, NONE), record.job.expect))

    return is_red
