"""Verdicts: design section 4, over all combinations where they are few."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model import (
    CompilerWarning,
    JobResult,
    Products,
    Side,
    Splat,
    Stage,
    StageResult,
    Status,
    SuiteRun,
    TestResult,
    Tree,
    Verdict,
    expectations_file,
)
from orchestrator.model.expectations import Expectations
from orchestrator.verdict import complaints, series_verdict, transitions, verdict
from orchestrator.verdict.outcome import Outcome, meets, outcome, outcomes

PASS, FAIL, SKIP, INFRA = Verdict.PASS, Verdict.FAIL, Verdict.SKIP, Verdict.INFRA
BROKEN = [s for s in Status if s.broken]


def expect(text: str) -> Expectations:
    return expectations_file.parse("columns: [stock, patched]\ntests:\n" + text, "expected.yaml")


def stage(kind: Stage = Stage.SUITE, how: Verdict = PASS, message: str = "") -> StageResult:
    return StageResult(kind, how, 1.0, message)


def suite(problems: tuple[str, ...] = (), retried: Any = (), **tests: Status) -> SuiteRun:
    results = tuple(TestResult(name, status) for name, status in tests.items())
    return SuiteRun("uffd", results, (), 1.0, problems, tuple(retried))


def cut(run: SuiteRun, *tests: str) -> SuiteRun:
    """Return a suite of which the host cut these tests off."""
    return replace(run, cut_off=tests)


def splat(
    title: str = "WARNING in f", fatal: bool = False, allowed: str | None = None, test: str | None = "a"
) -> Splat:
    return Splat("warning", title, 7, 9, title, fatal, test, allowed)


def job(side: Side = Side.PATCHED, **changes: Any) -> JobResult:
    fields: dict[str, Any] = {
        "name": "j",
        "tree": "t",
        "series": "s" if side is Side.PATCHED else None,
        "variant": "v",
        "side": side,
        "verdict": PASS,
        "reason": "",
        "stages": (stage(),),
        "suites": (suite(a=Status.PASS),),
        "splats": (),
        "directory": Path("d"),
    }
    return JobResult(**{**fields, **changes})


def judge(*, stages: Any = (), suites: Any = (), splats: Any = (), **rest: Any) -> Verdict:
    return verdict.judge_job(stages, suites, splats, **rest)[0]


# --- one kernel -------------------------------------------------------------------------------------------------


def test_a_job_passes_only_with_a_test_that_passed() -> None:
    assert judge(suites=[suite(a=Status.PASS)]) is PASS
    assert judge(suites=[suite(a=Status.PASS, b=Status.SKIP)]) is PASS
    assert judge(suites=[suite(a=Status.SKIP)]) is SKIP
    assert judge(suites=[suite()]) is FAIL
    assert judge(suites=[suite(), suite(a=Status.PASS)]) is FAIL
    assert judge() is FAIL


@pytest.mark.parametrize("status", BROKEN)
def test_any_broken_test_fails_a_job(status: Status) -> None:
    assert judge(suites=[suite(a=Status.PASS, b=status)]) is FAIL


def test_a_problem_of_the_output_fails_a_job() -> None:
    assert verdict.judge_job([], [suite(("no plan line",), a=Status.PASS)], []) == (FAIL, "uffd: no plan line")


def test_precedence() -> None:
    """Each finding alone, and every two together: the earlier of the list names the reason."""
    findings: list[tuple[dict[str, Any], Verdict, str]] = [
        ({"splats": [splat("oops", fatal=True)]}, FAIL, "oops"),
        ({"stages": [stage(Stage.BUILD, FAIL, "no build")]}, FAIL, "no build"),
        ({"splats": [splat("warn")]}, FAIL, "warn"),
        ({"suites": [suite(b=Status.FAIL)]}, FAIL, "b: fail"),
        ({"stages": [stage(Stage.SUITE, INFRA, "lost")]}, INFRA, "lost"),
        ({"suites": [suite()]}, FAIL, "no test ran"),
        ({"suites": [suite(a=Status.SKIP)]}, SKIP, "tests were skipped"),
    ]
    for first, second in itertools.combinations_with_replacement(findings, 2):
        facts: dict[str, list[Any]] = {"stages": [], "suites": [], "splats": []}
        for name in facts:
            facts[name] = [*second[0].get(name, []), *first[0].get(name, [])]
        found, reason = verdict.judge_job(facts["stages"], facts["suites"], facts["splats"])
        assert (found, first[2] in reason) == (first[1], True), (first, second, reason)


def test_an_oops_beats_a_lost_connection() -> None:
    assert judge(splats=[splat(fatal=True)], stages=[stage(how=INFRA)], suites=[suite(a=Status.MISSING)]) is FAIL


def test_a_lost_connection_without_an_oops_is_infra_though_tests_are_missing() -> None:
    lost = cut(suite(("no plan line",), a=Status.PASS, b=Status.ERROR, c=Status.MISSING), "b", "c")
    assert judge(stages=[stage(how=INFRA)], suites=[lost]) is INFRA
    assert judge(stages=[stage(how=INFRA)], suites=[cut(suite(a=Status.FAIL, c=Status.MISSING), "c")]) is FAIL
    assert judge(stages=[stage(how=INFRA)], suites=[cut(suite(a=Status.CRASHED, c=Status.ERROR), "c")]) is FAIL
    assert judge(stages=[stage()], suites=[lost]) is FAIL


def test_an_allowed_splat_does_not_count_and_a_fatal_one_is_never_allowed() -> None:
    assert judge(splats=[splat(allowed="known")], suites=[suite(a=Status.PASS)]) is PASS
    assert judge(splats=[splat(allowed="known", fatal=True)], suites=[suite(a=Status.PASS)]) is FAIL


@pytest.mark.parametrize(("wanted", "got"), list(itertools.product(Status, Status)))
def test_an_expectation_is_red_in_either_direction(wanted: Status, got: Status) -> None:
    wants = {"uffd": expect(f"  a: {{stock: {wanted.value}}}\n")}
    found = judge(suites=[suite(a=got, other=Status.PASS)], expected=wants, column="stock")
    met = wanted is got or {wanted, got} == {Status.FAIL, Status.XFAIL}
    assert found is (PASS if met else FAIL)


@pytest.mark.parametrize("got", list(Status))
def test_any_is_recorded_and_not_judged(got: Status) -> None:
    wants = {"uffd": expect("  a: {stock: any}\n")}
    assert judge(suites=[suite(a=got, other=Status.PASS)], expected=wants, column="stock") is PASS


def test_retries_do_not_launder() -> None:
    laundered = suite(retried=[("a", (Status.FAIL, Status.PASS))], a=Status.PASS)
    found, reason = verdict.judge_job([], [laundered], [])
    assert found is FAIL
    assert reason == "a is flaky: 1 of 3 tries broken"


# --- transitions ------------------------------------------------------------------------------------------------

BY_WORDS = {
    ("works", "works"): PASS,
    ("refused", "works"): PASS,
    ("broken", "works"): PASS,
    ("works", "broken"): FAIL,
    ("refused", "broken"): FAIL,
    ("works", "refused"): FAIL,
    ("broken", "broken"): SKIP,
    ("broken", "refused"): SKIP,
    ("refused", "refused"): SKIP,
}


@pytest.mark.parametrize(("base", "patched"), list(itertools.product(Status, Status)))
def test_transitions_without_expectations(base: Status, patched: Status) -> None:
    found = transitions.judge("a", outcome(base), outcome(patched))
    if (base, patched) == (Status.SKIP, Status.XFAIL):
        assert found.verdict is SKIP
    elif base is Status.MISSING and patched.broken and patched is not Status.MISSING:
        assert found.verdict is INFRA
    else:
        assert found.verdict is BY_WORDS[base.word, patched.word]
    assert found.note or found.words in ("works→works", "refused→refused")


@pytest.mark.parametrize(("want_base", "want_patched"), list(itertools.product(Status, Status)))
def test_transitions_with_expectations(want_base: Status, want_patched: Status) -> None:
    wants = expect(f"  a: {{stock: {want_base.value}, patched: {want_patched.value}}}\n")
    for base, patched in itertools.product(Status, Status):
        found = transitions.judge("a", outcome(base), outcome(patched), wants, "stock", "patched")
        assert (found.expected_base, found.expected_patched) == (want_base, want_patched)
        if not meets(patched, want_patched):
            assert found.verdict is FAIL
        elif not meets(base, want_base):
            assert found.verdict is (INFRA if base is Status.MISSING else FAIL)
        else:
            assert found.verdict is (PASS if patched is Status.PASS else SKIP)


@pytest.mark.parametrize("wanted", [Status.FAIL, Status.SKIP, Status.PASS])
def test_an_expectation_of_a_base_without_a_result_is_not_broken_and_not_kept(wanted: Status) -> None:
    wants = expect(f"  b: {{stock: {wanted.value}, patched: pass}}\n")
    rest = {"expected": {"uffd": wants}, "base_column": "stock", "patched_column": "patched"}
    base, works = suite(a=Status.PASS, b=Status.MISSING), suite(a=Status.PASS, b=Status.PASS)
    unknown = job(Side.BASE, suites=(base,))
    assert series(unknown, job(suites=(works,)), **rest) == (INFRA, f"b: {transitions.NOT_KNOWN}")
    assert series(unknown, job(suites=(suite(a=Status.PASS, b=Status.FAIL),)), **rest)[0] is FAIL, "it was promised"
    again = job(Side.BASE, suites=(suite(retried=[("b", (Status.MISSING,))], a=Status.PASS, b=wanted),))
    assert series(again, job(suites=(works,)), **rest)[0] is PASS, "a later try has a result"


def test_a_try_of_the_base_without_a_result_is_no_excuse() -> None:
    seen = tried(Status.MISSING, Status.PASS)
    assert transitions.judge("a", seen, FLAKY).note.startswith("flaky with the series only")
    found = transitions.judge("a", seen, tried(Status.FAIL, Status.FAIL))
    assert (found.verdict, found.note) == (FAIL, "regression")
    wants = expect("  a: {stock: fail, patched: pass}\n")
    found = transitions.judge("a", seen, tried(Status.PASS, Status.PASS), wants, "stock", "patched")
    assert (found.verdict, found.note) == (FAIL, "expected fail on base, got pass")


def test_a_promised_feature_that_is_refused_says_so() -> None:
    wants = expect("  a: {stock: skip, patched: pass}\n")
    found = transitions.judge("a", outcome(Status.SKIP), outcome(Status.SKIP), wants, "stock", "patched")
    assert (found.verdict, found.note) == (FAIL, "a promised feature is refused, got skip")


def test_an_expected_failure_gives_its_reason() -> None:
    wants = expect('  a: {stock: fail, patched: fail, why: "needs patch 9"}')
    found = transitions.judge("a", outcome(Status.FAIL), outcome(Status.FAIL), wants, "stock", "patched")
    assert (found.verdict, found.note) == (SKIP, "fail, as expected: needs patch 9")


@pytest.mark.parametrize(("base", "patched"), list(itertools.product(Status, Status)))
def test_any_on_the_patched_kernel_is_not_judged(base: Status, patched: Status) -> None:
    wants = expect("  a: {stock: pass, patched: flaky}\n")
    found = transitions.judge("a", outcome(base), outcome(patched), wants, "stock", "patched")
    assert (found.verdict, found.note) == (SKIP, "recorded, not judged")


def test_any_on_the_base_leaves_the_patched_kernel_judged() -> None:
    wants = expect("  a: {stock: any, patched: pass}\n")
    for base in Status:
        assert transitions.judge("a", outcome(base), outcome(Status.PASS), wants, "stock", "patched").verdict is PASS
        assert transitions.judge("a", outcome(base), outcome(Status.FAIL), wants, "stock", "patched").verdict is FAIL


FLAKY = outcome(Status.PASS, (Status.FAIL, Status.PASS))


def test_flaky() -> None:
    steady = outcome(Status.PASS, (Status.PASS,))
    assert FLAKY.flaky and not steady.flaky
    assert FLAKY.status is Status.FAIL
    assert transitions.judge("a", steady, FLAKY).verdict is FAIL
    assert transitions.judge("a", FLAKY, FLAKY).verdict is SKIP
    assert transitions.judge("a", FLAKY, steady).verdict is PASS
    wants = expect("  a: {stock: pass, patched: pass}\n")
    assert transitions.judge("a", steady, FLAKY, wants, "stock", "patched").verdict is FAIL
    assert transitions.judge("a", FLAKY, steady, wants, "stock", "patched").verdict is PASS


@pytest.mark.parametrize("tries", list(itertools.product([Status.PASS, Status.FAIL, Status.TIMEOUT], repeat=3)))
def test_no_order_of_tries_makes_a_failure_pass(tries: tuple[Status, ...]) -> None:
    found = outcome(tries[-1], tries[:-1])
    assert (found.status is Status.PASS) is (set(tries) == {Status.PASS})


def tried(*statuses: Status) -> Outcome:
    return outcome(statuses[-1], statuses[:-1])


@pytest.mark.parametrize("tries", list(itertools.permutations([Status.SKIP, Status.PASS, Status.PASS])))
def test_no_order_of_tries_makes_a_skip_pass(tries: tuple[Status, ...]) -> None:
    works, promised = tried(*[Status.PASS] * 3), expect("  a: {stock: skip, patched: pass}\n")
    assert tried(*tries).status is Status.SKIP
    found = transitions.judge("a", works, tried(*tries))
    assert (found.verdict, found.note) == (FAIL, "flaky with the series only: 1 of 3 tries skipped")
    found = transitions.judge("a", tried(*[Status.SKIP] * 3), tried(*tries), promised, "stock", "patched")
    assert (found.verdict, found.note) == (FAIL, "a promised feature is refused, got skip: 1 of 3 tries skipped")
    found = transitions.judge("a", tried(*tries), tried(*tries))
    assert (found.verdict, found.note) == (
        SKIP,
        "flaky on both: 1 of 3 tries skipped on base, 1 of 3 tries skipped on patched",
    )
    assert transitions.judge("a", tried(*tries), works).verdict is PASS


@pytest.mark.parametrize("tries", list(itertools.permutations([Status.XFAIL, Status.PASS, Status.PASS])))
def test_no_order_of_tries_makes_an_expected_failure_pass(tries: tuple[Status, ...]) -> None:
    assert tried(*tries).status is Status.XFAIL
    found = transitions.judge("a", tried(*[Status.PASS] * 3), tried(*tries))
    assert (found.verdict, found.note) == (FAIL, "flaky with the series only: 1 of 3 tries failed as expected")
    assert transitions.judge("a", tried(*[Status.SKIP] * 3), tried(*tries)).verdict is SKIP


def test_a_test_that_the_base_refuses_or_breaks_each_time_is_not_charged_where_the_series_skips_it_at_times() -> None:
    patched = tried(Status.SKIP, Status.PASS)
    for base, note in (
        (Status.SKIP, "flaky with the series: 1 of 2 tries skipped"),
        (
            Status.FAIL,
            "broken on base, not offered with the series; flaky with the series: 1 of 2 tries skipped",
        ),
    ):
        found = transitions.judge("a", tried(base, base), patched)
        assert (found.verdict, found.note) == (SKIP, note)


def test_a_skip_among_passes_on_the_base_excuses_no_failure() -> None:
    base = tried(Status.PASS, Status.SKIP, Status.PASS)
    assert transitions.judge("a", base, FLAKY).verdict is FAIL
    assert transitions.judge("a", base, tried(*[Status.FAIL] * 3)).verdict is FAIL


PASSED, FAILED, SKIPPED = Status.PASS, Status.FAIL, Status.SKIP


@pytest.mark.parametrize(
    ("base", "patched", "judged", "note"),
    [
        ((PASSED, FAILED, PASSED), (FAILED,) * 3, FAIL, "broken each time with the series, at times on base"),
        ((PASSED, FAILED, FAILED), (FAILED,) * 3, SKIP, "broken each time with the series, at times on base"),
        ((PASSED, FAILED), (FAILED,) * 2, SKIP, "broken each time with the series, at times on base"),
        ((PASSED, SKIPPED, PASSED), (SKIPPED,) * 3, FAIL, "refused each time with the series, at times on base"),
        ((PASSED, SKIPPED, SKIPPED), (SKIPPED,) * 3, SKIP, "refused each time with the series, at times on base"),
        ((PASSED, FAILED, PASSED), (SKIPPED,) * 3, FAIL, "refused each time with the series, flaky on base"),
        ((PASSED, SKIPPED), (FAILED,) * 2, FAIL, "broken each time with the series, never on base"),
    ],
)
def test_a_base_that_is_flaky_acquits_only_where_that_may_be_all(
    base: tuple[Status, ...], patched: tuple[Status, ...], judged: Verdict, note: str
) -> None:
    found = transitions.judge("a", tried(*base), tried(*patched))
    assert found.verdict is judged
    assert found.note == f"{note}: {tried(*patched).story}, {tried(*base).story} on base"


def counted(broken: int, of: int) -> SuiteRun:
    lines = (f"{broken} of {of} runs failed",) if broken else ()
    tests = (TestResult("a", Status.FAIL if broken else Status.PASS, "", lines), TestResult("b", Status.PASS))
    return replace(suite(), tests=tests)


@pytest.mark.parametrize(
    ("base", "patched", "judged", "note"),
    [
        (1, 100, FAIL, "broken each time with the series, at times on base: 100 of 100 tries broken, 1 of 100 tries"),
        (1, 90, SKIP, "flaky on both: 1 of 100 tries broken on base, 90 of 100 tries broken on patched"),
        (60, 100, SKIP, "broken each time with the series, at times on base: 100 of 100 tries broken, 60 of 100 tries"),
        (0, 3, FAIL, "flaky with the series only: 3 of 100 tries broken"),
        (100, 3, SKIP, "broken on base too; flaky with the series: 3 of 100 tries broken"),
        (100, 100, SKIP, "broken on base too"),
        (3, 0, PASS, "flaky on base: 3 of 100 tries broken"),
    ],
)
def test_repeated_runs_in_one_guest_are_tries(base: int, patched: int, judged: Verdict, note: str) -> None:
    both = job(Side.BASE, suites=(counted(base, 100),)), job(suites=(counted(patched, 100),))
    found = transitions.between(*both)[0]
    assert found.verdict is judged and found.note.startswith(note)
    assert (found.base, found.patched) == tuple(Status.FAIL if n else Status.PASS for n in (base, patched))
    wants = {"uffd": expect("  a: {stock: fail, patched: fail}\n")}
    if base and patched:
        assert transitions.between(*both, wants, "stock", "patched")[0].verdict is SKIP, "as expected, if not each time"


def test_a_test_that_passed_is_not_flaky_for_what_it_printed() -> None:
    printed = TestResult("a", Status.PASS, "", ("1 of 2 runs failed",))
    base, patched = (job(side, suites=(replace(suite(), tests=(printed,)),)) for side in Side)
    assert transitions.between(base, patched)[0].verdict is PASS


def test_a_count_of_runs_that_cannot_be_is_no_count() -> None:
    for line in ("5 of 3 runs failed", f"{10**12} of {10**13} runs failed", "1 of 2 runs", "0 of 0 runs failed"):
        (one,) = outcomes(replace(suite(), tests=(TestResult("a", Status.FAIL, "", (line,)),))).values()
        assert (one.tries, one.counted.tries) == ((Status.FAIL,), (Status.FAIL,))


def test_each_try_must_be_as_expected() -> None:
    wants = {"uffd": expect("  a: {stock: skip}\n")}
    for last, earlier in ((Status.SKIP, Status.PASS), (Status.PASS, Status.SKIP)):
        suites = [suite(retried=[("a", (earlier,))], a=last, other=Status.PASS)]
        found = verdict.judge_job([], suites, [], wants, "stock")
        assert found == (FAIL, "a: pass, expected skip: 1 of 2 tries skipped")
        assert verdict.judge_job([], suites, [])[0] is PASS, "without an expectation both are right"


# --- series -----------------------------------------------------------------------------------------------------


def series(base: JobResult, patched: JobResult, **rest: Any) -> tuple[Verdict, str]:
    found = series_verdict.judge(base, patched, **rest)
    return found.verdict, found.reason


def test_series_counts_its_transitions() -> None:
    base = job(Side.BASE, suites=(suite(a=Status.SKIP, b=Status.PASS),))
    patched = job(suites=(suite(a=Status.PASS, b=Status.PASS),))
    assert series(base, patched) == (PASS, "1 refused→works, 1 works→works")


def test_series_that_changes_nothing_for_better_or_worse() -> None:
    base = job(Side.BASE, suites=(suite(a=Status.FAIL),))
    patched = job(suites=(suite(a=Status.FAIL),))
    assert series(base, patched) == (SKIP, "1 broken→broken")


def test_regression() -> None:
    found, reason = series(job(Side.BASE), job(suites=(suite(a=Status.TIMEOUT),)))
    assert found is FAIL
    assert reason == "a: works→broken, regression"


@pytest.mark.parametrize("kind", [Stage.SOURCE, Stage.BUILD, Stage.ROOTFS, Stage.BOOT])
@pytest.mark.parametrize("how", [FAIL, INFRA])
@pytest.mark.parametrize(
    "also", [job(), job(stages=(stage(Stage.BUILD, FAIL, "x"),)), job(splats=(splat(fatal=True),))]
)
def test_a_base_that_fails_gives_no_verdict(kind: Stage, how: Verdict, also: JobResult) -> None:
    found, reason = series(job(Side.BASE, stages=(stage(kind, how, "boom"),), suites=()), also)
    assert found is INFRA
    assert "base failed" in reason and "boom" in reason


def test_a_series_that_does_not_apply_fails_whatever_the_base() -> None:
    patched = job(stages=(stage(Stage.SERIES, FAIL, "patch 3 does not apply"),), suites=())
    for base in (job(Side.BASE), job(Side.BASE, stages=(stage(Stage.BUILD, FAIL),), suites=())):
        assert series(base, patched)[0] is FAIL


def test_a_base_without_tests_is_nothing_to_compare_with() -> None:
    assert series(job(Side.BASE, suites=()), job())[0] is INFRA


def test_no_test_on_the_patched_kernel() -> None:
    assert series(job(Side.BASE), job(suites=()))[0] is FAIL
    assert series(job(Side.BASE), job(suites=(), stages=(stage(Stage.BOOT, INFRA, "no QEMU"),))) == (
        INFRA,
        "boot: no QEMU",
    )


def test_lost_connection_on_the_patched_kernel() -> None:
    base = job(Side.BASE, suites=(suite(a=Status.PASS, b=Status.PASS),))
    lost = job(suites=(cut(suite(a=Status.PASS, b=Status.MISSING), "b"),), stages=(stage(how=INFRA, message="lost"),))
    assert series(base, lost)[0] is INFRA
    failed = replace(lost, suites=(cut(suite(a=Status.FAIL, b=Status.MISSING), "b"),))
    assert series(base, failed)[0] is FAIL
    oops = job(suites=lost.suites, stages=lost.stages, splats=(splat("oops", fatal=True),))
    assert series(base, oops) == (FAIL, "oops during a (console line 7)")


def test_a_test_cut_off_by_the_host_is_charged_to_nobody() -> None:
    """Its transition says so too: a table, or JUnit, that shows a regression there would be wrong."""
    tests = cut(suite(a=Status.ERROR, b=Status.PASS), "a")
    lost = job(stages=(stage(how=INFRA, message="connection lost"),), suites=(tests,))
    fine = job(Side.BASE, suites=(suite(a=Status.PASS, b=Status.PASS),))
    found = series_verdict.judge(fine, lost)
    assert (found.verdict, found.reason) == (INFRA, "suite: connection lost")
    assert [(c.test, c.verdict) for c in found.transitions] == [("a", INFRA), ("b", PASS)]
    assert series_verdict.judge(replace(lost, side=Side.BASE), fine).transitions[0].verdict is INFRA
    other = replace(lost, suites=(replace(tests, cut_off=()),))
    assert series_verdict.judge(fine, other).verdict is FAIL, "it is not the host that cut this one off"


def test_what_the_host_cut_off_is_its_work_and_what_a_test_did_by_itself_is_not() -> None:
    """An oops that both have in another test explains no guest that the host lost, and that no test that broke."""
    host: dict[str, Any] = {"stages": (stage(how=INFRA, message="killed (during b)"),)}
    oops: dict[str, Any] = {"splats": (splat("oops", fatal=True),)}
    whole, red, lost = (
        suite(a=Status.CRASHED, b=Status.PASS),
        suite(a=Status.CRASHED, b=Status.FAIL),
        cut(suite(a=Status.CRASHED, b=Status.ERROR), "b"),
    )
    assert series(job(Side.BASE, suites=(whole,), **oops), job(suites=(lost,), **oops, **host))[0] is INFRA
    assert series(job(Side.BASE, suites=(lost,), **oops, **host), job(suites=(red,), **oops))[0] is INFRA
    base = job(Side.BASE, suites=(suite(a=Status.PASS, b=Status.PASS),))
    found = series_verdict.judge(base, job(suites=(lost,), **host))
    assert (found.verdict, found.reason) == (FAIL, "a: works→broken, regression")
    assert [(c.test, c.verdict) for c in found.transitions] == [("a", FAIL), ("b", INFRA)]


@pytest.mark.parametrize("oopses", [(), (splat("oops", fatal=True),)])
def test_a_suite_to_which_the_host_did_not_let_a_kernel_come_is_charged_to_nobody(oopses: tuple[Splat, ...]) -> None:
    ran, other = suite(a=Status.PASS), replace(suite(b=Status.PASS), suite="other")
    base = job(Side.BASE, suites=(ran, other), splats=oopses)
    for suites in ((ran,), (ran, replace(other, tests=()))):
        ended = job(suites=suites, splats=oopses, stages=(stage(how=INFRA, message="no QEMU"),))
        assert series(base, ended)[0] is INFRA
        assert series(base, replace(ended, stages=(stage(),)))[0] is FAIL


def test_an_oops_on_both_is_known_and_explains_the_lost_connections() -> None:
    oops: dict[str, Any] = {"splats": (splat("oops", fatal=True),), "stages": (stage(how=INFRA, message="lost"),)}
    tests = (suite(a=Status.PASS, b=Status.CRASHED),)
    found, reason = series(job(Side.BASE, suites=tests, **oops), job(suites=tests, **oops))
    assert (found, reason) == (PASS, "1 broken→broken, 1 works→works")


def test_splats() -> None:
    warn, other = splat("WARNING in f"), splat("WARNING in g")
    assert series(job(Side.BASE), job(splats=(warn,)))[0] is FAIL
    assert series(job(Side.BASE, splats=(warn,)), job(splats=(warn,)))[0] is PASS
    assert series(job(Side.BASE, splats=(warn,)), job())[0] is PASS
    assert series(job(Side.BASE), job(splats=(splat("WARNING in f", allowed="known"),)))[0] is PASS
    found = series_verdict.judge(job(Side.BASE, splats=(warn,)), job(splats=(warn, other)))
    assert found.new_splats == (other,)
    assert found.verdict is FAIL


def test_what_is_allowed_on_the_base_is_known_of_no_other_test() -> None:
    meant, elsewhere = splat("WARNING in f", allowed="meant"), splat("WARNING in f", test="b")
    found = series_verdict.judge(job(Side.BASE, splats=(meant,)), job(splats=(meant, elsewhere)))
    assert (found.new_splats, found.verdict) == ((elsewhere,), FAIL)


@pytest.mark.parametrize(
    ("title", "known"),
    [
        ("WARNING in f", True),
        ("WARNING at mm/shmem.c", True),
        ("kernel BUG at mm/shmem.c in f", True),
        ("KCSAN: data-race in f / g", True),
        ("unchecked MSR access error: RDMSR in intel_pmu_init", True),
        ("Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: do_exit", True),
        ("Out of memory (CONSTRAINT_MEMCG)", False),
        ("report without its first line", False),
        ("BUG: Bad rss-counter state (MM_SHMEMPAGES)", False),
        ("bad pmd at mm/pgtable-generic.c", False),
        ("lockdep: lock held at task exit time", False),
        ("using smp_processor_id() in preemptible code", False),
        ("Kernel panic - not syncing: Fatal exception in interrupt", False),
    ],
)
def test_a_title_without_a_place_is_known_during_its_test_only(title: str, known: bool) -> None:
    base = job(Side.BASE, splats=(splat(title, test="a"),))
    assert series(base, job(splats=(splat(title, test="a"),)))[0] is PASS
    assert series(base, job(splats=(splat(title, test="b"),)))[0] is (PASS if known else FAIL)


@pytest.mark.parametrize("kind", ["hung-task", "irq", "kmemleak", "lockup", "msr", "net", "rcu-stall"])
def test_what_a_watchdog_or_the_machine_brings_up_is_known_during_every_test(kind: str) -> None:
    of_base, of_series = (replace(splat("found", test=test), kind=kind) for test in ("a", "b"))
    assert series(job(Side.BASE, splats=(of_base,)), job(splats=(of_series,)))[0] is PASS


@pytest.mark.parametrize(
    ("before", "after", "judged"),
    [((1,), (1,), PASS), ((57,), (40, 23), PASS), ((1,), (2,), PASS), ((1,), (812,), FAIL), ((1,), (1, 1, 1), FAIL)],
)
def test_far_more_leaks_than_on_the_base_are_new(
    before: tuple[int, ...], after: tuple[int, ...], judged: Verdict
) -> None:
    """The kernel's line has a number and no place; the moments of its scans are chance."""

    def leaks(numbers: tuple[int, ...]) -> tuple[Splat, ...]:
        text = "kmemleak: {} new suspected memory leaks (see /sys/kernel/debug/kmemleak)"
        title = "kmemleak: suspected memory leaks"
        return tuple(Splat("kmemleak", title, 7, 7, text.format(number), False, None) for number in numbers)

    assert series(job(Side.BASE, splats=leaks(before)), job(splats=leaks(after)))[0] is judged
    assert series(job(Side.BASE), job(splats=leaks(after)))[0] is FAIL


def test_problems_count_where_they_are_new() -> None:
    bad = (suite(("no plan line",), a=Status.PASS),)
    assert series(job(Side.BASE), job(suites=bad)) == (FAIL, "uffd: no plan line")
    assert series(job(Side.BASE, suites=bad), job(suites=bad))[0] is PASS


def test_an_oops_that_both_have_is_known_where_it_ends_one_of_them_between_two_tests() -> None:
    line = "BUG: unable to handle page fault for address: ffff88800dead000"
    oops = replace(splat("page fault in f", fatal=True, test="a"), text=f"[   12.345678] {line}\n[   12.345679] #PF")
    base = job(Side.BASE, suites=(suite(a=Status.CRASHED),), splats=(oops,))
    ended = job(suites=(suite((f"p: the guest died: {line}, while no test ran",), a=Status.PASS),), splats=(oops,))
    assert series(base, ended)[0] is PASS
    assert series(replace(base, splats=()), ended)[0] is FAIL
    reset = suite(("p: the guest died: the guest reset itself, while no test ran",), a=Status.PASS)
    assert series(base, replace(ended, suites=(reset,))) == (FAIL, f"uffd: {reset.problems[0]}")


def test_new_warnings_are_listed_by_file_and_text() -> None:
    old = CompilerWarning("mm/a.c:10", "unused x")
    moved, new = CompilerWarning("mm/a.c:17", "unused x"), CompilerWarning("mm/a.c:20", "unused y")
    found = series_verdict.judge(job(Side.BASE, warnings=(old,)), job(warnings=(moved, new)))
    assert found.new_warnings == (new,)
    assert found.verdict is PASS


def test_the_same_warning_once_more_in_one_file_is_a_new_one() -> None:
    old, again = CompilerWarning("mm/a.c:10", "unused x"), CompilerWarning("mm/a.c:30", "unused x")
    assert series_verdict.judge(job(Side.BASE, warnings=(old,)), job(warnings=(old, again))).new_warnings == (again,)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("objtool: foo+0x1a3: unreachable instruction", "objtool: foo+0x1ab: unreachable instruction"),
        (
            "modpost: x: reference in foo+0x12/0x40 (section: .text)",
            "modpost: x: reference in foo+0x1/0x48 (section: .text)",
        ),
        (
            "the frame size of 2064 bytes is larger than 2048 bytes",
            "the frame size of 2080 bytes is larger than 2048 bytes",
        ),
        ("'f' redeclared (originally declared at mm/a.h:12)", "'f' redeclared (originally declared at mm/a.h:14)"),
        ("stack frame size (2064) exceeds limit (2048) in 'f'", "stack frame size (2080) exceeds limit (2048) in 'f'"),
    ],
)
def test_a_warning_of_which_an_offset_or_a_size_changed_is_not_new(old: str, new: str) -> None:
    before, after = CompilerWarning("mm/a.c:10", old), CompilerWarning("mm/a.c:30", new)
    judged = series_verdict.judge(job(Side.BASE, warnings=(before,)), job(warnings=(after,)))
    assert judged.new_warnings == ()
    both = series_verdict.judge(job(Side.BASE, warnings=(before,)), job(warnings=(after, before)))
    assert both.new_warnings == (after,)


def test_a_kernel_that_does_not_come_up_without_what_its_series_is_made_for_is_charged_to_nobody() -> None:
    tree = Tree(Path("git"), "c", "b", "t", "toy", lacking=("prerequisite-patch-id: ab",))
    died: dict[str, Any] = {
        "stages": (stage(Stage.BOOT, INFRA, "panic"),),
        "suites": (),
        "splats": (splat(fatal=True),),
    }
    ran: dict[str, Any] = {"stages": (stage(),), "splats": (splat(fatal=True),)}
    for products, up, not_up in ((Products(tree=tree), FAIL, INFRA), (Products(), FAIL, FAIL)):
        assert series(job(Side.BASE), job(products=products, **died))[0] is not_up
        assert series(job(Side.BASE), job(products=products, **ran))[0] is up, "tests ran"
        assert judge(**died, tree=products.tree) is not_up


def test_a_warning_that_moved_to_another_file_is_not_new() -> None:
    text, there = "no previous prototype for 'f'", CompilerWarning("mm/b.c:3", "no previous prototype for 'f'")
    here, other = CompilerWarning("mm/a.c:10", text), CompilerWarning("mm/a.c:12", "no previous prototype for 'g'")
    for before, after, new in (
        ([here], [there], []),
        ([here, other], [there, other], []),
        ([here], [here, there], [there]),
        ([here], [there, there], [there]),
        ([other], [there], [there]),
    ):
        assert complaints.new(before, after) == tuple(new)


def test_expectations_reach_the_series() -> None:
    wants = {"uffd": expect("  a: {stock: skip, patched: pass}\n")}
    rest = {"expected": wants, "base_column": "stock", "patched_column": "patched"}
    refused, works = (suite(a=Status.SKIP),), (suite(a=Status.PASS),)
    assert series(job(Side.BASE, suites=refused), job(suites=works), **rest)[0] is PASS
    assert series(job(Side.BASE, suites=refused), job(suites=refused), **rest)[0] is FAIL
    assert series(job(Side.BASE, suites=works), job(suites=works), **rest)[0] is FAIL


def test_a_test_of_one_kernel_only_is_missing_with_the_series_and_refused_on_the_base() -> None:
    both = transitions.between(job(Side.BASE, suites=(suite(a=Status.PASS),)), job(suites=(suite(b=Status.PASS),)))
    assert [(t.test, t.base, t.patched, t.suite, t.verdict) for t in both] == [
        ("a", Status.PASS, Status.MISSING, "uffd", FAIL),
        ("b", Status.SKIP, Status.PASS, "uffd", PASS),
    ]


def cases(tests: dict[str, Status], *problems: str) -> SuiteRun:
    results = tuple(TestResult(*pair) for pair in tests.items())
    return SuiteRun("uffd", results, (), 1.0, problems, programs=("p", "p.sh", "p.py", "q"))


def changed(base: SuiteRun, patched: SuiteRun) -> dict[str, Verdict]:
    both = transitions.between(job(Side.BASE, suites=(base,)), job(suites=(patched,)))
    return {change.test: change.verdict for change in both}


def test_a_case_that_comes_with_the_series_and_fails_is_charged_to_it() -> None:
    patched = cases({"p.one": Status.PASS, "p.two": Status.FAIL})
    assert changed(cases({"p.one": Status.PASS}), patched) == {"p.one": PASS, "p.two": FAIL}
    assert changed(cases({"p.one": Status.FAIL}), patched) == {"p.one": PASS, "p.two": FAIL}


@pytest.mark.parametrize("end", [Status.TIMEOUT, Status.CRASHED, Status.MISSING, Status.ERROR])
def test_of_a_program_that_did_not_come_to_its_end_on_the_base_nobody_knows_what_it_has(end: Status) -> None:
    patched = cases({"p.one": Status.PASS, "p.two": Status.FAIL, "q.one": Status.FAIL})
    assert changed(cases({"p.one": Status.PASS, "p": end, "q.two": Status.PASS}), patched) == {
        "p": SKIP, "p.one": PASS, "p.two": INFRA, "q.one": FAIL, "q.two": FAIL,
    }  # fmt: skip
    unfinished = cases({"p.one": Status.PASS}, "p: no plan")
    assert changed(unfinished, cases({"p.one": Status.PASS, "p.two": Status.FAIL}))["p.two"] is INFRA
    assert changed(unfinished, cases({"p.one": Status.PASS, "p.two": Status.PASS}))["p.two"] is PASS
    assert changed(unfinished, cases({"p.one": Status.PASS, "p.two": Status.SKIP}))["p.two"] is SKIP


@pytest.mark.parametrize("end", [Status.TIMEOUT, Status.CRASHED, Status.ERROR])
def test_a_case_that_only_one_kernel_reached_of_a_program_cut_off_on_both_is_charged_to_nobody(end: Status) -> None:
    short, long = cases({"p.one": Status.PASS, "p": end}), cases({"p.one": Status.PASS, "p.two": Status.FAIL, "p": end})
    for base, patched in ((short, long), (long, short)):
        both = transitions.between(job(Side.BASE, suites=(base,)), job(suites=(patched,)))
        assert [(c.verdict, c.note) for c in both if c.test == "p.two"] == [(SKIP, transitions.NOT_REACHED)]


def test_a_case_of_a_program_whose_name_begins_with_that_of_one_cut_off_is_charged() -> None:
    shown = {"p": Status.TIMEOUT, "p.sh.one": Status.PASS}
    base, patched = cases({**shown, "p.sh.two": Status.PASS}), cases(shown)
    assert changed(base, patched)["p.sh.two"] is FAIL


@pytest.mark.parametrize("status", [Status.ERROR, Status.TIMEOUT, Status.FAIL])
def test_a_program_with_a_red_case_that_came_to_its_end_is_known(status: Status) -> None:
    base = cases({"p.one": Status.PASS, "p.huge": status})
    assert changed(base, cases({"p.one": Status.PASS, "p.huge": status, "p.new": Status.FAIL}))["p.new"] is FAIL


def test_the_problem_of_another_program_says_nothing_of_this_one() -> None:
    patched = cases({"p.one": Status.PASS, "p.new": Status.FAIL, "q.one": Status.PASS}, "q: 2 result lines, 1 planned")
    base = cases({"p.one": Status.PASS, "q.one": Status.PASS}, "q: 2 result lines, 1 planned")
    assert changed(base, patched)["p.new"] is FAIL
    for problem in ("setup 'modprobe x': exit code 1", "uffd-zap: exit code 3, and no test failed"):
        of_suite = cases({"p.one": Status.PASS, "q.one": Status.PASS}, problem)
        assert changed(of_suite, patched)["p.new"] is INFRA, "this may be why it is not there"


@pytest.mark.parametrize("status", [s for s in BROKEN if s is not Status.MISSING])
def test_a_failure_of_which_the_base_has_no_result_is_charged_to_nobody_and_no_pass(status: Status) -> None:
    base = job(Side.BASE, suites=(suite(a=Status.PASS, b=Status.MISSING),))
    reason = f"b: {transitions.NOT_KNOWN}"
    assert series(base, job(suites=(suite(a=Status.PASS, b=status),))) == (INFRA, reason)
    flaky = suite(retried=[("b", (Status.PASS,))], a=Status.PASS, b=status)
    assert series(base, job(suites=(flaky,))) == (INFRA, f"{reason}; flaky with the series: 1 of 2 tries broken")
    assert series(base, job(suites=(suite(a=Status.PASS, b=Status.PASS),)))[0] is PASS
    assert series(base, job(suites=(suite(a=Status.PASS, b=Status.MISSING),)))[0] is PASS, "it is the same"
    assert series(base, job(suites=(suite(a=Status.FAIL, b=status),)))[0] is FAIL
    seen_once = suite(retried=[("b", (Status.MISSING,))], a=Status.PASS, b=Status.FAIL)
    again = suite(retried=[("b", (status,))], a=Status.PASS, b=status)
    assert series(job(Side.BASE, suites=(seen_once,)), job(suites=(again,)))[0] is PASS, "broken on base too"


@pytest.mark.parametrize(
    "base",
    [{"p.(program)": Status.SKIP}, {"p": Status.SKIP}, {"p.no feature": Status.SKIP}, {"p": Status.PASS}],
    ids=["1..0 # SKIP", "exit 4", "skip behind a plan", "no plan"],
)
def test_a_program_that_names_its_cases_with_the_series_alone_has_lost_nothing(base: dict[str, Status]) -> None:
    works, broken = {"p.one": Status.PASS, "p.two": Status.PASS}, {"p.one": Status.PASS, "p.two": Status.FAIL}
    assert changed(cases(base), cases(works)) == {"p.one": PASS, "p.two": PASS}
    assert changed(cases(base), cases(broken)) == {"p.one": PASS, "p.two": FAIL}
    assert changed(cases(base), suite(p=Status.CRASHED))["p"] is FAIL
    assert FAIL in changed(cases(works), cases(base)).values(), "and the other way round they have gone"


def test_a_program_whose_name_has_a_dot_is_no_other_one() -> None:
    named = {"p.sh.one": Status.PASS, "p.sh.two": Status.PASS}
    assert changed(cases({"p.sh": Status.PASS}), cases(named)) == {"p.sh.one": PASS, "p.sh.two": PASS}
    base = cases({"p.py": Status.TIMEOUT, "p.sh.one": Status.PASS})
    patched = cases({"p.py": Status.TIMEOUT, "p.sh.one": Status.PASS, "p.sh.two": Status.FAIL})
    assert changed(base, patched)["p.sh.two"] is FAIL, "the other one was late"
    late = cases({"p.sh": Status.TIMEOUT, "p.sh.one": Status.PASS})
    assert changed(late, patched)["p.sh.two"] is INFRA


# --- fold and exit codes ----------------------------------------------------------------------------------------


def test_fold() -> None:
    order = [FAIL, INFRA, PASS, SKIP]
    for count in range(1, 5):
        for found in itertools.product(Verdict, repeat=count):
            assert verdict.fold(found) is min(found, key=order.index)
    assert verdict.fold([]) is FAIL


def test_exit_codes() -> None:
    assert [v.exit_code for v in (PASS, FAIL, INFRA, SKIP)] == [0, 1, 3, 4]


def test_a_patched_kernel_that_does_not_build_is_one_reason_and_not_a_list_of_missing_tests() -> None:
    broken = StageResult(Stage.BUILD, Verdict.FAIL, 1.0, "the build broke: mm/a.c:1: error: x")
    found = series_verdict.judge(job(Side.BASE), job(stages=(broken,), suites=()))
    assert found.transitions == ()
    assert (found.verdict, found.reason) == (FAIL, "build: the build broke: mm/a.c:1: error: x")


def test_why_nothing_but_skips_came_is_told_by_the_first_reason() -> None:
    tests = (TestResult("a", Status.SKIP), TestResult("b", Status.SKIP, "no swap"))
    _, reason = verdict.judge_job((), [replace(suite(), tests=tests)], ())
    assert reason == "all 2 tests were skipped, b: no swap"
