"""Why a red test is red."""

from __future__ import annotations

from orchestrator.model import Side, Status, TestResult
from orchestrator.pipeline.evidence import Collector
from orchestrator.pipeline.values import Plan
from tests.fakes import results


def test_a_test_that_passes_and_is_red_says_what_was_expected() -> None:
    base, patched = (results.job(s, (TestResult("promised", Status.PASS),)) for s in (Side.BASE, Side.PATCHED))
    (evidence,) = Collector(Plan("smoke", "smoke", (), ())).collect(results.run(results.series(base, patched)))
    assert (evidence.status, evidence.base) == (Status.PASS, "pass")
    assert evidence.reason == "expected skip on base, got pass"


def test_one_that_fails_says_why_it_failed() -> None:
    base = results.job(Side.BASE, (TestResult("same", Status.PASS),))
    patched = results.job(Side.PATCHED, (TestResult("same", Status.FAIL, "1 is not 2"),))
    (evidence,) = Collector(Plan("smoke", "smoke", (), ())).collect(results.run(results.series(base, patched)))
    assert evidence.reason == "1 is not 2"
