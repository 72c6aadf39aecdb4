from dataclasses import dataclass
from typing import Any, cast

import pytest

from orchestrator.model import Status, TestResult
from orchestrator.mutation import confirm


@pytest.mark.parametrize(
    ("first", "again", "same"),
    [
        ((Status.FAIL, "a.c:10: 3 of 12 pages"), (Status.FAIL, "a.c:10: 4 of 12 pages"), True),
        ((Status.FAIL, "a.c:10: at 0x7f01a000"), (Status.FAIL, "a.c:10: at 0x7f02b000"), True),
        ((Status.FAIL, "the bit is gone"), (Status.FAIL, "the page is gone"), False),
        ((Status.FAIL, "the bit is gone; before, the page is"), (Status.FAIL, "the bit is gone"), True),
        ((Status.FAIL, ""), (Status.TIMEOUT, ""), False),
        ((Status.TIMEOUT, "no answer in 30 s"), (Status.TIMEOUT, "killed"), True),
        ((Status.FAIL, ""), (Status.PASS, ""), False),
    ],
)
def test_a_test_fails_the_same_way_where_nothing_but_numbers_differ(
    first: tuple[Status, str], again: tuple[Status, str], same: bool
) -> None:
    assert confirm.alike(TestResult("A01", *first), TestResult("A01", *again)) is same


@dataclass
class Fake:
    """A bench on which a test comes to this."""

    result: TestResult | None

    def run(self, suite: str, test: TestResult) -> TestResult | None:
        return self.result


RED, GREEN = TestResult("A01", Status.FAIL, "3 pages"), TestResult("A01", Status.PASS)
SKIPPED = TestResult("A01", Status.SKIP, "needs it")


@pytest.mark.parametrize(
    ("first", "again", "whole", "holds"),
    [
        (RED, RED, GREEN, True),
        (RED, GREEN, GREEN, False),
        (RED, RED, RED, False),  # under this load it fails without the mutant, too
        (RED, RED, TestResult("A01", Status.TIMEOUT), False),
        (RED, None, GREEN, False),  # the mutant does not come up any more
        (RED, RED, None, False),
        (SKIPPED, SKIPPED, GREEN, True),  # what the series promises is gone
        (SKIPPED, SKIPPED, SKIPPED, False),
    ],
)
def test_a_kill_holds_where_the_mutant_fails_again_and_the_series_meanwhile_does_not(
    first: TestResult, again: TestResult | None, whole: TestResult | None, holds: bool
) -> None:
    mutant, other = cast(Any, Fake(again)), cast(Any, Fake(whole))
    benches = confirm.Benches(mutant, other, lambda suite, test: test.status is not Status.PASS)
    assert confirm.holds("uffd", first, benches) is holds
    assert confirm.sifted([("uffd", first)], benches, every=False) == (() if holds else ("A01",))
