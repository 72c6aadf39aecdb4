"""Runs of one program as one result: the worst stands for all, and a bisect reads from it how many went which way."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.bisect import observe
from orchestrator.bisect.symptom import Sight
from orchestrator.model import Status, TestResult
from orchestrator.suite import repeats

ENDS = (Status.PASS, Status.FAIL, Status.XFAIL, Status.SKIP, Status.ERROR, Status.CRASHED)
SIGHTS = {
    Status.PASS: Sight.ABSENT,
    Status.FAIL: Sight.SHOWN,
    Status.XFAIL: Sight.SHOWN,
    Status.CRASHED: Sight.SHOWN,
    Status.SKIP: Sight.REFUSED,
    Status.ERROR: Sight.UNCLEAR,
}


def together(*statuses: Status) -> TestResult:
    (one,) = repeats.together([[TestResult("repro", status)] for status in statuses])
    return one


@given(st.lists(st.sampled_from(ENDS), min_size=1, max_size=12))
def test_a_bisect_sees_each_run(statuses: list[Status]) -> None:
    one = together(*statuses)
    assert one.status.broken == any(status.broken for status in statuses)
    seen = [tried.sight for tried in observe._tries(one, (), len(statuses))]
    assert sorted(sight.value for sight in seen) == sorted(SIGHTS[status].value for status in statuses)


def test_how_many_is_said() -> None:
    assert together(Status.PASS, Status.FAIL, Status.PASS).reason == "1 of 3 runs failed"
    assert together(Status.PASS, Status.PASS) == TestResult("repro", Status.PASS)
    assert together(Status.SKIP, Status.XFAIL, Status.PASS).status is Status.XFAIL


def test_the_worst_run_is_the_result_whichever_came_first() -> None:
    for statuses in itertools.permutations((Status.PASS, Status.XFAIL, Status.SKIP)):
        one = together(*statuses)
        assert one.status is Status.XFAIL
        assert one.diagnostics == ("1 of 3 runs skipped", "1 of 3 runs failed as expected")
    assert together(Status.PASS, Status.XFAIL).reason == "1 of 2 runs failed as expected"


def test_cases_are_counted_each_by_itself() -> None:
    runs = [[TestResult("a", Status.PASS), TestResult("b", end)] for end in (Status.FAIL, Status.FAIL)]
    first, second = repeats.together(runs)
    assert (first.name, first.status) == ("a", Status.PASS) and second.reason == "2 of 2 runs failed"


def lines(*said: tuple[str, Status]) -> list[TestResult]:
    """Return the cases of a program whose texts tell what came of them."""
    return [TestResult(f"cow.{text}", status, number=number) for number, (text, status) in enumerate(said, 1)]


def test_a_case_whose_text_tells_what_came_of_it_has_the_text_of_its_worst_run() -> None:
    good = lines(("No leak", Status.PASS), ("No leak#2", Status.PASS))
    bad = lines(("No leak", Status.PASS), ("Leak into child", Status.FAIL))
    for runs in ([good, bad, good], [bad, good, good]):
        first, second = repeats.together(runs)
        assert (first.name, first.reason) == ("cow.No leak", "")
        assert (second.name, second.reason) == ("cow.Leak into child", "1 of 3 runs failed")


def test_two_cases_of_two_runs_that_failed_with_one_text_stay_two() -> None:
    runs = [
        lines(("No leak", Status.PASS), ("No swap", Status.PASS)),
        lines(("It leaks", Status.FAIL), ("No swap", Status.PASS)),
        lines(("No leak", Status.PASS), ("It leaks", Status.FAIL)),
    ]
    found = repeats.together(runs)
    assert [(test.name, test.status) for test in found] == [
        ("cow.No leak", Status.FAIL),
        ("cow.No swap", Status.FAIL),
    ]


def test_a_run_that_skipped_as_a_whole_skipped_each_case() -> None:
    cases = [TestResult("p.a", Status.PASS), TestResult("p.b", Status.PASS)]
    for whole in ("p.(program)", "p"):
        for runs in ([cases, [TestResult(whole, Status.SKIP, "no pages")]], [[TestResult(whole, Status.SKIP)], cases]):
            found = repeats.together(runs)
            assert [(test.name, test.status) for test in found] == [("p.a", Status.SKIP), ("p.b", Status.SKIP)]
            assert found[0].reason.endswith("1 of 2 runs skipped")
    each = [TestResult("p.a", Status.SKIP, "one"), TestResult("p.c", Status.SKIP, "two")]
    reasons = {test.name: test.reason for test in repeats.together([cases, each])}
    assert reasons == {f"p.{case}": f"{why}, 1 of 2 runs skipped" for case, why in (("a", "one"), ("b", "one"))} | {
        "p.c": "two"
    }
    skipped = [TestResult("p.(program)", Status.SKIP)]
    assert [test.name for test in repeats.together([skipped, skipped])] == ["p.(program)"]


def test_a_run_that_was_cut_off_says_nothing_of_what_it_did_not_reach() -> None:
    cases = [TestResult("p.a", Status.PASS), TestResult("p.b", Status.PASS)]
    found = repeats.together([cases, [TestResult("p.a", Status.SKIP), TestResult("p", Status.TIMEOUT)]])
    assert {test.name: test.status for test in found} == {
        "p.a": Status.SKIP,
        "p.b": Status.PASS,
        "p": Status.TIMEOUT,
    }
