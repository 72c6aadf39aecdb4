"""The first test that a series is charged with, seen while its suite runs."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.model import JobResult, TestResult, Verdict
from orchestrator.model.expectations import NONE
from orchestrator.pipeline import job_record
from orchestrator.pipeline.values import Pair
from orchestrator.verdict import transitions
from orchestrator.verdict.outcome import ABSENT, outcome, outcomes


def of(pair: Pair, base: JobResult) -> Callable[[str, TestResult], bool]:
    """Return what says of a test of the patched kernel, by its suite, whether it is charged to the series."""
    promised = job_record.expected(pair.patched, base.products.kernel)
    before = {(run.suite, test): shown for run in base.suites for test, shown in outcomes(run).items()}

    def is_red(suite: str, test: TestResult) -> bool:
        change = transitions.judge(
            test.name,
            before.get((suite, test.name), ABSENT),
            outcome(test.status),
            promised.get(suite, NONE),
            pair.base.expect,
            pair.patched.expect,
            suite,
        )
        return change.verdict is Verdict.FAIL

    return is_red
