"""Cases of programs whose names are texts that tell what came of it, as in cow.c of the selftests of mm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model import Side, Status, SuiteRun, TestResult, Verdict
from orchestrator.parse import ktap
from orchestrator.verdict import cases, outcome, series_verdict
from tests.fakes.results import job

LEAK, NO_LEAK, SWAP = "not ok {} Leak into child", "ok {} No leak", "ok {} # SKIP MADV_PAGEOUT did not work"
XFAIL = "ok {} # XFAIL Leak into child"


def ran(folder: Path, *lines: str, plan: int = 0) -> SuiteRun:
    """Return a suite with a program that printed these result lines."""
    text = "".join(f"{line.format(number)}\n" for number, line in enumerate(lines, 1))
    (folder / "out").write_text(f"TAP version 13\n1..{plan or len(lines)}\n{text}")
    report = ktap.parse_file(folder / "out", repeated=True)
    tests = tuple(replace(test, name=f"cow.{test.name}") for test in report.tests)
    return SuiteRun("mm", tests, (), 1.0, tuple(f"cow: {each}" for each in report.problems), programs=("cow",))


def judged(base: SuiteRun, patched: SuiteRun) -> tuple[Verdict, dict[str, str]]:
    """Return the verdict, and the words of the tests that do not work on both."""
    result = series_verdict.judge(job(Side.BASE, (), suites=(base,)), job(Side.PATCHED, (), suites=(patched,)))
    there = {test.name for run in result.patched.suites for test in run.tests}
    assert {change.test for change in result.transitions} >= there
    return result.verdict, {t.test: t.words for t in result.transitions if t.words != "works→works"}


def line(number: int, one: str, others: str = NO_LEAK, of: int = 5) -> list[str]:
    return [one if each == number else others for each in range(1, of + 1)]


def test_another_case_that_is_red_is_not_hidden_by_one_of_the_same_text(tmp_path: Path) -> None:
    verdict, changes = judged(ran(tmp_path, *line(2, LEAK)), ran(tmp_path, *line(4, LEAK)))
    assert verdict is Verdict.FAIL
    assert changes == {"cow.No leak#2": "broken→works", "cow.Leak into child": "works→broken"}
    base, patched = [XFAIL, XFAIL, NO_LEAK], [XFAIL, XFAIL, LEAK]
    assert judged(ran(tmp_path, *base), ran(tmp_path, *patched))[1]["cow.Leak into child#3"] == "works→broken"


@pytest.mark.parametrize(
    ("base", "patched", "verdict", "words"),
    [
        (line(3, SWAP), line(3, NO_LEAK), Verdict.PASS, {"cow.No leak#3": "refused→works"}),
        (line(3, NO_LEAK), line(3, SWAP), Verdict.FAIL, {"cow.MADV_PAGEOUT did not work": "works→refused"}),
        (line(3, SWAP), line(3, LEAK), Verdict.FAIL, {"cow.Leak into child": "refused→broken"}),
        (line(3, LEAK), line(3, "not ok {} fork() failed"), Verdict.PASS, {"cow.fork() failed": "broken→broken"}),
        (["ok {} a", "not ok {} Leak"], ["ok {} a", "ok {} b"], Verdict.PASS, {"cow.b": "broken→works"}),
        (["ok {} a", "ok {} b"], ["ok {} a", "not ok {} Leak"], Verdict.FAIL, {"cow.Leak": "works→broken"}),
    ],
)
def test_one_case_is_one_test_whatever_it_says(
    tmp_path: Path, base: list[str], patched: list[str], verdict: Verdict, words: dict[str, str]
) -> None:
    assert judged(ran(tmp_path, *base), ran(tmp_path, *patched)) == (verdict, words)


def test_names_that_name_the_cases_stand_wherever_they_are(tmp_path: Path) -> None:
    """A series may bring a case in between and take another away, or change their order."""
    base = ran(tmp_path, "ok {} a", "not ok {} b", "ok {} c")
    assert judged(base, ran(tmp_path, "ok {} c", "ok {} a", "not ok {} b")) == (
        Verdict.PASS,
        {"cow.b": "broken→broken"},
    )
    assert judged(base, ran(tmp_path, "ok {} new", "ok {} a", "not ok {} b"))[1] == {
        "cow.b": "broken→broken",
        "cow.c": "works→broken",
        "cow.new": "refused→works",
    }
    assert judged(ran(tmp_path, "ok {} a", "ok {} b"), ran(tmp_path, "ok {} a", "ok {} z"))[1] == {
        "cow.b": "works→broken",
        "cow.z": "refused→works",
    }


def test_where_the_plans_are_not_the_same_or_not_kept_names_are_all_there_is(tmp_path: Path) -> None:
    base = ran(tmp_path, *line(2, LEAK))
    for patched in (ran(tmp_path, *line(4, LEAK, of=6)), ran(tmp_path, *line(4, LEAK), plan=9)):
        named = cases.run_named_as(base, patched)
        assert named == base
    assert all(test.number == 0 for test in patched.tests)


def test_a_case_that_the_base_refuses_and_the_patched_kernel_does_not_name_is_not_broken(tmp_path: Path) -> None:
    base, longer = ran(tmp_path, "ok {} a", SWAP), ran(tmp_path, "ok {} a", "ok {} b", "ok {} c")
    assert judged(base, longer)[0] is Verdict.PASS
    assert judged(base, replace(longer, problems=("cow: killed by signal 11",)))[0] is Verdict.FAIL
    late = replace(longer, tests=(TestResult("cow", Status.TIMEOUT),))
    assert judged(base, late)[1]["cow.MADV_PAGEOUT did not work"] == "refused→broken", "nobody knows"


def test_a_case_that_runs_again_is_the_same(tmp_path: Path) -> None:
    first, again = ran(tmp_path, *line(3, LEAK)), ran(tmp_path, *line(3, NO_LEAK))
    merged = outcome.outcomes(outcome.merged(first, cases.run_named_as(again, first)))
    assert merged.keys() == {test.name for test in first.tests}
    assert merged["cow.Leak into child"].tries == (Status.FAIL, Status.PASS)


def test_before_a_program_has_ended_a_case_that_has_no_name_there_is_known_by_its_number(tmp_path: Path) -> None:
    base = ran(tmp_path, "ok {} a", "not ok {} mmap() failed", "ok {} c")
    for patched, names in (
        (ran(tmp_path, "ok {} a", "not ok {} fork() failed", "not ok {} c"), ["a", "mmap() failed", "c"]),
        (ran(tmp_path, "ok {} c", "ok {} new", "not ok {} d", plan=9), ["c", "new", "d"]),
    ):
        assert [cases.name_in(base, test) for test in patched.tests[:3]] == [f"cow.{name}" for name in names]


def test_a_case_that_runs_again_by_itself_has_its_number(tmp_path: Path) -> None:
    (red,) = (test for test in ran(tmp_path, *line(2, LEAK)).tests if test.status.broken)
    for lines, status in ((line(4, LEAK), Status.PASS), (line(2, LEAK), Status.FAIL), (line(2, SWAP), Status.SKIP)):
        again = cases.case_in([ran(tmp_path, *lines)], red)
        assert again and (again.number, again.status) == (2, status)
    assert cases.case_in([ran(tmp_path, *line(2, NO_LEAK), plan=9)], red) is None
    own = TestResult("A01", Status.FAIL)
    assert cases.case_in([SuiteRun("own", (TestResult("A02", Status.PASS), own), (), 1.0)], own) == own
