"""A suite of which some tests ran again: nothing that was seen is lost."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model import Status, SuiteRun, TestResult
from orchestrator.verdict import outcome

statuses = st.dictionaries(st.sampled_from("ABCDE"), st.sampled_from(list(Status)))


def ran(results: dict[str, Status], **changes: object) -> SuiteRun:
    tests = tuple(TestResult(name, status, f"{status.value} of {name}", ("line",)) for name, status in results.items())
    return SuiteRun("own", tests, (Path("out"),), 2.0, **changes)  # type: ignore[arg-type]


@given(st.lists(statuses, min_size=2, max_size=4))
def test_every_try_is_kept_in_its_order(runs: list[dict[str, Status]]) -> None:
    total = ran(runs[0])
    for results in runs[1:]:
        total = outcome.merged(total, ran(results))
    for test, found in outcome.outcomes(total).items():
        assert found.tries == tuple(results[test] for results in runs if test in results)
    assert {test.name for test in total.tests} == {name for results in runs for name in results}
    assert total.seconds == 2.0 * len(runs) and len(total.outputs) == len(runs)


def test_what_a_broken_try_said_is_not_lost() -> None:
    merged = outcome.merged(ran({"A": Status.FAIL}), ran({"A": Status.PASS}, problems=("odd",)))
    (test,) = merged.tests
    assert (test.status, test.reason) == (Status.PASS, "pass of A; before, fail of A")
    assert test.diagnostics == ("line", "line") and merged.problems == ("odd",)
    assert outcome.outcomes(merged)["A"].status is Status.FAIL


def test_a_program_that_skips_as_a_whole_in_one_run_skips_each_of_its_cases() -> None:
    cases = {"p.sh.A": Status.PASS, "p.sh.B": Status.FAIL, "q.A": Status.PASS}
    skipped = {"p.sh.(program)": Status.SKIP}
    runs = [ran(results, programs=("p.sh", "p", "q")) for results in (cases, skipped)]
    for first, again, tries in ((0, 1, (Status.PASS, Status.SKIP)), (1, 0, (Status.SKIP, Status.PASS))):
        merged = outcome.outcomes(outcome.merged(runs[first], runs[again]))
        assert merged["p.sh.A"].tries == tries and merged["p.sh.A"].status is Status.SKIP
        assert merged["p.sh.B"].status is Status.FAIL and merged["q.A"].tries == (Status.PASS,)
