"""A program that is meant to make the kernel complain: what makes it pass, and what does not excuse anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model import Splat, Status, SuiteRun, TestResult
from orchestrator.verdict import expected_splats
from orchestrator.verdict.outcome import outcomes

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


def of_cases(*statuses: Status, problems: tuple[str, ...] = ()) -> tuple[SuiteRun, ...]:
    cases = tuple(TestResult(f"repro.{n}", status) for n, status in enumerate(statuses, 1))
    other = TestResult("repro.py.1", Status.FAIL)
    return (SuiteRun("program", (*cases, other), (), 1.0, problems, programs=("repro", "repro.py")),)


@pytest.mark.parametrize("statuses", [(Status.PASS,), (Status.PASS, Status.FAIL), (Status.PASS, Status.MISSING)])
def test_of_a_program_with_cases_the_splat_is_the_outcome_as_well(statuses: tuple[Status, ...]) -> None:
    problems = ("repro: exit code 139, and no test failed", "repro.py: no plan")
    (run,) = expected_splats.settled(of_cases(*statuses, problems=problems), (splat(),), TITLES)
    assert [(test.name, test.status) for test in run.tests] == [("repro", Status.PASS), ("repro.py.1", Status.FAIL)]
    assert run.tests[0].diagnostics == tuple(f"repro.{n}: {status.value}" for n, status in enumerate(statuses, 1))
    assert run.problems == ("repro.py: no plan",), "however it ended"
    (run,) = expected_splats.settled(of_cases(*statuses, problems=problems), (), TITLES)
    assert [test.name for test in run.tests] == ["repro", "repro.py.1"]
    assert run.tests[0].status.broken and run.problems == problems


def test_cases_that_were_all_skipped_could_not_be_tried() -> None:
    (run,) = expected_splats.settled(of_cases(Status.SKIP, Status.SKIP), (), TITLES)
    assert run.tests[0].status is Status.SKIP
    (run,) = expected_splats.settled(of_cases(Status.SKIP, Status.PASS), (), TITLES)
    assert run.tests[0].status is Status.FAIL


@pytest.mark.parametrize(
    ("came", "status", "is_flaky"), [(0, Status.FAIL, False), (1, Status.FAIL, True), (3, Status.PASS, False)]
)
def test_each_try_is_judged_by_the_splat(came: int, status: Status, is_flaky: bool) -> None:
    """Each ran in a guest of its own; how the program itself ended is no outcome of any of them."""
    found = tuple(replace(splat(), console=Path(f"boot-{number}")) for number in range(came))
    for tries in ((Status.CRASHED, Status.PASS), (Status.PASS, Status.PASS)):
        ran = (replace(suite(Status.PASS)[0], retried=(("repro", tries),)),)
        (run,) = expected_splats.settled(ran, found, TITLES)
        shown = outcomes(run)["repro"]
        assert (shown.status, shown.flaky, len(shown.tries)) == (status, is_flaky, 3)
