"""A job against the nights before it: what is compared, what is not, and what is said of that."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.history import night, rows
from orchestrator.history.classify import Change, TitleChange
from orchestrator.history.night import Judged
from orchestrator.history.values import Complaint, Job, Seen, StageTime, Test
from orchestrator.model import Side, Stage, Status, SuiteRun, TestResult, Verdict
from tests.fakes.results import IDENTITY, job


def seen(
    run: str, tests: str = "", *, failed: Stage | None = None, blame: Verdict = Verdict.FAIL, **changes: Any
) -> Seen:
    """Return a job: ``tests`` is like ``A01=pass A02=fail``, ``failed`` the stage at which it ended."""
    came_so_far = failed is None or failed in {Stage.BOOT, Stage.SUITE}
    identity = dataclasses.replace(IDENTITY, kernel=run, **changes) if came_so_far else None
    job = Job(1, run, "toy.small", "toy", None, "small", Side.BASE, blame, "", Path("/r"), identity, None, None)
    reached = list(Stage)[: list(Stage).index(failed or Stage.SUITE) + 1]
    stages = [StageTime(stage, Verdict.PASS, 1.0, "", None, False) for stage in reached]
    if failed:
        stages[-1] = StageTime(failed, blame, 1.0, "it broke", None, False)
    rows = [item.split("=") for item in tests.split()]
    return Seen(job, tuple(stages), tuple(Test("own", n, Status(s), (Status(s),), "", None) for n, s in rows), ())


def with_splats(value: Seen, *titles: str) -> Seen:
    splats = (Complaint("warning", title, False, None, None, 1, 2, "", None) for title in titles)
    return dataclasses.replace(value, splats=tuple(splats))


def of(judged: Judged, test: str) -> Change:
    (found,) = [finding.change for finding in judged.findings if finding.test == test]
    return found


def test_a_test_is_compared_with_the_last_night_that_had_it() -> None:
    found = night.judge(seen("3", "A=fail B=pass"), [seen("2", "B=fail"), seen("1", "A=pass B=pass")])
    assert of(found, "A") is Change.REGRESSED
    assert of(found, "B") is Change.FIXED


def test_a_test_that_the_last_night_had_is_missed_and_one_gone_before_is_not() -> None:
    found = night.judge(seen("3", "A=pass"), [seen("2", "A=pass B=pass"), seen("1", "A=pass B=pass C=pass")])
    assert of(found, "B") is Change.MISSING
    assert "C" not in {finding.test for finding in found.findings}


statuses = st.dictionaries(st.sampled_from("ABC"), st.sampled_from(["pass", "fail", "skip", "missing", "crashed"]))
nights = st.lists(st.tuples(statuses, st.sampled_from(["kvm", "tcg"]), st.booleans()), max_size=5)


@example([({"A": "crashed"}, "tcg", True), ({"A": "fail"}, "tcg", False)], [({"A": "pass"}, "tcg", False)])
@given(nights, nights.filter(bool))
def test_what_travels_of_the_nights_says_the_same_of_what_differs(
    before: list[tuple[dict[str, str], str, bool]], tonight: list[tuple[dict[str, str], str, bool]]
) -> None:
    def made(number: int, night_: tuple[dict[str, str], str, bool]) -> Seen:
        tests = " ".join(f"{name}={status}" for name, status in night_[0].items())
        cut = Stage.SUITE if night_[2] else None
        return seen(str(number), tests, failed=cut, blame=Verdict.INFRA, accel=night_[1])

    earlier = [made(number, one) for number, one in enumerate(before)]
    assert night.differing(made(9, tonight[0]), night.latest(earlier)) == night.differing(made(9, tonight[0]), earlier)
    assert sum(len(kept.tests) for kept in night.latest(earlier)) <= 2 * 3 * 2


def test_a_test_that_did_not_run_the_last_time_runs_once_more_where_it_differs_from_when_it_ran() -> None:
    before = [seen("2", "A=missing B=missing C=pass"), seen("1", "A=pass B=fail C=pass")]
    for earlier in (before, night.latest(before)):
        assert night.differing(seen("3", "A=fail B=fail C=missing"), earlier) == {"own": ["A", "C"]}
        assert night.differing(seen("3", "A=pass B=missing"), earlier) == {}


def test_a_test_that_worked_and_did_not_run_is_red_and_what_it_does_next_is_held_against_that_it_worked() -> None:
    first, second = seen("1", "A=pass"), seen("2", "A=missing")
    assert of(night.judge(second, [first]), "A") is Change.REGRESSED
    judged_night = seen("3", "A=fail")
    judged = night.judge(judged_night, [second, first])
    (found,) = [finding for finding in judged.findings if finding.test == "A"]
    assert found.change is Change.REGRESSED and found.before is Status.PASS
    assert [night.showed_before(earlier, found, judged_night) for earlier in (second, first)] == [False, True]


def cases(run: str, *lines: str) -> Seen:
    """Return a night of a program that says what came of each case: ``No leak``, or ``Leak``."""
    statuses = [Status.PASS if text.startswith("No leak") else Status.FAIL for text in lines]
    rows = enumerate(zip(lines, statuses, strict=True), 1)
    tests = (Test("mm", f"cow.{text}", status, (status,), "", None, "cow", number) for number, (text, status) in rows)
    return dataclasses.replace(seen(run), tests=tuple(tests))


def test_a_case_whose_text_tells_what_came_of_it_is_known_by_its_number() -> None:
    first, second = cases("1", "No leak", "No leak#2"), cases("2", "No leak", "No leak#2")
    now = cases("3", "No leak", "Leak")
    for earlier in ([second, first], list(night.latest([second, first])), list(night.latest([second, now, first]))):
        judged = night.judge(now, earlier)
        assert {f.test: f.change for f in judged.findings if f.suite == "mm"} == {
            "cow.No leak": Change.STEADY,
            "cow.Leak": Change.REGRESSED,
        }
        assert night.differing(now, earlier) == {"mm": ["cow.Leak"]}
        (found,) = [finding for finding in judged.findings if finding.change is Change.REGRESSED]
        assert night.showed_before(second, found, now) and not night.showed_before(now, found, now)
    mended = night.judge(cases("4", "No leak", "No leak#2"), [now, second, first])
    assert of(mended, "cow.No leak#2") is Change.FIXED


def program(run: str, tests: str) -> Seen:
    """Return a night of the program ``p.sh``: ``p.sh.a=pass`` is a case of it, ``p.sh=pass`` the whole without any."""
    made = seen(run, f"{tests} q=pass")
    numbered = (
        dataclasses.replace(test, program="p.sh", number=number) if test.name.startswith("p.sh.") else test
        for number, test in enumerate(made.tests, 1)
    )
    return dataclasses.replace(made, tests=tuple(numbered))


def changes(now: Seen, *earlier: Seen) -> dict[str, Change]:
    findings = night.judge(now, earlier).findings
    return {finding.test: finding.change for finding in findings if finding.suite == "own" and finding.test != "q"}


@pytest.mark.parametrize(
    ("before", "tonight", "wanted"),
    [
        ("p.sh=pass", "p.sh.none=skip", {"p.sh": Change.REGRESSED, "p.sh.none": Change.NEW}),
        ("p.sh=fail", "p.sh.none=skip", {"p.sh": Change.MISSING, "p.sh.none": Change.NEW}),
        (
            "p.sh.a=pass p.sh.b=skip",
            "p.sh=skip",
            {"p.sh": Change.NEW, "p.sh.a": Change.REGRESSED, "p.sh.b": Change.STEADY},
        ),
        ("p.sh.a=pass p.sh.b=pass", "p.sh.a=pass", {"p.sh.a": Change.STEADY, "p.sh.b": Change.MISSING}),
        ("p.sh.a=pass p.sh.b=pass", "p.sh.a=skip", {"p.sh.a": Change.REGRESSED, "p.sh.b": Change.REGRESSED}),
        ("p.sh=pass", "", {"p.sh": Change.MISSING}),
    ],
)
def test_a_program_of_which_all_is_skipped_skips_what_it_does_not_name(
    before: str, tonight: str, wanted: dict[str, Change]
) -> None:
    assert changes(program("2", tonight), program("1", before)) == wanted


@pytest.mark.parametrize(
    ("before", "tonight"),
    [
        ("p.sh=skip", "p.sh.a=pass"),
        ("p.sh.none=skip", "p.sh.a=pass p.sh.b=fail"),
        ("p.sh.none=skip", "p.sh.other=skip"),
        ("p.sh.none=skip", "p.sh=pass"),
        ("p.sh=pass", "p.sh.a=pass"),
        ("p.sh=xfail", "p.sh.a=pass"),
    ],
)
def test_what_stood_for_a_whole_program_is_not_missed_where_its_cases_are_named(before: str, tonight: str) -> None:
    first = program("1", "p.sh.none=skip")  # a program is known by its cases, in whatever night
    shown = changes(program("3", tonight), program("2", before), first)
    assert Change.MISSING not in shown.values() and Change.REGRESSED not in shown.values()


def test_a_program_without_numbers_is_known_as_one() -> None:
    """As one is that has words of its own for its cases; ``absent: skip`` then says that the tree has it no more."""

    def ran(number: str, *tests: TestResult) -> Seen:
        return rows.of_result(job(Side.BASE, tests, suites=(SuiteRun("own", tests, (), 1.0, programs=("p",)),)), number)

    before, tonight = ran("1", TestResult("p.a", Status.PASS)), ran("2", TestResult("p", Status.SKIP))
    assert changes(tonight, before) == {"p": Change.NEW, "p.a": Change.REGRESSED}


def cut_off(tests: str) -> Seen:
    """Return a night that a fault of the host ended."""
    stages = seen("2", failed=Stage.SUITE, blame=Verdict.INFRA).stages
    return dataclasses.replace(program("2", tests), stages=stages)


STOPPED = [
    seen("2", failed=Stage.BOOT),
    seen("2", failed=Stage.BUILD),
    seen("2", failed=Stage.BOOT, blame=Verdict.INFRA),
    cut_off("p.sh=missing"),
    cut_off("p.sh.a=skip"),
]


@pytest.mark.parametrize("stopped", STOPPED)
def test_a_night_that_was_stopped_does_not_say_what_there_is_to_expect(stopped: Seen) -> None:
    whole = program("1", "p.sh.a=pass p.sh.b=pass")
    skipped, gone = program("3", "p.sh=skip"), program("3", "p.sh.a=pass")
    assert changes(skipped, stopped, whole)["p.sh.b"] is Change.REGRESSED
    assert changes(gone, stopped, stopped, whole)["p.sh.b"] is Change.MISSING
    assert "p.sh.b" not in changes(program("4", "p.sh.a=pass"), gone, stopped, whole), "the last whole night counts"


def test_what_only_a_night_showed_that_was_stopped_is_expected_too() -> None:
    part = cut_off("p.sh.a=pass")
    for earlier in ([part], [part, program("1", "")]):
        assert changes(program("3", "p.sh=skip"), *earlier)["p.sh.a"] is Change.REGRESSED


def asked(value: Seen, *globs: str) -> Seen:
    return dataclasses.replace(value, job=dataclasses.replace(value.job, requested=globs))


def test_what_nobody_asked_for_is_not_missing() -> None:
    whole = [asked(with_splats(seen(number, "A=pass B=pass"), "old"), "own/*") for number in ("1", "2")]
    part = asked(seen("2", "A=pass"), "own/A")
    found = night.judge(part, whole[:1])
    assert "B" not in {finding.test for finding in found.findings} and found.splats == ()
    assert found.notes == ("other tests were asked for than in run 1",)
    assert of(night.judge(asked(seen("3", "A=pass"), "own/*"), [part, whole[0]]), "B") is Change.MISSING
    assert of(night.judge(asked(seen("3", "A=fail"), "own/*"), [part, whole[0]]), "A") is Change.REGRESSED
    assert of(night.judge(asked(seen("3", "A=pass"), "own/*"), [seen("2", "A=pass B=pass")]), "B") is Change.MISSING


def test_tcg_is_not_compared_with_kvm_in_silence() -> None:
    found = night.judge(seen("2", "A=fail", accel="kvm"), [seen("1", "A=pass", accel="tcg")])
    assert of(found, "A") is Change.NEW
    assert found.notes == ("not compared with run 1, for these differ: accelerator",)


def test_what_else_changed_is_said() -> None:
    found = night.judge(seen("2", "A=fail", tree="beef"), [seen("1", "A=pass")])
    assert found.notes == ("changed since run 1: tree",)


def test_a_build_that_breaks_is_one_finding_and_not_one_for_each_test() -> None:
    found = night.judge(seen("2", failed=Stage.BUILD), [seen("1", "A=pass B=pass")])
    assert of(found, "build") is Change.REGRESSED
    assert {finding.suite for finding in found.findings} == {"stage"}
    assert found.notes == ("not all of its tests ran: build: it broke",)


def test_a_build_that_works_again_brings_its_tests_back() -> None:
    found = night.judge(seen("3", "A=fail"), [seen("2", failed=Stage.BUILD), seen("1", "A=pass")])
    assert of(found, "build") is Change.FIXED
    assert of(found, "A") is Change.REGRESSED


def test_a_fault_of_the_host_is_no_finding_about_the_kernel() -> None:
    broken = seen("2", "A=pass B=crashed C=missing D=fail F=error", failed=Stage.SUITE, blame=Verdict.INFRA)
    found = night.judge(broken, [seen("1", "A=pass B=pass C=pass D=pass E=pass F=pass")])
    tests = {finding.test: finding.change for finding in found.findings if finding.suite == "own"}
    assert tests == {"A": Change.STEADY, "D": Change.REGRESSED}
    again = night.judge(seen("3", "B=pass"), [broken, seen("1", "B=pass")])
    assert of(again, "B") is Change.STEADY


def test_splats_are_told_apart() -> None:
    now, before = with_splats(seen("2", "A=pass"), "new", "old"), with_splats(seen("1", "A=pass"), "old", "away")
    found = {splat.title: splat.change for splat in night.judge(now, [before]).splats}
    assert found == {"new": TitleChange.NEW, "old": TitleChange.KNOWN, "away": TitleChange.GONE}


def test_a_splat_is_not_gone_where_the_kernel_did_not_come_so_far() -> None:
    now = seen("2", failed=Stage.BUILD)
    assert night.judge(now, [with_splats(seen("1", "A=pass"), "away")]).splats == ()
    cut = seen("3", "A=pass", failed=Stage.SUITE, blame=Verdict.INFRA)
    assert night.judge(cut, [with_splats(seen("1", "A=pass"), "away")]).splats == ()


def test_the_first_night_has_nothing_to_compare_with_and_says_so() -> None:
    found = night.judge(seen("1", "A=pass"), [])
    assert of(found, "A") is Change.NEW
    assert found.notes == ("no earlier run to compare with",)


def test_a_splat_that_is_allowed_is_no_finding_until_its_entry_ends() -> None:
    now = with_splats(seen("2", "A=pass"), "old")
    allowed = dataclasses.replace(now, splats=tuple(dataclasses.replace(s, allowed_by="known") for s in now.splats))
    assert night.judge(allowed, []).splats == ()
    assert [splat.change for splat in night.judge(now, [allowed]).splats] == [TitleChange.NEW]
