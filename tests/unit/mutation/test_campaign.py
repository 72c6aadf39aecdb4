"""What of the whole series a mutant is held against: how long a test may take, and which tests notice nothing."""

from __future__ import annotations

import pytest

from orchestrator.model import JobResult, Side, Status, SuiteRun, TestResult, expectations_file
from orchestrator.model.trial import Trial
from orchestrator.mutation import judge
from orchestrator.mutation.campaign import expectation_key, held_against, limits
from orchestrator.mutation.report import Baseline, Outcome
from tests.fakes import results


def test_a_test_may_take_some_times_what_it_took_on_the_whole_series_and_never_more_than_the_suite_allows() -> None:
    base = Baseline("k", "s", {}, 5.0, ("R01",), {"A01": 0.1, "A02": 1.25, "B01": 1.3, "B02": 5.0, "C01": 40.0})
    under_tcg = {test: 5.0 * seconds for test, seconds in limits(base, 20.0).items()}
    assert under_tcg == {"A01": 5.0, "A02": 5.0, "B01": 10.0, "B02": 20.0}
    assert limits(base, 0.5) == {}, "the limit of the suite is shorter"


def test_what_is_not_as_expected_on_the_whole_series_notices_nothing_whatever_its_name_is() -> None:
    ignored = ("prot.key[0]", "odd*")
    trial = held_against(Trial((("*",),), 20.0, 1.0), Baseline("k", "s", {}, 1.0, ignored), {})
    tests = [TestResult(name, Status.FAIL) for name in ignored]
    cases = [(tests, Outcome.SURVIVED)]
    cases += [([*tests, TestResult(name, Status.FAIL)], Outcome.KILLED) for name in ("prot.key0", "odd", "odd2")]
    for ran, outcome in cases:
        found = judge.judge(results.job(Side.PATCHED, tuple(ran)), {}, None, trial.ignored)
        assert found and found.outcome is outcome, ran[-1]


@pytest.mark.parametrize("problem", ["p: exit code 139: killed by signal 11 behind its results", "setup: [a] 'b*': 1"])
def test_a_problem_of_the_whole_series_notices_nothing_and_another_does(problem: str) -> None:
    def ran(*problems: str) -> JobResult:
        suite = SuiteRun("uffd", (TestResult("T01", Status.PASS),), (), 1.0, problems)
        return results.job(Side.PATCHED, (), suites=(suite,))

    trial = held_against(Trial((("*",),), 20.0, 1.0), Baseline("k", "s", {}, 1.0, judge.problems(ran(problem))), {})
    same, worse = (judge.judge(r, {}, None, trial.ignored) for r in (ran(problem), ran(problem, "the guest was reset")))
    assert same and same.outcome is Outcome.SURVIVED
    assert worse and worse.by == ("problem: the guest was reset",)


EXPECTED = "columns: [stock, patched]\ntests:\n  T01: {stock: skip, patched: fail}\n  T02: {patched: pass}\n"


@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        ("", "", True),
        ("patched: fail", "patched: pass", False),
        ("patched: fail", "patched: any", False),
        ("stock: skip", "stock: fail", False),
        ("{patched: pass}", "{patched: pass, why: a reason}", True),
        ("T02: {patched: pass}", "T02: {patched: pass}\n  T03: {patched: fail}", True),  # it is not among the tests
    ],
)
def test_the_whole_series_is_measured_anew_where_something_else_is_expected_of_its_tests(
    old: str, new: str, is_same: bool
) -> None:
    first, then = (
        expectation_key(["T01", "T02"], {"own": expectations_file.parse(text, "expected.yaml")}, "patched")
        for text in (EXPECTED, EXPECTED.replace(old, new))
    )
    base = Baseline("k", "s", {}, 1.0, expected=first)
    assert base.is_of("k", "s", 0.0, then) is is_same
    assert not Baseline("k", "s", {}, 1.0).is_of("k", "s", 0.0, then), "an older report does not say"
