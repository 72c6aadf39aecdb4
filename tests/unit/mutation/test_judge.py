"""Judging a kernel that lacks a part of the series."""

from __future__ import annotations

import dataclasses

import pytest

from orchestrator.model import JobResult, Side, Splat, Stage, StageResult, Status, SuiteRun, TestResult, Verdict
from orchestrator.mutation import judge
from orchestrator.mutation.judge import Finding
from orchestrator.mutation.report import Outcome
from tests.fakes import results as fixture

GOOD = TestResult("promised", Status.PASS)
BAD = TestResult("promised", Status.FAIL)
WARNING = Splat("warning", "WARNING in x", 1, 2, "", False, "promised")


def lacking(*tests: TestResult, **changes: object) -> JobResult:
    return fixture.job(Side.PATCHED, tests, **changes)


def judged(result: JobResult, *ignored: str) -> Finding | None:
    return judge.judge(result, fixture.EXPECTED, "patched", ignored)


def stopped(stage: Stage, blame: Verdict) -> tuple[StageResult, ...]:
    return (StageResult(stage, blame, 1.0, "why"),)


def test_a_test_that_differs_notices_and_may_be_asked_again() -> None:
    assert judged(lacking(GOOD, TestResult("other", Status.FAIL))) == Finding(
        Outcome.KILLED, ("other",), "other: fail", False, 2
    )


def test_a_promised_test_that_is_refused_notices() -> None:
    found = judged(lacking(TestResult("promised", Status.SKIP)))
    assert found and found.outcome is Outcome.KILLED and found.detail == "promised: skip, expected pass"


def test_a_test_that_is_not_judged_or_not_heard_notices_nothing() -> None:
    loose = TestResult("loose", Status.FAIL)
    assert judged(lacking(GOOD, loose)) == Finding(Outcome.SURVIVED, (), "", True, 2)
    found = judged(lacking(GOOD, BAD), "prom*")
    assert found and found.outcome is Outcome.SURVIVED


def test_a_splat_that_comes_often_is_named_once_and_is_no_test_to_run_again() -> None:
    found = judged(lacking(BAD, splats=(WARNING, WARNING)))
    assert found and found.by == ("promised", "splat: WARNING in x") and found.failing == ("promised",)
    found = judged(lacking(stages=stopped(Stage.BOOT, Verdict.FAIL)))
    assert found and found.by == ("boot",) and found.failing == ()


def test_a_splat_notices_for_certain_though_all_tests_pass() -> None:
    found = judged(lacking(GOOD, splats=(WARNING,)))
    assert found == Finding(Outcome.KILLED, ("splat: WARNING in x",), "splat: WARNING in x", True, 1)
    allowed = dataclasses.replace(WARNING, allowed_by="known")
    found = judged(lacking(GOOD, splats=(allowed,)))
    assert found and found.outcome is Outcome.SURVIVED


@pytest.mark.parametrize(
    ("stage", "outcome"),
    [(Stage.SERIES, Outcome.NOT_ALONE), (Stage.BUILD, Outcome.NOT_BUILT), (Stage.BOOT, Outcome.KILLED)],
)
def test_where_the_kernel_failed_says_what_came_of_it(stage: Stage, outcome: Outcome) -> None:
    found = judged(lacking(stages=stopped(stage, Verdict.FAIL), suites=()))
    assert found and found.outcome is outcome and found.detail == "why" and found.certain


def test_a_fault_of_the_host_says_nothing() -> None:
    stages = stopped(Stage.SUITE, Verdict.INFRA)
    assert judged(lacking(BAD, stages=stages)) is None
    panic = dataclasses.replace(WARNING, fatal=True)
    found = judged(lacking(BAD, stages=stages, splats=(panic,)))
    assert found and found.outcome is Outcome.KILLED, "an oops and the lost connection race"


def test_what_is_wrong_with_a_program_notices_where_no_test_does() -> None:
    wrong = SuiteRun("uffd", (GOOD,), (), 1.0, ("p: exit code 139", "the guest was reset"))
    names = ("problem: p: exit code 139", "problem: the guest was reset")
    assert judged(lacking(suites=(wrong,))) == Finding(Outcome.KILLED, names, names[0], False, 1)
    found = judged(lacking(suites=(wrong,)), *names)
    assert found and found.outcome is Outcome.SURVIVED, "the whole series has them, too"
    found = judged(lacking(suites=(dataclasses.replace(wrong, tests=(BAD,)),)))
    assert found and found.by == ("promised",)
    late = dataclasses.replace(wrong, tests=(GOOD, TestResult("late", Status.MISSING)))
    found = judged(lacking(suites=(late,)))
    assert found and found.by == names and found.failing == ()


def test_what_did_not_run_was_not_survived() -> None:
    assert judged(lacking(GOOD, TestResult("late", Status.MISSING))) is None
    assert judged(lacking(suites=())) is None
    assert judged(lacking(suites=(SuiteRun("uffd", (), (), 1.0),))) is None
