"""Two runs against each other: what is alike is not said, inputs and outcomes are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.model import Identity, JobResult, RunResult, Side, Status, SuiteRun, TestResult, Verdict
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
        Difference("run", "", "verdict", "pass", "fail"),
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
        Difference("run", "linux.main", "job", "ran", "did not run"),
    )


def test_a_case_that_says_its_outcome_is_one_case() -> None:
    here, there = TestResult("p.No leak", Status.PASS, number=1), TestResult("p.Leak", Status.FAIL, number=1)
    jobs = (replace(job(), suites=(SuiteRun("any", (test,), (), 1.0, programs=("p",)),)) for test in (here, there))
    assert comparison.between(*map(run, jobs)) == (Difference("outcome", "linux.smoke", "any/p.Leak", "pass", "fail"),)
