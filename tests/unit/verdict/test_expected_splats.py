"""A program that is meant to make the kernel complain: what makes it pass, and what does not excuse anything."""

from __future__ import annotations

import pytest

from orchestrator.model import Splat, Status, SuiteRun, TestResult
from orchestrator.verdict import expected_splats

TITLES = {"repro": "kernel BUG at mm/*"}


def splat(title: str = "kernel BUG at mm/rmap.c:N!", test: str | None = "repro", fatal: bool = False) -> Splat:
    return Splat("bug", title, 1, 2, "", fatal, test)


def suite(status: Status, name: str = "repro") -> tuple[SuiteRun, ...]:
    return (SuiteRun("program", (TestResult(name, status),), (), 1.0),)


@pytest.mark.parametrize("status", [Status.PASS, Status.FAIL, Status.CRASHED, Status.TIMEOUT])
@pytest.mark.parametrize("fatal", [False, True])
def test_it_passes_where_the_splat_came_however_it_ended(status: Status, fatal: bool) -> None:
    found = (splat(fatal=fatal),)
    (run,) = expected_splats.settled(suite(status), found, TITLES)
    assert run.tests[0].status is Status.PASS and "kernel BUG at mm/rmap.c" in run.tests[0].reason
    (one,) = expected_splats.allowed(found, TITLES)
    assert one.allowed_by and not one.fatal


@pytest.mark.parametrize("other", [splat("WARNING in other"), splat(test="T01"), splat(test=None)])
def test_another_splat_or_one_of_another_test_is_none_of_it(other: Splat) -> None:
    (run,) = expected_splats.settled(suite(Status.PASS), (other,), TITLES)
    assert run.tests[0].status is Status.FAIL and "did not bring 'kernel BUG at mm/*' (pass)" in run.tests[0].reason
    assert expected_splats.allowed((other,), TITLES) == (other,)


@pytest.mark.parametrize("status", [Status.SKIP, Status.ERROR, Status.MISSING])
def test_what_could_not_be_tried_stays_that(status: Status) -> None:
    assert expected_splats.settled(suite(status), (), TITLES) == suite(status)


def test_other_tests_are_left_alone() -> None:
    assert expected_splats.settled(suite(Status.FAIL, "T01"), (splat(),), TITLES) == suite(Status.FAIL, "T01")
