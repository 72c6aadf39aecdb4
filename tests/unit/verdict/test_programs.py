"""What a program of anybody's printed on the base and with the series, and how it ended, through to the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.model import Side, Status, SuiteRun, TestResult, Verdict
from orchestrator.verdict import series_verdict, transitions
from tests.fakes import results
from tests.unit.suite.test_suite import Result, printed

OTHER = SuiteRun("other", (TestResult("O", Status.PASS),), (), 1.0)
TAP = "TAP version 13\n"
CLONE3 = (
    f"{TAP}1..3\nok 1 [{{0}}] Result (0) matches expectation (0)\nok 2 [{{0}}] Result (-22) matches expectation (-22)\n"
    "ok 3 [{0}] Result (0) matches expectation (0)\n"
)
GLUED = f"{TAP}1..2\n# checking...ok 1 a\nok 2 b\n"
KUNIT = (
    "[    1.000000] KTAP version 1\n[    1.000001] 1..1\n[    1.000002]     KTAP version 1\n[    1.000003]     1..2\n"
    "[    1.000004]     ok 1 list_init\n[    1.000005]     {0} 2 list_add\n[    1.000006] {0} 1 list\n"
)
SKIPPED = "1..0 # SKIP feature not offered\n"


@dataclass(frozen=True)
class Case:
    """What the program did on each kernel (text, exit code), and what is to be said of that."""

    what: str
    base: tuple[str, int]
    patched: tuple[str, int]
    verdict: Verdict
    words: dict[str, str]


CASES = [
    Case(
        "a bail-out that says an address is that of the base",
        (f"{TAP}1..2\nok 1 a\nBail out! mmap of 0x7f3a12c00000 failed\n", 1),
        (f"{TAP}1..2\nok 1 a\nBail out! mmap of 0x7f9b44e00000 failed\n", 1),
        Verdict.PASS,
        {"p.sh.(1 of 2 planned)": "broken→broken", "p.sh.a": "works→works"},
    ),
    Case(
        "a plan that is kept less on the base",
        (f"{TAP}1..5\nok 1 a\nok 2 b\n", 1),
        (f"{TAP}1..5\nok 1 a\nok 2 b\nok 3 c\n", 1),
        Verdict.PASS,
        {
            "p.sh.(2 of 5 planned)": "broken→broken",
            "p.sh.(3 of 5 planned)": "broken→broken",
            "p.sh.a": "works→works",
            "p.sh.b": "works→works",
            "p.sh.c": "broken→works",
        },
    ),
    Case(
        "a last line without an end that says a time",
        ("1..1\nok 1 a\ntook 1523 ms", 0),
        ("1..1\nok 1 a\ntook 1530 ms", 0),
        Verdict.PASS,
        {"p.sh.a": "works→works"},
    ),
    Case(
        "another exit code is another problem",
        ("1..1\nok 1 a\n", 1),
        ("1..1\nok 1 a\n", 2),
        Verdict.FAIL,
        {"p.sh.a": "works→works"},
    ),
    Case(
        "a plan that comes with the skip alone",
        ("works fine\n", 0),
        (SKIPPED, 4),
        Verdict.FAIL,
        {"p.sh": "works→refused"},
    ),
    Case(
        "a result line that comes with the skip alone",
        ("works fine\n", 0),
        ("1..1\nok 1 # SKIP feature not offered\n", 4),
        Verdict.FAIL,
        {"p.sh": "works→refused", "p.sh.feature not offered": "refused→refused"},
    ),
    Case("a skip of the whole on both", (SKIPPED, 4), (SKIPPED, 4), Verdict.PASS, {"p.sh": "refused→refused"}),
    Case(
        "a program that skips as a whole where it had cases",
        ("1..2\nok 1 a\nok 2 b\n", 0),
        (SKIPPED, 4),
        Verdict.FAIL,
        {"p.sh": "refused→refused", "p.sh.a": "works→refused", "p.sh.b": "works→refused"},
    ),
    Case(
        "a program that has cases where it skipped as a whole",
        (SKIPPED, 4),
        ("1..2\nok 1 a\nok 2 b\n", 0),
        Verdict.PASS,
        {"p.sh.a": "refused→works", "p.sh.b": "refused→works"},
    ),
    Case(
        "a passing case that says its process",
        (CLONE3.format(231), 0),
        (CLONE3.format(236), 0),
        Verdict.PASS,
        dict.fromkeys(
            (
                "p.sh.[236] Result (-22) matches expectation (-22)",
                "p.sh.[236] Result (0) matches expectation (0)",
                "p.sh.[236] Result (0) matches expectation (0)#2",
            ),
            "works→works",
        ),
    ),
    Case(
        "an exit code that a lost result line does not explain",
        (GLUED, 0),
        (f"{GLUED}# Totals: pass:1 fail:1\n", 1),
        Verdict.FAIL,
        {"p.sh.(1 of 2 planned)": "broken→broken", "p.sh.b": "works→works"},
    ),
    Case(
        "a signal that a lost result line does not explain",
        (GLUED, 0),
        (GLUED, 139),
        Verdict.FAIL,
        {"p.sh.(1 of 2 planned)": "broken→broken", "p.sh.b": "works→works"},
    ),
    Case(
        "an exit code that a failure which was expected does not explain",
        ("1..2\nok 1 a\nok 2 b # XFAIL known\n", 0),
        ("1..2\nok 1 a\nok 2 b # XFAIL known\n", 1),
        Verdict.FAIL,
        {"p.sh.a": "works→works", "p.sh.b": "broken→broken"},
    ),
    Case(
        "the kernel's log with KTAP in it",
        (KUNIT.format("ok"), 0),
        (KUNIT.format("not ok"), 0),
        Verdict.FAIL,
        {"p.sh.list": "works→broken", "p.sh.list/list_add": "works→broken", "p.sh.list/list_init": "works→works"},
    ),
    Case(
        "KTAP that is indented",
        ("  TAP version 13\n  1..1\n  ok 1 a\n", 0),
        ("  TAP version 13\n  1..1\n  not ok 1 a\n", 0),
        Verdict.FAIL,
        {"p.sh.a": "works→broken"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_program_on_two_kernels(tmp_path: Path, case: Case) -> None:
    runs = [printed(tmp_path, text, ends=(Result(code),)) for text, code in (case.base, case.patched)]
    base, patched = (
        results.job(side, (), suites=(run, OTHER)) for side, run in zip((Side.BASE, Side.PATCHED), runs, strict=True)
    )
    judged = series_verdict.judge(base, patched)
    words = {change.test: change.words for change in judged.transitions if change.suite != "other"}
    assert (judged.verdict, words) == (case.verdict, case.words), judged.reason


def test_a_program_that_does_not_build_on_the_base_never_ran_there() -> None:
    """Nobody knows how its cases would have gone: what the guest cannot run is no fault of what makes it build."""
    ran = {"huge.full": Status.PASS, "huge.swap": Status.FAIL, "huge.none": Status.SKIP}
    words, other = {"huge.builds": "broken→broken"}, TestResult("o.x", Status.PASS)
    base, patched = (
        results.job(side, (), suites=(SuiteRun("mm", (*tests, other), (), 1.0, programs=("huge", "o")),))
        for side, tests in (
            (Side.BASE, (TestResult("huge.builds", Status.FAIL),)),
            (Side.PATCHED, tuple(TestResult(*test) for test in ran.items())),
        )
    )
    judged = series_verdict.judge(base, patched)
    assert judged.verdict is Verdict.INFRA and judged.reason == f"huge.swap: {transitions.NOT_KNOWN}"
    words |= {"huge.full": "broken→works", "huge.swap": "broken→broken", "huge.none": "broken→refused"}
    assert {change.test: change.words for change in judged.transitions} == words | {"o.x": "works→works"}
    lost = series_verdict.judge(patched, base)
    charged = [change.test for change in lost.transitions if change.verdict is Verdict.FAIL]
    assert charged == ["huge.builds", "huge.full"]
