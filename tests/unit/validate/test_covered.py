from dataclasses import replace
from typing import Any

import pytest

from orchestrator.model import JobResult, Side, Stage, StageResult, Status, SuiteRun, TestResult, Verdict
from orchestrator.model.coverage import Coverage
from orchestrator.validate import covered
from tests.fakes import results


def patched(coverage: Coverage | None = None, no_coverage: str = "", **changes: Any) -> JobResult:
    return results.job(Side.PATCHED, (), coverage=coverage, no_coverage=no_coverage, **changes)


COVERAGE = Coverage(changed=10, code=4, ran=3, missed=("mm/a.c:4: f();",))


@pytest.mark.parametrize(
    ("at_least", "verdict"), [(None, Verdict.PASS), (75.0, Verdict.PASS), (75.1, Verdict.FAIL), (100.0, Verdict.FAIL)]
)
def test_lines_that_did_not_run_are_a_remark_or_red_below_what_is_wanted(
    at_least: float | None, verdict: Verdict
) -> None:
    check = covered.judge(patched(COVERAGE), at_least)
    assert check is not None
    assert check.verdict is verdict and check.details == ("mm/a.c:4: f();",)
    assert check.message.startswith("4 of 10 changed lines have code, 3 ran, 1 did not")
    assert ("% are wanted" in check.message) == (verdict is Verdict.FAIL)


def test_a_share_that_is_not_reached_is_not_known_where_what_a_guest_ran_is_lost() -> None:
    check = covered.judge(patched(replace(COVERAGE, unread=2)), 80.0)
    assert (
        check is not None and check.verdict is Verdict.INFRA and "; what 2 of its guests ran is lost" in check.message
    )
    reached = covered.judge(patched(replace(COVERAGE, unread=2)), 75.0)
    assert reached is not None and reached.verdict is Verdict.PASS, "what else ran can only be more"


def test_a_share_is_not_rounded_up_to_what_is_wanted() -> None:
    check = covered.judge(patched(Coverage(10_000, 10_000, 7_996)), 80.0)
    assert check is not None and check.message.endswith(": 79.9 %, and 80 % are wanted")


def test_a_series_without_code_has_nothing_to_reach() -> None:
    check = covered.judge(patched(Coverage(5, 0, 0)), 100.0)
    assert check is not None and check.verdict is Verdict.SKIP and "no changed line has code" in check.message


def test_a_share_that_is_wanted_and_not_known_is_no_pass_and_without_one_there_is_no_check() -> None:
    check = covered.judge(patched(no_coverage="it ran under KVM"), 80.0)
    assert check is not None and check.verdict is Verdict.INFRA
    assert check.message == "80 % are wanted, and what ran is not known: it ran under KVM"
    silent = covered.judge(patched(), 80.0)
    assert silent is not None and silent.verdict is Verdict.INFRA and silent.message.endswith("nothing was measured")
    assert covered.judge(patched(no_coverage="it ran under KVM"), None) is None


def test_lines_that_ran_in_no_test_are_a_remark() -> None:
    seen = Coverage(10, 4, 3, outside=1, missed=COVERAGE.missed, untested=("mm/a.c:9: g();",))
    check = covered.judge(patched(seen), None)
    assert check is not None and check.verdict is Verdict.PASS
    assert check.details == ("mm/a.c:4: f();", "mm/a.c:9: g(); (ran, and in no test)")


PASSED = TestResult("A01", Status.PASS)


@pytest.mark.parametrize(
    ("suites", "stage"),
    [
        ((SuiteRun("uffd", (PASSED,), (), 1.0, stopped_at="A01"),), Verdict.PASS),
        ((SuiteRun("uffd", (PASSED, TestResult("A02", Status.MISSING)), (), 1.0),), Verdict.PASS),
        ((SuiteRun("uffd", (PASSED,), (), 1.0, cut_off=("A01",)),), Verdict.PASS),
        ((SuiteRun("uffd", (PASSED,), (), 1.0),), Verdict.INFRA),
    ],
)
def test_what_a_test_that_did_not_run_would_have_run_is_not_known(suites: tuple[SuiteRun, ...], stage: Verdict) -> None:
    stages = (StageResult(Stage.SUITE, stage, 1.0),)
    job = patched(COVERAGE, suites=suites, stages=stages)
    assert job.coverage_words == f"{COVERAGE.words}; not all tests ran to their end"
    wanted = covered.judge(job, 80.0)
    assert wanted is not None and wanted.verdict is Verdict.INFRA
    assert wanted.message == f"{job.coverage_words}: 75 %, and 80 % are wanted"
    enough = covered.judge(job, 75.0)
    assert enough is not None and enough.verdict is Verdict.PASS and enough.message == job.coverage_words
