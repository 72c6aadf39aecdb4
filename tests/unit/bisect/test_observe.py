"""What one job shows of a symptom: the symptom, its absence, or something that says nothing of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from orchestrator.bisect import observe, symptom
from orchestrator.bisect.symptom import Observation, Reference, Sight, Why
from orchestrator.model import (
    JobResult,
    Side,
    Splat,
    Stage,
    StageResult,
    Status,
    SuiteRun,
    Symptom,
    SymptomKind,
    TestResult,
    Verdict,
)

TEST = Symptom(SymptomKind.TEST, "T01")
SPLAT = Symptom(SymptomKind.SPLAT, "BUG: Bad page map*")
BOOT, BUILD = Symptom(SymptomKind.BOOT), Symptom(SymptomKind.BUILD)
ORDER = list(Stage)


def job(
    *tests: TestResult,
    failed: Stage | None = None,
    verdict: Verdict = Verdict.FAIL,
    message: str = "broken",
    splats: tuple[str, ...] = (),
) -> JobResult:
    """A job that came to its end, or to a stage that failed."""
    last = failed or Stage.SUITE
    stages = [StageResult(s, Verdict.PASS, 1.0) for s in ORDER[: ORDER.index(last)]]
    stages.append(StageResult(last, verdict if failed else Verdict.PASS, 1.0, message if failed else ""))
    found = tuple(Splat("oops", title, 1, 1, title, fatal=not title.startswith("WARNING")) for title in splats)
    runs = (SuiteRun("own", tests, (), 1.0),) if tests else ()
    return JobResult("j", "t", None, "v", Side.BASE, Verdict.PASS, "", tuple(stages), runs, found, Path("/x"))


def one(chased: Symptom, result: JobResult) -> Observation:
    (found,) = observe.observations(chased, result)
    return found


def test(name: str, status: Status, *diagnostics: str) -> TestResult:
    return TestResult(name, status, "why", diagnostics)


test.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("status", "sight", "how"),
    [
        (Status.PASS, Sight.ABSENT, "works"),
        (Status.FAIL, Sight.SHOWN, "fail"),
        (Status.XFAIL, Sight.SHOWN, "fail"),
        (Status.TIMEOUT, Sight.SHOWN, "timeout"),
        (Status.CRASHED, Sight.SHOWN, "crashed"),
        (Status.SKIP, Sight.REFUSED, "why"),
        (Status.ERROR, Sight.UNCLEAR, "error: why"),
        (Status.MISSING, Sight.UNCLEAR, "missing: why"),
    ],
)
def test_each_status_of_the_test(status: Status, sight: Sight, how: str) -> None:
    found = one(TEST, job(test("T01", status), test("T02", Status.FAIL)))
    assert (found.sight, found.how) == (sight, how)


def test_a_crash_is_known_by_its_splat() -> None:
    assert one(TEST, job(test("T01", Status.CRASHED), splats=("Oops: a",))).how == "crashed: Oops: a"


def test_a_test_that_did_not_run_says_nothing() -> None:
    assert one(TEST, job(test("T02", Status.PASS))).sight is Sight.UNCLEAR
    assert one(TEST, job()).sight is Sight.UNCLEAR


@pytest.mark.parametrize("name", ["huge", "huge.full"])
def test_a_program_that_does_not_build_says_nothing_of_itself(name: str) -> None:
    chased, unbuilt = Symptom(SymptomKind.TEST, name), job(test("huge.builds", Status.FAIL), test("o", Status.PASS))
    assert one(chased, unbuilt) == Observation(Sight.UNCLEAR, "huge does not build: why", Why.NOT_BUILT)
    assert not observe.names(chased, unbuilt)
    assert one(Symptom(SymptomKind.TEST, "huge.builds"), unbuilt) == Observation(Sight.SHOWN, "fail")
    own = job(test("huge.builds", Status.FAIL), test("huge.full", Status.FAIL))  # a case that has the name
    assert one(chased, own) == Observation(Sight.SHOWN, "fail")


@pytest.mark.parametrize("refusals", [("cow",), ("cow.no swap",), ("cow.swap", "cow.huge pages")])
def test_a_program_that_skips_all_refuses_each_of_its_cases(refusals: tuple[str, ...]) -> None:
    chased = Symptom(SymptomKind.TEST, "cow.a")

    def ran(*tests: TestResult) -> JobResult:
        result = job(*tests, test("cower", Status.PASS))
        runs = (dataclasses.replace(run, programs=("cow", "cower")) for run in result.suites)
        return dataclasses.replace(result, suites=tuple(runs))

    skipped = [test(name, Status.SKIP) for name in refusals]
    assert observe.observations(chased, ran(*skipped), repeat=2) == (Observation(Sight.REFUSED, "why"),) * 2
    assert not observe.names(chased, ran(*skipped)), "it is no result of that name"
    for other in (Status.PASS, Status.FAIL):  # something of it ran, and not the case
        assert one(chased, ran(*skipped, test("cow.b", other))).sight is Sight.UNCLEAR
    assert one(chased, ran(*skipped, test("cow.a", Status.PASS))).sight is Sight.ABSENT
    assert one(chased, ran()).sight is Sight.UNCLEAR
    assert one(Symptom(SymptomKind.TEST, "cow.a.b"), ran(*skipped)).sight is Sight.REFUSED


def test_a_program_whose_name_begins_with_that_of_another_is_no_case_of_it() -> None:
    result = job(test("uffd.a", Status.PASS), test("uffd.sh", Status.FAIL), test("uffd.sh.b", Status.FAIL))
    runs = tuple(dataclasses.replace(run, programs=("uffd", "uffd.sh")) for run in result.suites)
    shown = dataclasses.replace(result, suites=runs)
    sights = [one(Symptom(SymptomKind.TEST, name), shown).sight for name in ("uffd", "uffd.sh", "uffd.sh.b")]
    assert sights == [Sight.ABSENT, Sight.SHOWN, Sight.SHOWN]


def test_a_text_that_looks_like_counted_runs_is_none_where_the_outcome_is_another() -> None:
    assert one(TEST, job(test("T01", Status.PASS, "2 of 5 runs failed"))).sight is Sight.ABSENT


def test_repeated_runs_are_counted_from_what_the_program_says() -> None:
    said = test("T01", Status.FAIL, "2 of 9 runs skipped", "3 of 9 runs failed")
    sights = [s.sight for s in observe.observations(TEST, job(said), repeat=9)]
    assert [sights.count(s) for s in (Sight.SHOWN, Sight.REFUSED, Sight.ABSENT)] == [3, 2, 4]
    assert len(observe.observations(TEST, job(test("T01", Status.PASS)), repeat=9)) == 9
    assert len(observe.observations(TEST, job(test("T01", Status.CRASHED)), repeat=9)) == 1


@pytest.mark.parametrize(
    ("stage", "why"),
    [
        (Stage.SOURCE, Why.NO_SOURCE),
        (Stage.SERIES, Why.NOT_APPLIED),
        (Stage.BUILD, Why.NOT_BUILT),
        (Stage.BOOT, Why.NOT_BOOTED),
    ],
)
def test_why_a_step_says_nothing_is_kept_apart(stage: Stage, why: Why) -> None:
    found = one(TEST, job(failed=stage))
    assert (found.sight, found.why) == (Sight.UNCLEAR, why)


@pytest.mark.parametrize("chased", [TEST, SPLAT, BOOT, BUILD])
def test_a_failure_of_the_host_is_no_answer(chased: Symptom) -> None:
    for stage in (Stage.SOURCE, Stage.BUILD):
        assert one(chased, job(failed=stage, verdict=Verdict.INFRA)).sight is Sight.INFRA


def test_an_oops_beats_the_lost_connection() -> None:
    lost = {"failed": Stage.SUITE, "verdict": Verdict.INFRA}
    crashed = test("T01", Status.CRASHED)
    assert one(TEST, job(crashed, splats=("Oops: a",), **lost)).sight is Sight.SHOWN  # type: ignore[arg-type]
    assert one(TEST, job(crashed, **lost)).sight is Sight.INFRA  # type: ignore[arg-type]
    assert one(BOOT, job(failed=Stage.BOOT, verdict=Verdict.INFRA, splats=("Oops: a",))).sight is Sight.SHOWN


def test_a_build_is_known_by_its_first_error_without_numbers() -> None:
    first = one(BUILD, job(failed=Stage.BUILD, message="mm/a.c:17: error: x"))
    later = one(BUILD, job(failed=Stage.BUILD, message="mm/a.c:19: error: x"))
    other = one(BUILD, job(failed=Stage.BUILD, message="mm/b.c:17: error: x"))
    assert first == later != other and first.sight is Sight.SHOWN
    two, three = (
        one(BUILD, job(failed=Stage.BUILD, message=f"ld: mm/a.o: undefined reference to `foo{n}'")) for n in "23"
    )
    assert two != three  # a number in a name says which it is
    assert one(BUILD, job()).sight is Sight.ABSENT


@pytest.mark.parametrize(
    ("error", "other"),
    [
        ("implicit declaration of function ‘foo’; did you mean ‘fool’? [-W]", "implicit declaration of function ‘bar’"),
        ("‘struct page’ has no member named ‘foo’", "‘struct page’ has no member named ‘bar’"),
        ("call to undeclared function 'foo'; ISO C99 does not support it", "call to undeclared function 'bar'"),
    ],
)
def test_a_name_that_is_gone_is_one_error_in_whichever_file_it_is_seen_first(error: str, other: str) -> None:
    def broken(message: str) -> Observation:
        return one(BUILD, job(failed=Stage.BUILD, message=f"the build broke: {message}"))

    first = broken(f"mm/a.c:17:2: error: {error}")
    assert first == broken(f"fs/b.c:19:8: error: {error.partition('; did')[0]}") and "foo" in first.how
    assert first != broken(f"mm/a.c:17:2: error: {other}")


def test_a_boot_is_known_by_its_panic() -> None:
    assert one(BOOT, job(failed=Stage.BOOT, splats=("Oops: a",))).how == "Oops: a"
    hung = "not up after 61 s, silent for 3 s; the last line is: mounting"
    assert one(BOOT, job(failed=Stage.BOOT, message=hung)).how == "not up after N s, silent for N s"
    assert one(BOOT, job(test("T01", Status.FAIL))).sight is Sight.ABSENT


def test_a_splat_is_known_by_its_title_and_its_absence_needs_tests_that_ended() -> None:
    passed = test("T01", Status.PASS)
    assert one(SPLAT, job(passed, splats=("WARNING: b", "BUG: Bad page map in x"))).sight is Sight.SHOWN
    assert one(SPLAT, job(passed, splats=("WARNING: b",))).sight is Sight.ABSENT
    assert one(SPLAT, job(passed, splats=("Oops: a",))).sight is Sight.UNCLEAR
    assert one(SPLAT, job(passed, test("T02", Status.TIMEOUT))).sight is Sight.UNCLEAR
    assert one(SPLAT, job()).sight is Sight.UNCLEAR
    assert one(SPLAT, job(failed=Stage.BOOT, splats=("BUG: Bad page map in x",))).sight is Sight.SHOWN
    assert one(SPLAT, job(failed=Stage.BOOT)).why is Why.NOT_BOOTED


CIRCLE = "lockdep: possible circular locking dependency detected in foo"
OTHER_LOCK = Splat("lockdep", "lockdep: possible recursive locking detected in bar", 1, 1, "", False)
TAINTED = Splat("lockdep", "lock debugging: switched itself off", 1, 1, "", False, allowed_by="harmless")
LEAKS_OFF = Splat("kmemleak", "kmemleak: switched itself off", 1, 1, "", False, allowed_by="harmless")


@pytest.mark.parametrize(
    ("name", "beside", "sight"),
    [
        (CIRCLE, OTHER_LOCK, Sight.UNCLEAR),
        (CIRCLE, TAINTED, Sight.UNCLEAR),
        ("lockdep: * in foo", OTHER_LOCK, Sight.UNCLEAR),
        ("*possible circular locking dependency*", OTHER_LOCK, Sight.UNCLEAR),  # a glob may stand for such a title
        ("l?ckdep: * in foo", OTHER_LOCK, Sight.UNCLEAR),
        ("[l]ockdep: * in foo", OTHER_LOCK, Sight.UNCLEAR),
        ("BUG: *lock*", OTHER_LOCK, Sight.UNCLEAR),
        ("*suspected memory leaks", LEAKS_OFF, Sight.UNCLEAR),
        ("suspicious RCU usage in mm/a.c", OTHER_LOCK, Sight.UNCLEAR),
        ("BUG: spinlock bad magic in foo", OTHER_LOCK, Sight.UNCLEAR),
        ("kmemleak: * new suspected memory leaks", LEAKS_OFF, Sight.UNCLEAR),
        # the checker of the symptom went on
        (CIRCLE, Splat("lockdep", "suspicious RCU usage in mm/a.c", 1, 1, "", False), Sight.ABSENT),
        (CIRCLE, LEAKS_OFF, Sight.ABSENT),
        ("WARNING in foo", OTHER_LOCK, Sight.ABSENT),
        ("WARNING*foo", OTHER_LOCK, Sight.ABSENT),
        ("BUG: Bad page*", OTHER_LOCK, Sight.ABSENT),
        ("BUG:", OTHER_LOCK, Sight.ABSENT),  # no glob: a title as it is
        ("KASAN: use-after-free in foo", Splat("kasan", "KASAN: use-after-free in b", 1, 1, "", False), Sight.ABSENT),
        (OTHER_LOCK.title, OTHER_LOCK, Sight.SHOWN),
    ],
)
def test_a_splat_is_not_absent_where_what_looks_for_it_had_ended(name: str, beside: Splat, sight: Sight) -> None:
    result = dataclasses.replace(job(test("T01", Status.PASS)), splats=(beside,))
    found = one(Symptom(SymptomKind.SPLAT, name), result)
    assert found.sight is sight and (found.why is Why.OTHER) == (sight is Sight.UNCLEAR)
    assert sight is not Sight.UNCLEAR or beside.title in found.how


def test_a_console_says_nothing_of_a_splat_where_every_test_was_skipped() -> None:
    skipped, passed = (job(test("T01", Status.SKIP), test("T02", status)) for status in (Status.SKIP, Status.PASS))
    refused, shown = one(SPLAT, skipped), Observation(Sight.SHOWN, SPLAT.name)
    assert refused.how == "all 2 tests were skipped: why" and one(SPLAT, passed).sight is Sight.ABSENT
    assert symptom.read(refused, symptom.learn([shown], [one(SPLAT, passed)])).why is Why.REFUSED
    assert symptom.read(refused, symptom.learn([shown], [refused])).sight is Sight.ABSENT
    assert symptom.read(refused, symptom.learn([refused])).why is Why.REFUSED  # a bad end has to show the splat


def test_another_crash_than_that_of_the_bad_end_is_no_answer() -> None:
    reference = symptom.learn([Observation(Sight.SHOWN, "crashed: Oops: a")])
    assert symptom.read(Observation(Sight.SHOWN, "crashed: Oops: a"), reference).sight is Sight.SHOWN
    assert symptom.read(Observation(Sight.SHOWN, "crashed: Oops: b"), reference).why is Why.OTHER


def test_a_refusal_is_read_in_the_light_of_the_ends() -> None:
    refused, works, failed = Observation(Sight.REFUSED), Observation(Sight.ABSENT), Observation(Sight.SHOWN, "fail")
    assert symptom.read(refused, symptom.learn([failed], [works])).why is Why.REFUSED
    assert symptom.read(refused, symptom.learn([failed], [refused])).sight is Sight.ABSENT
    lost = symptom.learn([refused], [works])
    assert symptom.read(refused, lost).sight is Sight.SHOWN
    assert symptom.read(works, lost).sight is Sight.ABSENT
    assert symptom.read(failed, lost).why is Why.OTHER
    assert lost == Reference((symptom.REFUSED,))
