"""Two runs against each other: what is alike is not said, inputs and outcomes are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.model import (
    CheckResult,
    CompilerWarning,
    Identity,
    JobResult,
    RunResult,
    SeriesResult,
    Side,
    Splat,
    Status,
    SuiteRun,
    TestResult,
    Verdict,
)
from orchestrator.verdict import comparison
from orchestrator.verdict.comparison import Difference

IDENTITY = Identity("t" * 40, None, "c", "gcc 12", "k", "tcg", "max", "QEMU 7.2", "2 vCPU", "r")


def job(name: str = "linux.smoke", status: Status = Status.PASS, **identity: str) -> JobResult:
    verdict = Verdict.FAIL if status.broken else Verdict.PASS
    suites = (SuiteRun("own", (TestResult("T01", status), TestResult("T02", Status.PASS)), (), 1.0),)
    return JobResult(
        name, "linux", None, "smoke", Side.BASE, verdict, status.value, (), suites, (), Path("/x"),
        identity=replace(IDENTITY, **identity),
    )  # fmt: skip


def run(*jobs: JobResult) -> RunResult:
    return RunResult("r", "smoke", Path("/x"), "", 1.0, jobs, (), jobs[0].verdict, 0)


def test_a_run_is_as_itself() -> None:
    assert comparison.between(run(job()), run(job())) == ()


def test_inputs_and_outcomes_are_told_apart() -> None:
    found = comparison.between(run(job()), run(job(status=Status.FAIL, toolchain="gcc 13", accel="kvm")))
    assert found == (
        Difference("outcome", "", "verdict", "pass", "fail"),
        Difference("input", "linux.smoke", "toolchain", "gcc 12", "gcc 13"),
        Difference("input", "linux.smoke", "accel", "tcg", "kvm"),
        Difference("outcome", "linux.smoke", "verdict", "pass: pass", "fail: fail"),
        Difference("outcome", "linux.smoke", "own/T01", "pass", "fail"),
    )


def test_jobs_of_other_names_are_compared_by_side_and_variant() -> None:
    found = comparison.between(run(job("a.smoke")), run(job("b.smoke", status=Status.FAIL)))
    assert Difference("input", "a.smoke", "job", "a.smoke", "b.smoke") in found
    assert Difference("outcome", "a.smoke", "own/T01", "pass", "fail") in found


def test_a_job_that_only_one_has_is_said() -> None:
    more = replace(job("linux.main"), variant="main")
    assert comparison.between(run(job(), more), run(job())) == (
        Difference("outcome", "linux.main", "job", "ran", "did not run"),
    )


def test_a_case_that_says_its_outcome_is_one_case() -> None:
    here, there = TestResult("p.No leak", Status.PASS, number=1), TestResult("p.Leak", Status.FAIL, number=1)
    jobs = (replace(job(), suites=(SuiteRun("any", (test,), (), 1.0, programs=("p",)),)) for test in (here, there))
    assert comparison.between(*map(run, jobs)) == (Difference("outcome", "linux.smoke", "any/p.Leak", "pass", "fail"),)


def red(reason: str, *titles: str, problems: tuple[str, ...] = ()) -> RunResult:
    """A run whose tests pass, and that is red all the same."""
    splats = tuple(Splat("warning", title, 7, 9, "", fatal=False) for title in titles)
    suites = tuple(replace(suite, problems=problems) for suite in job().suites)
    return run(replace(job(), verdict=Verdict.FAIL, reason=reason, splats=splats, suites=suites))


def test_two_runs_that_are_red_in_different_ways_differ() -> None:
    first, second = red("WARN in foo (console line 7)", "WARN in foo"), red("boot: killed", problems=("9 too many",))
    assert comparison.between(first, second) == (
        Difference("outcome", "linux.smoke", "verdict", "fail: WARN in foo (console line 7)", "fail: boot: killed"),
        Difference("outcome", "linux.smoke", "WARN in foo", "seen", "not seen"),
        Difference("outcome", "linux.smoke", "own: 9 too many", "not seen", "seen"),
    )


def test_another_line_or_number_of_the_same_fault_is_no_difference() -> None:
    lines = (red(f"WARN in foo (console line {n})", "WARN in foo", problems=(f"{n} lost",)) for n in (7, 1234))
    assert comparison.between(*lines) == ()
    allowed = (replace(job(), splats=(Splat("oom", title, 1, 2, "", fatal=False, allowed_by="so"),)) for title in "ab")
    assert comparison.between(*map(run, allowed)) == ()


def test_checks_are_compared_by_what_they_looked_at() -> None:
    first = replace(run(job()), checks=(CheckResult("sparse", "1/2", Verdict.PASS, "clean", 1.0),))
    second = replace(first, checks=(replace(first.checks[0], verdict=Verdict.FAIL, message="1 error"),))
    more = replace(first, checks=(*first.checks, CheckResult("sparse", "2/2", Verdict.SKIP, "none", 1.0)))
    assert comparison.between(first, second) == (
        Difference("outcome", "", "sparse 1/2", "pass: clean", "fail: 1 error"),
    )
    assert comparison.between(first, more) == (Difference("outcome", "", "sparse 2/2", "did not run", "skip: none"),)


def test_what_a_series_brought_is_compared() -> None:
    patched = replace(job(), side=Side.PATCHED, series="fix")
    clean = SeriesResult("linux", "fix", "smoke", job("base"), patched, (), (), (), Verdict.PASS, "as before")
    warning = CompilerWarning("mm/shmem.c:7", "unused variable")
    warned = replace(clean, verdict=Verdict.FAIL, reason="1 new warning", new_warnings=(warning,))
    first, second = (replace(run(patched), series=(series,)) for series in (clean, warned))
    assert comparison.between(first, second) == (
        Difference("outcome", "linux.smoke", "series", "pass: as before", "fail: 1 new warning"),
        Difference("outcome", "linux.smoke", "mm/shmem.c:7: unused variable", "not seen", "seen"),
    )
