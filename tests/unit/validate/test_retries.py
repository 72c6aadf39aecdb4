"""Which tests run again: those that differ, and were not expected to."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.model import JobResult, Status, SuiteRun, TestResult, Verdict
from orchestrator.validate import retries
from orchestrator.verdict import series_verdict
from tests.fakes import results as fixture


def test_what_differs_runs_again_unless_it_was_promised() -> None:
    base, patched = fixture.pair("plain")
    judged = series_verdict.judge(base, patched, fixture.EXPECTED, "stock", "patched")
    assert retries.differing(judged) == {"uffd": ("fixed", "worse")}, (
        "promised is promised; known and same do not differ"
    )


def of_tries(job: JobResult, *statuses: Status) -> JobResult:
    tests = (TestResult("chance", statuses[-1]), TestResult("works", Status.PASS))
    return replace(job, suites=(SuiteRun("uffd", tests, (), 1.0, retried=(("chance", statuses[:-1]),)),), splats=())


def test_a_red_test_that_the_base_then_fails_by_chance_runs_on_until_its_tries_decide() -> None:
    """After its first retry it is not charged: without another, each regression had a chance to be acquitted there."""
    base, patched = fixture.pair("plain")
    twice = of_tries(base, Status.PASS, Status.FAIL), of_tries(patched, Status.FAIL, Status.FAIL)
    judged = series_verdict.judge(*twice)
    assert judged.verdict is not Verdict.FAIL and retries.differing(judged) == {"uffd": ("chance",)}
    thrice = of_tries(base, Status.PASS, Status.FAIL, Status.FAIL), of_tries(patched, *[Status.FAIL] * 3)
    judged = series_verdict.judge(*thrice)
    assert judged.verdict is not Verdict.FAIL and not retries.differing(judged)


def test_a_failure_of_which_the_base_has_no_result_runs_again_on_both() -> None:
    base, patched = fixture.pair("plain")
    judged = series_verdict.judge(of_tries(base, Status.MISSING), of_tries(patched, Status.FAIL))
    assert judged.verdict is Verdict.INFRA and retries.differing(judged) == {"uffd": ("chance",)}
