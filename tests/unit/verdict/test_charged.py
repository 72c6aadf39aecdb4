import pytest

from orchestrator.model import JobResult, Side, Status, TestResult, Verdict
from orchestrator.verdict import charged
from tests.fakes import results

TESTS = (TestResult("known", Status.FAIL), TestResult("new", Status.FAIL), TestResult("better", Status.PASS))


def names(verdict: Verdict, unexpected: tuple[tuple[str, str], ...] | None) -> list[str]:
    job: JobResult = results.job(Side.BASE, TESTS, verdict=verdict, unexpected=unexpected)
    run = results.run(alone=(job,))
    return [test.name for _, _, test in charged.tests(run)]


@pytest.mark.parametrize(
    ("unexpected", "expected"),
    [((("uffd", "new"), ("uffd", "better")), ["new"]), ((), []), (None, ["known", "new"])],
)
def test_of_a_job_that_stands_alone_what_broke_and_was_not_expected_to(
    unexpected: tuple[tuple[str, str], ...] | None, expected: list[str]
) -> None:
    assert names(Verdict.FAIL, unexpected) == expected
    assert names(Verdict.PASS, unexpected) == []
