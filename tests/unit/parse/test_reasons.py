"""The reason of a failure is the assertion that failed, whoever printed it."""

from __future__ import annotations

import pytest

from orchestrator.parse import ktap
from orchestrator.parse.reasons import Finder


def reason(output: str) -> str:
    """Return the reason of the last test of an output."""
    return ktap.parse(f"TAP version 13\n1..1\n{output}").tests[-1].reason


HARNESS = """\
# Starting 1 tests from 1 test cases.
#  RUN           demo.first ...
# demo.c:10:first:about to look
# demo.c:12:first:Expected 0 (0) == 1 (1)
# demo.c:13:first:Expected 7 (7) == 8 (8)
# first: Test terminated by assertion
#          FAIL  demo.first
not ok 1 demo.first
"""
KUNIT = """\
    KTAP version 1
    # Subtest: example
    # module: kunit_example
    1..1
    # simple: initializing
    # simple: EXPECTATION FAILED at lib/kunit/example-test.c:30
    Expected 1 + 1 == 3, but
        1 + 1 == 2 (0x2)
    # simple: pass:0 fail:1 skip:0 total:1
    not ok 1 simple
not ok 1 example
"""
KUNIT_IN_LOG = "".join(f"<6>[    1.000000] {line}\n" for line in ["KTAP version 1", "1..1", *KUNIT.splitlines()])
KTAP_H = """\
# begin: B01
# 3 pages armed
# b/present.c:42: area_wp(&a, 0, 4) is 3 (0x3), not 0 (0)
# b/present.c:43: expected trap
# seconds: 0.125
not ok 1 B01
"""
LTP = """\
# tst_test.c:1560: TINFO: Timeout per run is 0h 00m 30s
# madvise01.c:90: TPASS: madvise(MADV_NORMAL) passed
# madvise01.c:93: TFAIL: madvise(MADV_FREE) failed: EINVAL (22)
# Summary: failed 1
not ok 1 madvise01 # exit=1
"""


@pytest.mark.parametrize(
    ("output", "right"),
    [
        (HARNESS, "demo.c:12:first:Expected 0 (0) == 1 (1)"),
        (HARNESS.replace("# demo", "demo"), "demo.c:12:first:Expected 0 (0) == 1 (1)"),
        (KTAP_H, "b/present.c:42: area_wp(&a, 0, 4) is 3 (0x3), not 0 (0)"),
        (LTP, "madvise01.c:93: TFAIL: madvise(MADV_FREE) failed: EINVAL (22) (exit=1)"),
        (
            "# fork01      1  TFAIL  :  fork01.c:97: child failed\n# fork01 2 TPASS : x\nnot ok 1 fork01 # exit=1\n",
            "fork01      1  TFAIL  :  fork01.c:97: child failed (exit=1)",
        ),
        ("# [RUN] cow\n# open /dev/x: failed\n# done\nnot ok 1 cow\n", "open /dev/x: failed"),
        (
            "# selftests: mm: x\n# cleaning\n# [FAIL] no trap at 3\nnot ok 1 x # exit=1\n",
            "[FAIL] no trap at 3 (exit=1)",
        ),
        (
            "prog: a.c:9: main: Assertion `x == 1' failed.\nnot ok 1 a\n",
            "prog: a.c:9: main: Assertion `x == 1' failed.",
        ),
        ("# Check| At a.py, line 3\n# Check failed 1 != 2\nnot ok 1 a\n", "Check failed 1 != 2"),
        ("# t.c:3: first\nnot ok 1 a # ERROR mmap: ENOMEM\n", "mmap: ENOMEM"),
        ("# first words\n# last words\nnot ok 1 a\n", "first words"),
        ("# RUN x ...\n# Totals: pass:0\nnot ok 1 a # exit=7\n", "exit=7"),
        ("not ok 1 a\n", ""),
    ],
)
def test_reason(output: str, right: str) -> None:
    assert reason(output) == right


@pytest.mark.parametrize("output", ["KTAP version 1\n1..1\n" + KUNIT, KUNIT_IN_LOG])
def test_an_assertion_of_kunit_goes_on_over_lines(output: str) -> None:
    inner, outer = ktap.parse(output).tests
    assert inner.reason == "lib/kunit/example-test.c:30: Expected 1 + 1 == 3, but 1 + 1 == 2 (0x2)"
    assert outer.name == "example"


def test_a_nested_assertion_is_not_the_reason_of_the_next_test() -> None:
    text = f"TAP version 13\n1..2\n{HARNESS}# other words\nnot ok 2 b\n"
    assert ktap.parse(text).tests[-1].reason == "other words"


def test_the_assertion_is_found_however_much_was_printed_after_it() -> None:
    assert reason("# a.c:1: expected x\n" + "# noise\n" * 500 + "not ok 1 a\n") == "a.c:1: expected x"


def test_a_program_with_an_exit_code_has_a_reason_too() -> None:
    lines = ["x01.c:3: TINFO: go", "x01.c:9: TFAIL: no", "Summary:"]
    assert ktap.from_exit_code("x", 1, diagnostics=lines).reason == "x01.c:9: TFAIL: no (exit code 1)"


def test_a_skip_of_the_harness_has_its_reason() -> None:
    assert reason("#  RUN  d.a ...\n#      SKIP      no swap here\nok 1 d.a # SKIP\n") == "no swap here"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["running ./mkdirty", "not enough memory", "[SKIP]"], "not enough memory"),
        (["not enough memory", "", "[SKIP]"], "not enough memory"),
        (["running ./mkdirty", "-----------------", "[SKIP]"], ""),
        (["[SKIP]"], ""),
        (["SKIP      no swap", "done", "[SKIP]"], "no swap"),
    ],
)
def test_what_stands_before_the_word_that_a_program_skips_says_why(lines: list[str], why: str) -> None:
    finder = Finder()
    for line in lines:
        finder.take(line)
    assert finder.skipped == why


PERL = """\
not ok 1 - the first
#   Failed test 'the first'
#   at t/x.t line 3.
#          got: 1
#     expected: 2
"""
BATS = """\
not ok 1 the first
# (in test file x.bats, line 3)
#   `[ 1 -eq 2 ]' failed
"""
NODE = """\
not ok 1 - the first
  ---
  duration_ms: 1.5
  error: 'Expected values to be equal'
  code: 'ERR_ASSERTION'
  ...
"""
FOLDED = """\
not ok 1 - the first
  ---
  operator: equal
  message: |-
    Expected values
    to be equal
  at: x.js:3
  ...
"""


@pytest.mark.parametrize(
    ("output", "right"),
    [
        (PERL, "Failed test 'the first'"),
        (BATS, "`[ 1 -eq 2 ]' failed"),
        (NODE, "Expected values to be equal"),
        (FOLDED, "Expected values"),
        ("# x.c:1: it broke\n" + PERL, "x.c:1: it broke"),
        (NODE.replace("error: ", "errors: "), ""),
        (NODE.replace("not ok", "ok"), ""),
    ],
)
def test_what_stands_behind_the_result_in_the_way_of_tap(output: str, right: str) -> None:
    report = ktap.parse(f"TAP version 13\n1..2\n{output}not ok 2 - the second\n")
    assert [test.reason for test in report.tests] == [right, ""]


def test_the_reasons_behind_each_of_several_results() -> None:
    other = PERL.replace("1 - the first", "2 - other").replace("the first", "other")
    report = ktap.parse(f"1..3\n{PERL}{other}ok 3 - c\n# Looks like you failed 2 tests of 3.\n")
    assert [test.reason for test in report.tests] == ["Failed test 'the first'", "Failed test 'other'", ""]


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        ("# SKIP: needs root\n", "SKIP: needs root"),
        ("# skip: needs root\n# skipping test\n", "skip: needs root"),
        ("# Testing 4096 pages\n# hugepages are not available, skipping\n", "hugepages are not available, skipping"),
        ("# Please run this test as root\n", "Please run this test as root"),
        ("# userfaultfd is not supported\n# something else\n", "userfaultfd is not supported"),
        ("# requires CONFIG_USERFAULTFD\n", "requires CONFIG_USERFAULTFD"),
        ("# skipping test\n", ""),
        ("# done with 7 pages\n", ""),
        ("# [SKIP] of one\n# needs root\n", "of one"),
    ],
)
def test_why_a_test_was_skipped_whose_result_does_not_say(lines: str, right: str) -> None:
    assert reason(f"# selftests: mm: b\n{lines}ok 1 selftests: mm: b # SKIP\n") == right
    assert reason(f"# selftests: mm: b\n{lines}ok 1 selftests: mm: b # SKIP of its own\n") == "of its own"
    assert reason(f"# selftests: mm: b\n{lines}ok 1 selftests: mm: b\n") == ""


def test_a_hash_in_a_reason_is_escaped_as_in_a_name() -> None:
    assert reason("ok 1 a # SKIP no \\# here\n") == "no # here"


def test_a_program_under_a_runner_that_bails_out_is_not_the_end_of_the_run() -> None:
    nested = "# TAP version 13\n# 1..1\n# Bail out! mmap: no memory\nnot ok 1 selftests: mm: a # exit=1\n"
    report = ktap.parse(f"TAP version 13\n1..2\n{nested}ok 2 selftests: mm: b\n")
    tests = {test.name: test.reason for test in report.tests}
    assert tests["selftests: mm: a"] == "Bail out! mmap: no memory (exit=1)"
    assert not any("Bail out" in problem for problem in report.problems)
