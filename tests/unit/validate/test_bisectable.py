from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model import JobResult, Products, Side, Splat, Stage, StageResult, Status, TestResult, Tree, Verdict
from orchestrator.model.expectations_file import parse
from orchestrator.validate import bisectable
from tests.fakes import results

PROMISED = {
    "uffd": parse(
        "columns: [stock, patched]\n"
        "tests:\n"
        "  gone: {stock: pass, patched: skip}\n"
        "  known: {stock: pass, patched: fail, why: so it is}\n"
        "  loose: {stock: any, patched: any}\n"
        "  late: {stock: skip, patched: pass}\n",
        "expected.yaml",
    )
}


def kernel(**tests: Status) -> JobResult:
    return results.job(Side.PATCHED, tuple(TestResult(name, status) for name, status in tests.items()))


def booted(*splats: Splat, verdict: Verdict = Verdict.PASS) -> JobResult:
    stages = (StageResult(Stage.BOOT, verdict, 1.0, "no login"),)
    return results.job(Side.PATCHED, (), suites=(), stages=stages, splats=splats)


def judged(before: JobResult, after: JobResult) -> tuple[Verdict, str]:
    check = bisectable.judge("1/2 x", before, after, PROMISED, "patched")
    return check.verdict, check.message


@pytest.mark.parametrize("test", ["gone", "known", "loose"])
def test_what_the_whole_series_shows_or_nobody_judges_is_charged_to_no_patch(test: str) -> None:
    broken = Status.SKIP if test == "gone" else Status.FAIL
    verdict, _ = judged(kernel(**{test: Status.PASS}), kernel(**{test: broken}))
    assert verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("before", "after", "note"),
    [
        (Status.PASS, Status.FAIL, "works→broken, regression"),
        (Status.SKIP, Status.FAIL, "refused→broken, offered with the series, and broken"),
        (Status.PASS, Status.SKIP, "works→refused, regression: no longer offered"),
    ],
)
def test_what_is_worse_than_before_is_charged(before: Status, after: Status, note: str) -> None:
    assert judged(kernel(late=before, x=Status.PASS), kernel(late=after, x=Status.PASS)) == (
        Verdict.FAIL,
        f"late: {note}",
    )


def test_a_kernel_that_does_not_boot_without_what_its_series_is_made_for_is_charged_to_no_patch() -> None:
    panic = Splat("panic", "Kernel panic", 1, 2, "", True)
    tree = Tree(Path("git"), "c", "b", "t", "toy", lacking=("prerequisite-patch-id: ab",))
    died = replace(booted(panic, verdict=Verdict.INFRA), products=Products(tree=tree))
    assert judged(booted(), died) == (Verdict.INFRA, "boot: no login")
    assert judged(booted(), replace(died, products=Products()))[0] is Verdict.FAIL


def test_what_is_not_there_yet_is_no_fault_and_what_comes_is_named() -> None:
    assert judged(kernel(late=Status.SKIP), kernel(late=Status.SKIP)) == (Verdict.PASS, "1 skip")
    assert judged(kernel(late=Status.SKIP), kernel(late=Status.PASS)) == (
        Verdict.PASS,
        "1 pass; 1 turned to passing: late",
    )
    many = [f"t{number}" for number in range(5)]
    refused, works = (kernel(**dict.fromkeys(many, status)) for status in (Status.FAIL, Status.PASS))
    assert judged(refused, works)[1] == "5 pass; 5 turned to passing: t0, t1, t2 and 2 more"
    assert judged(kernel(late=Status.FAIL), kernel(late=Status.FAIL)) == (Verdict.PASS, "1 fail")


def test_a_kernel_that_was_only_booted_is_judged_by_its_console() -> None:
    old, new = (Splat("warning", f"WARNING in {name}", 3, 9, name, False, "") for name in ("old", "new"))
    assert judged(booted(old), booted(old)) == (Verdict.PASS, "boots")
    assert judged(booted(old), booted(old, new)) == (Verdict.FAIL, "WARNING in new (console line 3)")
    assert judged(booted(), booted(verdict=Verdict.FAIL)) == (Verdict.FAIL, "boot: no login")
    assert judged(booted(), booted(verdict=Verdict.INFRA)) == (Verdict.INFRA, "boot: no login")


def test_a_splat_that_was_allowed_before_or_has_no_place_hides_none_of_another_test() -> None:
    meant = Splat("warning", "WARNING in f", 3, 9, "", False, "a", "meant")
    count = Splat("mm", "BUG: Bad rss-counter state (MM_SHMEMPAGES)", 3, 9, "", False, "a")
    assert judged(booted(meant), booted(meant, replace(meant, test="b", allowed_by=None)))[0] is Verdict.FAIL
    assert judged(booted(count), booted(replace(count, test="b")))[0] is Verdict.FAIL
    assert judged(booted(count), booted(count))[0] is Verdict.PASS


def test_a_problem_of_a_suite_is_charged_to_the_patch_that_brings_it() -> None:
    well = kernel(x=Status.PASS)
    ended = replace(well, suites=(replace(well.suites[0], problems=("zap: out of time, while no test ran",)),))
    assert judged(well, ended) == (Verdict.FAIL, "uffd: zap: out of time, while no test ran")
    assert judged(ended, ended)[0] is Verdict.PASS and judged(ended, well)[0] is Verdict.PASS


def test_a_suite_in_which_nothing_ran_is_not_green() -> None:
    assert judged(kernel(x=Status.PASS), kernel())[0] is Verdict.FAIL


def test_a_base_that_did_not_come_so_far_is_nothing_to_compare_with() -> None:
    assert bisectable.lacking(booted(), Stage.BOOT) == "" and bisectable.lacking(booted(), Stage.SUITE) == "no test ran"
    assert bisectable.lacking(booted(verdict=Verdict.FAIL), Stage.BOOT) == "boot: no login"
    assert bisectable.lacking(kernel(x=Status.SKIP), Stage.SUITE) == ""
