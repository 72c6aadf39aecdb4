import pytest

from orchestrator.model import JobResult, Side, Verdict
from orchestrator.model.coverage import Coverage
from orchestrator.validate import covered
from tests.fakes import results


def patched(coverage: Coverage | None = None, no_coverage: str = "") -> JobResult:
    return results.job(Side.PATCHED, (), coverage=coverage, no_coverage=no_coverage)


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
