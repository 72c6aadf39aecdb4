"""The test output parser: what programs print on good days and on bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model import Status, TestResult
from orchestrator.parse import ktap, ktap_nesting, ktap_reader
from orchestrator.parse.ktap_level import MOST_DIAGNOSTICS
from tests.growth import seconds


def statuses(text: str, planned: tuple[str, ...] = ()) -> dict[str, Status]:
    return {t.name: t.status for t in ktap.parse(text, planned).tests}


def only(line: str) -> TestResult:
    (test,) = ktap.parse(f"KTAP version 1\n1..1\n{line}\n").tests
    return test


OWN = """\
KTAP version 1
1..3
# begin: B01_present.memfd-shared
# seconds: 0.125
ok 1 B01_present.memfd-shared
# begin: B02_read-free.memfd-shared
# uffd.c:42: expected no trap
# got one at 0x7f0000001000
# seconds: 2.5
not ok 2 B02_read-free.memfd-shared
# begin: A04_user-mode-only
ok 3 A04_user-mode-only # SKIP UFFD_USER_MODE_ONLY: EINVAL
"""


def test_our_own_programs() -> None:
    report = ktap.parse(OWN)
    assert report.problems == ()
    assert report.complete
    passed, failed, skipped = report.tests
    assert passed == TestResult("B01_present.memfd-shared", Status.PASS, "", (), 0.125)
    assert failed.status is Status.FAIL
    assert failed.reason == "uffd.c:42: expected no trap"
    assert failed.diagnostics == ("uffd.c:42: expected no trap", "got one at 0x7f0000001000")
    assert failed.seconds == 2.5
    assert (skipped.status, skipped.reason) == (Status.SKIP, "UFFD_USER_MODE_ONLY: EINVAL")


@pytest.mark.parametrize(
    ("line", "name", "status", "reason"),
    [
        ("ok 1 a", "a", Status.PASS, ""),
        ("ok 1 - a b", "a b", Status.PASS, ""),
        ("ok a", "a", Status.PASS, ""),
        ("ok", "test 1", Status.PASS, ""),
        ("not ok 1 a", "a", Status.FAIL, ""),
        ("not ok 1 a # exit=7", "a", Status.FAIL, "exit=7"),
        ("not ok 1 a # ERROR mmap: ENOMEM", "a", Status.ERROR, "mmap: ENOMEM"),
        ("not ok 1 a # TIMEOUT 45 seconds", "a", Status.TIMEOUT, "45 seconds"),
        ("ok 1 a # TIMEOUT", "a", Status.TIMEOUT, ""),
        ("ok 1 a # ERROR: no", "a", Status.ERROR, "no"),
        ("ok 1 a # SKIP no swap", "a", Status.SKIP, "no swap"),
        ("ok 1 a # skip no swap", "a", Status.SKIP, "no swap"),
        ("not ok 1 a # SKIP", "a", Status.SKIP, ""),
        ("not ok 1 a # skipped 3 pages", "a", Status.FAIL, "skipped 3 pages"),
        ("ok 1 # SKIP wp-hugetlb needs pages", "wp-hugetlb needs pages", Status.SKIP, "wp-hugetlb needs pages"),
        ("not ok 1 a # XFAIL known", "a", Status.XFAIL, "known"),
        ("ok 1 a # XFAIL", "a", Status.XFAIL, ""),
        ("not ok 1 a # TODO later", "a", Status.XFAIL, "later"),
        ("ok 1 a # TODO later", "a", Status.PASS, "later"),
        ("ok 1 a # XPASS", "a", Status.FAIL, "passed, and was expected to fail"),
        ("ok 1 page #3 of 4", "page #3 of 4", Status.PASS, ""),
        (r"ok 1 a \# b", "a # b", Status.PASS, ""),
        ("ok 1 1foo", "1foo", Status.PASS, ""),
        ("\x1b[32mok 1\x1b[0m a", "a", Status.PASS, ""),
        ("ok 1 \x00a\x7f", "a", Status.PASS, ""),
    ],
)
def test_one_line(line: str, name: str, status: Status, reason: str) -> None:
    test = only(line)
    assert (test.name, test.status, test.reason) == (name, status, reason)


@pytest.mark.parametrize("line", ["okay 1 a", "nok 1 a", "not okay", "ook 1 a", "x ok 1 a"])
def test_what_is_not_a_result(line: str) -> None:
    report = ktap.parse(f"1..1\n{line}\n")
    assert [t.status for t in report.tests] == [Status.MISSING]
    assert not report.complete


def test_inline_time() -> None:
    assert only("ok 1 a # time=1.25s").seconds == 1.25
    assert only("ok 1 a # time=250ms").seconds == 0.25
    assert only("not ok 1 a # time=1s too slow").reason == "too slow"


def test_no_plan_is_a_problem() -> None:
    report = ktap.parse("ok 1 a\n")
    assert report.problems == ("no plan line",)
    assert not report.complete


def test_late_plan() -> None:
    report = ktap.parse("TAP version 13\nok 1 a\nok 2 b\n1..2\n")
    assert report.complete and report.problems == ()


def test_two_plans() -> None:
    report = ktap.parse("1..1\nok 1 a\n1..2\nok 2 b\n")
    assert report.problems == ("more than one plan: 1..1, 1..2",)
    assert not report.complete


def test_fewer_than_planned_without_names() -> None:
    report = ktap.parse("1..5\nok 1 a\nok 2 b\n")
    assert report.problems == ("2 of 5 planned tests have a result line",)
    assert report.tests[-1].status is Status.MISSING
    assert not report.complete


def test_fewer_than_planned_with_names() -> None:
    assert statuses("1..3\nok 1 a\nok 3 c\n", ("a", "b", "c")) == {
        "a": Status.PASS,
        "c": Status.PASS,
        "b": Status.MISSING,
    }


def test_huge_plan_is_one_line() -> None:
    assert len(ktap.parse("1..999999999\nok 1 a\n").tests) == 2


def test_more_than_planned() -> None:
    report = ktap.parse("1..1\nok 1 a\nok 2 b\n")
    assert report.problems == ("2 result lines, 1 planned",)
    assert not report.complete


def test_unplanned_name_is_said() -> None:
    report = ktap.parse("1..1\nok 1 b\n", ("a",))
    assert "unplanned test: b" in report.problems
    assert statuses("1..1\nok 1 b\n", ("a",))["a"] is Status.MISSING


def test_nothing_at_all() -> None:
    assert ktap.parse("") == ktap.Report((), ("no plan line",), False, short=("no plan line",))
    assert statuses("", ("a",)) == {"a": Status.MISSING}


def test_duplicate_names_are_kept_apart() -> None:
    report = ktap.parse("1..3\nnot ok 1 a\nok 2 a\nok 3 a\n")
    assert [(t.name, t.status) for t in report.tests] == [
        ("a", Status.FAIL),
        ("a#2", Status.PASS),
        ("a#3", Status.PASS),
    ]
    assert report.problems == ("the name a comes more than once",)


def test_program_that_skips_as_a_whole() -> None:
    report = ktap.parse("TAP version 13\n1..0 # SKIP no /dev/userfaultfd\n")
    assert report.complete
    assert report.tests == (TestResult(ktap.SKIPPED, Status.SKIP, "no /dev/userfaultfd"),)
    assert statuses("1..0 # SKIP no\n", ("a", "b")) == {"a": Status.SKIP, "b": Status.SKIP}


def test_bail_out() -> None:
    report = ktap.parse("1..3\nok 1 a\n# begin: b\nBail out! fork: EAGAIN\n", ("a", "b", "c"))
    assert {t.name: t.status for t in report.tests} == {"a": Status.PASS, "b": Status.CRASHED, "c": Status.MISSING}
    assert "Bail out! fork: EAGAIN" in report.problems
    assert not report.complete


def test_bail_out_after_the_last_result_is_not_complete() -> None:
    assert not ktap.parse("1..1\nok 1 a\nBail out!\n").complete


def test_begun_and_cut_off_is_crashed_and_passed_over_is_missing() -> None:
    text = "1..3\n# begin: a\n# begin: b\nok 2 b\n# begin: c\n# about to write\n"
    report = ktap.parse(text)
    found = {t.name: t for t in report.tests}
    assert found["b"].status is Status.PASS
    assert found["a"].status is Status.MISSING
    assert found["c"].status is Status.CRASHED
    assert found["c"].diagnostics == ("about to write",)
    assert not report.complete


def test_truncated_last_line_is_no_result() -> None:
    report = ktap.parse("1..2\nok 1 a\nok 2 b", ("a", "bc"))
    assert {t.name: t.status for t in report.tests} == {"a": Status.PASS, "bc": Status.MISSING}
    assert any("middle of a line" in problem for problem in report.problems)
    assert not report.complete


def test_line_ends() -> None:
    assert ktap.parse("1..2\r\nok 1 a\r\nok 2 b\r\n").complete
    assert ktap.parse("1..2\r\r\nok 1 a\r\r\nok 2 b\r\r\n").complete


def test_kernel_lines_between() -> None:
    text = "1..2\n[   12.345678] uffd: ok 1 not mine\nok 1 a\n[   12.400000][  T123] BUG: x\nnot ok 2 b\n"
    assert statuses(text) == {"a": Status.PASS, "b": Status.FAIL}
    assert all(t.diagnostics == () for t in ktap.parse(text).tests)


def test_kernel_line_through_a_result_line() -> None:
    report = ktap.parse("1..1\nok 1 ab[   12.345678] BUG: bad\nc\n", ("abc",))
    assert {t.name: t.status for t in report.tests} == {"abc": Status.MISSING}
    assert any("kernel line runs through" in problem for problem in report.problems)


def test_stream_in_the_kernel_log() -> None:
    text = "[    1.000000] KTAP version 1\n[    1.100000] 1..1\nnoise\n[    1.200000] ok 1 a\n"
    report = ktap.parse(text)
    assert report.complete and statuses(text) == {"a": Status.PASS}


NESTED = """\
KTAP version 1
1..2
  KTAP version 1
  # Subtest: wp
  1..2
  ok 1 anon
    KTAP version 1
    1..1
    not ok 1 hole
  not ok 2 shmem
not ok 1 wp
ok 2 minor
"""


def test_nested() -> None:
    report = ktap.parse(NESTED)
    assert report.complete and report.problems == ()
    assert {t.name: t.status for t in report.tests} == {
        "wp/anon": Status.PASS,
        "wp/shmem/hole": Status.FAIL,
        "wp/shmem": Status.FAIL,
        "wp": Status.FAIL,
        "minor": Status.PASS,
    }


def test_nested_failure_survives_a_parent_that_says_ok() -> None:
    assert statuses("1..1\n    1..1\n    not ok 1 c\nok 1 p\n")["p/c"] is Status.FAIL


def test_nested_shortfall_and_lost_parent() -> None:
    report = ktap.parse("1..1\n    # Subtest: p\n    1..2\n    ok 1 c\n")
    assert {t.name: t.status for t in report.tests if t.name.startswith("p")} == {
        "p/c": Status.PASS,
        "p/(1 of 2 planned)": Status.MISSING,
        "p": Status.MISSING,
    }
    assert not report.complete


def test_nested_behind_comments() -> None:
    text = "TAP version 13\n1..1\n# TAP version 13\n# 1..2\n# ok 1 a\n# not ok 2 b\nnot ok 1 selftests: mm: uffd\n"
    assert statuses(text) == {
        "selftests: mm: uffd/a": Status.PASS,
        "selftests: mm: uffd/b": Status.FAIL,
        "selftests: mm: uffd": Status.FAIL,
    }


def test_comment_that_looks_like_a_result_is_a_comment() -> None:
    assert statuses("1..1\n# ok 1 b\nok 1 a\n") == {"a": Status.PASS}


def test_yaml_block_belongs_to_the_result_before() -> None:
    report = ktap.parse("TAP version 13\n1..2\nnot ok 1 a\n  ---\n  message: no trap\n  ...\nok 2 b\n")
    assert report.tests[0].diagnostics == ("message: no trap",)
    assert report.tests[1].diagnostics == ()
    assert report.complete


def test_yaml_block_left_open_hides_nothing() -> None:
    assert statuses("1..2\nok 1 a\n---\nmessage: x\nnot ok 2 b\n") == {"a": Status.PASS, "b": Status.FAIL}


def test_yaml_block_left_open_at_a_change_of_level() -> None:
    text = "1..2\nok 1 a\n  ---\n    # TAP version 13\nmessage: x\nnot ok 2 b\n"
    assert statuses(text)["b"] is Status.FAIL


def test_diagnostics_are_bounded() -> None:
    test = ktap.parse("1..1\n" + "# noise\n" * 5000 + "# last\nnot ok 1 a\n").tests[0]
    assert len(test.diagnostics) == MOST_DIAGNOSTICS
    assert test.diagnostics[-1] == "last"


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        (0, Status.PASS, ""),
        (4, Status.SKIP, "exit code 4 (skip)"),
        (1, Status.FAIL, "exit code 1"),
        (127, Status.FAIL, "exit code 127"),
        (139, Status.CRASHED, "killed by SIGSEGV"),
        (-9, Status.CRASHED, "killed by SIGKILL"),
        (255, Status.FAIL, "exit code 255"),
    ],
)
def test_exit_codes(code: int, status: Status, reason: str) -> None:
    assert ktap.from_exit_code("a", code) == TestResult("a", status, reason)


def test_a_skip_by_exit_code_says_what_the_program_said_last() -> None:
    test = ktap.from_exit_code("a", 4, diagnostics=["begin", "a: /dev/vda: Text file busy"])
    assert test.reason == "exit code 4 (skip): a: /dev/vda: Text file busy"


LINES = st.sampled_from(
    [
        *OWN.splitlines(),
        *NESTED.splitlines(),
        "1..0 # SKIP x",
        "Bail out! x",
        "  ---",
        "  ...",
        "ok 1 a",
        "not ok 2 a",
        "# begin: a",
        "not ok 1 a # SKIP",
        "# TAP version 13",
        "# not ok 1 a",
        "[    1.000000] KTAP version 1",
        "[    1.000000] not ok 1 a",
        "\x1b[31mnot ok 3 c\x1b[0m",
        "é\x00\x1b[",
        "ok 1 c#2",
    ]
)
OUTPUTS = st.lists(LINES | st.text(max_size=20), max_size=25).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n"]).map(lambda end: end.join([*lines, ""]))
)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_raise(data: bytes) -> None:
    report = ktap.parse(data.decode(errors="replace"))
    assert not (report.complete and report.problems and not report.tests)


@settings(max_examples=600, deadline=None)
@given(OUTPUTS, st.data())
def test_cutting_never_makes_a_test_pass(output: str, data: st.DataObject) -> None:
    raw = output.encode(errors="replace")
    cut = raw[: data.draw(st.integers(0, len(raw)))].decode(errors="replace")
    whole = {t.name: t.status for t in ktap.parse(raw.decode(errors="replace"), ("a", "b")).tests}
    for test in ktap.parse(cut, ("a", "b")).tests:
        if test.status is Status.PASS and test.name in whole:
            assert whole[test.name] is Status.PASS


def test_cutting_a_real_output_at_every_byte() -> None:
    names = tuple(t.name for t in ktap.parse(OWN).tests)
    whole = {t.name: t.status for t in ktap.parse(OWN, names).tests}
    for at in range(len(OWN)):
        report = ktap.parse(OWN[:at], names)
        assert not report.complete
        assert {t.name for t in report.tests} >= set(names)
        for test in report.tests:
            assert test.status in (whole.get(test.name), Status.MISSING, Status.CRASHED)


def test_what_a_program_says_before_its_first_test_is_no_reason() -> None:
    text = "KTAP version 1\n1..1\n# seed: 1\n# begin: a\n# file.c:3: it did not trap\nnot ok 1 a\n"
    (result,) = ktap.parse(text).tests
    assert (result.reason, result.diagnostics) == ("file.c:3: it did not trap", ("file.c:3: it did not trap",))


def test_a_result_in_a_yaml_block_is_a_quotation() -> None:
    text = (
        "TAP version 14\n1..2\nnot ok 1 - a\n  ---\n  output: |\n    TAP version 13\n    not ok 1 - inner\n    1..1\n"
        "\n  duration_ms: 12.5\n  ...\nok 2 - b\n"
    )
    report = ktap.parse(text)
    assert [(t.name, t.status) for t in report.tests] == [("a", Status.FAIL), ("b", Status.PASS)]
    assert report.complete and report.problems == ()
    assert report.tests[0].diagnostics[0] == "output: |" and report.tests[0].seconds == 0.0125


def test_a_yaml_block_behind_comments() -> None:
    text = (
        "TAP version 13\n1..1\n# TAP version 13\n# 1..2\n# not ok 1 a\n#   ---\n#   ok 2 quoted\n#   ...\n# ok 2 b\n"
        "not ok 1 prog\n"
    )
    assert list(statuses(text)) == ["prog/a", "prog/b", "prog"]


@pytest.mark.parametrize("end", ["", "    ok 2 - hidden\n"])
def test_a_yaml_block_without_its_end_is_a_problem(end: str) -> None:
    report = ktap.parse(f"1..1\nok 1 a\n  ---\n  message: x\n{end}")
    assert report.problems == ("the YAML block of a has no end",)
    assert not report.complete


def test_three_dashes_that_follow_no_result_open_nothing() -> None:
    assert statuses("1..2\n  ---\nok 1 a\n# ---\nnot ok 2 b\n") == {"a": Status.PASS, "b": Status.FAIL}


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("ok 1 a\nok 1 b\n", "numbers out of sequence: 1 where 2 was due, at b"),
        ("ok 2 a\nok 1 b\n", "numbers out of sequence: 2 where 1 was due, at a"),
        ("ok 1 a\nok 3 b\n", "numbers out of sequence: 3 where 2 was due, at b"),
        ("ok 1 a\nok 007 b\n", "numbers out of sequence: 7 where 2 was due, at b"),
    ],
)
def test_numbers_count_up_by_one(lines: str, problem: str) -> None:
    assert ktap.parse(f"1..2\n{lines}").problems[0] == problem


def test_numbers_of_a_nested_level_count_by_themselves() -> None:
    assert ktap.parse(NESTED).problems == ()
    text = "1..1\n    # Subtest: p\n    1..2\n    ok 1 a\n    ok 1 b\nok 1 p\n"
    assert ktap.parse(text).problems == ("numbers out of sequence: 1 where 2 was due, at b",)


def test_numbers_may_be_left_out() -> None:
    assert ktap.parse("1..3\nok a\nok b\nok 3 c\n").problems == ()


MM = """\
TAP version 13
1..1
# timeout set to 900
# selftests: mm: run_demo.sh
# TAP version 13
# # ---------------------
# # running ./gup_demo
# # TAP version 13
# # 1..2
# # ok 1 leaf
# # # gup.c:3: page 2 differs
# # not ok 2 other
# # # Totals: pass:1 fail:1 xfail:0 xpass:0 skip:0 error:0
# # [FAIL]
# not ok 1 gup_demo # exit=1
# # running ./third
# # TAP version 13
# # 1..1
# # # TAP version 13
# # # 1..1
# # # not ok 1 deep
# # not ok 1 leaf
# not ok 2 third # exit=1
# 1..2
not ok 1 selftests: mm: run_demo.sh # exit=1
"""


def test_every_depth_of_comments_keeps_its_leaves() -> None:
    report = ktap.parse(MM)
    top = "selftests: mm: run_demo.sh"
    assert {t.name: t.status.value for t in report.tests} == {
        f"{top}/gup_demo/leaf": "pass",
        f"{top}/gup_demo/other": "fail",
        f"{top}/gup_demo": "fail",
        f"{top}/third/leaf/deep": "fail",
        f"{top}/third/leaf": "fail",
        f"{top}/third": "fail",
        top: "fail",
    }
    assert report.problems == () and report.complete
    assert {t.name.rpartition("/")[2]: t.reason for t in report.tests}["other"] == "gup.c:3: page 2 differs"


def test_a_depth_of_comments_that_no_version_line_opened_is_comments() -> None:
    assert list(statuses("1..1\n# TAP version 13\n# 1..1\n# # ok 1 c\n# ok 1 b\nok 1 a\n")) == ["a/b", "a"]


def test_nested_indentation_inside_comments() -> None:
    text = (
        "TAP version 13\n1..1\n# KTAP version 1\n# 1..1\n#     KTAP version 1\n#     # Subtest: s\n#     1..1\n"
        "#     not ok 1 leaf\n# not ok 1 s\nnot ok 1 prog\n"
    )
    assert list(statuses(text)) == ["prog/s/leaf", "prog/s", "prog"]
    assert ktap.parse(text).problems == ()


@pytest.mark.parametrize(
    ("body", "statuses_", "problem"),
    [
        ("    # Subtest: p\nok 1 p\n", {"p": "error"}, None),
        ("    KTAP version 1\nok 1 p\n", {"p": "error"}, None),
        ("    KTAP version 1\n    # Subtest: p\nnot ok 1 p\n", {"p": "fail"}, None),
        (
            "    KTAP version 1\n    # Subtest: p\n    1..2\nok 1 p\n",
            {"p/(2 of 2 planned)": "missing", "p": "pass"},
            "0 of 2 planned tests of p have a result line",
        ),
        ("# Subtest: p\nok 1 p\n", {"p": "pass"}, None),
        (
            "# Subtest: p\nok 1 q\n",
            {"p": "missing", "q": "pass"},
            "the nested test p was announced, and has no result line",
        ),
        (
            "    # Subtest: p\n    1..1\n    ok 1 a\nok 1 q\n",
            {"q/a": "pass", "q": "pass"},
            "the nested tests of p end with a result line of q",
        ),
        (
            "    KTAP version 1\n    # Subtest: p\n    1..1\n    ok 1 a\n"
            "    KTAP version 1\n    # Subtest: q\n    1..1\n    ok 1 b\nok 1 q\n",
            {"p/a": "pass", "p": "missing", "q/b": "pass", "q": "pass"},
            "nested tests of p have no result line of their own",
        ),
        (
            "    # Subtest: p\n    1..1\n    ok 1 a\n    ok 2 b\nok 1 p\n",
            {"p/a": "pass", "p/b": "pass", "p": "pass"},
            "2 result lines of p, 1 planned",
        ),
    ],
)
def test_what_was_announced_runs(body: str, statuses_: dict[str, str], problem: str | None) -> None:
    report = ktap.parse(f"KTAP version 1\n1..1\n{body}")
    assert {t.name: t.status.value for t in report.tests} == statuses_
    assert report.problems[:1] == ((problem,) if problem else ())


TREE = """\
TAP version 14
1..2
    # Subtest: p
    1..2
    not ok 1 a
    ok 2 b # SKIP no swap
not ok 1 p
ok 2 c
"""


@pytest.mark.parametrize("before", [" ", "\t", "    ", "# ", "[   12.345678]   "])
def test_what_stands_before_the_version_line_stands_before_all(before: str) -> None:
    report = ktap.parse("".join(f"{before}{line}\n" for line in TREE.splitlines()))
    assert (report.tests, report.problems, report.complete) == (ktap.parse(TREE).tests, (), True)


def test_a_nested_version_line_that_comes_first_is_nested_all_the_same() -> None:
    nested = "    KTAP version 1\n    1..1\n    ok 1 a\n"
    assert list(statuses(f"{nested}ok 1 p\n")) == ["p/a", "p"]
    assert list(statuses(f"{nested.replace('    ', '# ')}ok 1 p\n1..1\n")) == ["p/a", "p"]


def test_subtests_of_tap_14_are_announced_before_they_begin_or_not_at_all() -> None:
    """Section "Subtests": a comment in the parent's column, or in none, and the plan may come last."""
    inner = "    # Subtest: q\n        ok 1 a\n        1..1\n    ok 1 q\n    1..1\n"
    text = f"TAP version 14\n# Subtest: p\n{inner}ok 1 p\n1..1\n"
    for cut in ("", "# Subtest: p\n", "    # Subtest: q\n"):
        report = ktap.parse(text.replace(cut, "", 1))
        assert [test.name for test in report.tests] == ["p/q/a", "p/q", "p"], cut
        assert report.problems == () and report.complete
    bare = ktap.parse("".join(line for line in text.splitlines(keepends=True) if "#" not in line))
    assert [test.name for test in bare.tests] == ["p/q/a", "p/q", "p"] and bare.problems == ()


def test_results_that_are_deeper_than_their_plan_are_of_its_level() -> None:
    text = "KTAP version 1\n1..1\n    KTAP version 1\n    1..2\n        ok 1 a\n        not ok 2 b\nnot ok 1 p\n"
    report = ktap.parse(text)
    assert [test.name for test in report.tests] == ["p/a", "p/b", "p"] and report.problems == ()


def test_a_nested_plan_of_no_tests_is_a_skip_with_its_reason() -> None:
    for end in ("ok 1 p", "ok 1 p # SKIP"):
        (test,) = ktap.parse(f"1..1\n    # Subtest: p\n    1..0 # SKIP no such device\n{end}\n").tests
        assert (test.status, test.reason) == (Status.SKIP, "no such device")
    (test,) = ktap.parse("1..1\n# TAP version 13\n# 1..0 # SKIP no swap\nok 1 p # SKIP swap is off\n").tests
    assert (test.status, test.reason) == (Status.SKIP, "swap is off")
    (test,) = ktap.parse("1..1\n# TAP version 13\n# 1..0 # SKIP no swap\nnot ok 1 p # exit=1\n").tests
    assert (test.status, test.reason) == (Status.FAIL, "exit=1")


@pytest.mark.parametrize("mark", ["\ufeff", "\ufeff\x1b[0m"])
def test_a_byte_order_mark_is_not_text(mark: str) -> None:
    report = ktap.parse(f"{mark}1..1\nok 1 a\n")
    assert report.problems == () and report.complete


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_as_its_mark_says(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "out").write_bytes("TAP version 13\r\n1..1\r\nok 1 é\r\n".encode(encoding))
    assert [t.name for t in ktap.parse_file(tmp_path / "out").tests] == ["é"]


@pytest.mark.parametrize(
    "prefix",
    [
        "<6>[    1.234567] ",
        "kern  :info  : [    1.234567] ",
        "[    1.234567 <    0.000010>] ",
        "vm1  | [    1.234567] ",
        "<6>",
        "[    1.234567][    T1] ",
        "<14>[   99.000001][  T123] ",
        "[Fri Nov 27 03:20:41 2026] ",
        "Nov  7 03:20:41 host kernel: ",
        "Nov 27 03:20:41 host kernel: [    1.234567] ",
        "2026-11-27T03:20:41+0000 host kernel: ",
        "2026-11-27T03:20:41.1234567Z ",
        "2026-11-27 03:20:41 [    1.234567] ",
        "6,1234,5678901,-;",
    ],
)
def test_what_a_log_puts_before_each_line(prefix: str) -> None:
    lines = ["KTAP version 1", "1..2", "    KTAP version 1", "    # Subtest: p", "    1..1", "    not ok 1 a"]
    text = "".join(f"{prefix}{line}\n" for line in [*lines, "not ok 1 p", "ok 2 b"])
    report = ktap.parse(f"before\n{text}not ok 3 not mine\n")
    assert {t.name: t.status.value for t in report.tests} == {"p/a": "fail", "p": "fail", "b": "pass"}
    assert report.problems == ()


@pytest.mark.parametrize(
    "dressed",
    [
        "\x1b[1;32mok\x1b[0m 1 a",
        "\x1b(B\x1b[mok 1 a\x1b(B\x1b[m",
        "\x1b]0;title\x07ok 1 a",
        "\x1b]8;;http://x\x1b\\ok 1 a\x1b]8;;\x1b\\",
        "\x1bP1$r0m\x1b\\ok 1 a",
        "\x9b32mok 1 a\x9b0m",
        "\x1b7\x1b[2K\x1b[1Gok 1 a\x1b8",
        "\x1b#8ok 1 a",
    ],
)
def test_terminal_escapes_are_not_text(dressed: str) -> None:
    assert statuses(f"1..1\n{dressed}\n") == {"a": Status.PASS}


@pytest.mark.parametrize(
    ("comment", "seconds", "reason"),
    [
        ("time=1.25s", 1.25, ""),
        ("time=8.27ms", 0.00827, ""),
        ("time=3", 3.0, ""),
        ("123ms", 0.123, ""),
        ("12.5 ms", 0.0125, ""),
        ("(0.5 s)", 0.5, ""),
        ("40 usecs", 0.00004, ""),
        ("duration_ms 12.5", 0.0125, ""),
        ("exit=1, time=2s", 2.0, "exit=1"),
        ("time=2ms # exit=1", 0.002, "exit=1"),
        ("took 3 pages", None, "took 3 pages"),
        ("12 pages", None, "12 pages"),
    ],
)
def test_timing_suffixes(comment: str, seconds: float | None, reason: str) -> None:
    test = only(f"not ok 1 a # {comment}")
    assert (test.name, test.seconds if seconds is None else pytest.approx(test.seconds), test.reason) == (
        "a",
        seconds,
        reason,
    )


def test_a_timing_suffix_hides_no_directive() -> None:
    test = only("ok 1 a # SKIP no swap # time=2ms")
    assert (test.status, test.reason, test.seconds) == (Status.SKIP, "no swap", 0.002)
    assert only("ok 1 a # time=2ms # SKIP no swap").status is Status.SKIP


def test_a_case_of_the_harness_that_is_skipped_without_a_name_is_the_one_that_began() -> None:
    """Linux 6.1's kselftest_harness.h names no test that is skipped."""
    parsed = ktap.parse(
        "TAP version 13\n1..2\n"
        "#  RUN           d.a ...\n#      SKIP      no nodes\n#            OK  d.a\nok 1 # SKIP no nodes\n"
        "#  RUN           d.b ...\n#      SKIP      no nodes\n#            OK  d.b\nok 2 # SKIP no nodes\n"
    )
    assert [(t.name, t.status, t.reason) for t in parsed.tests] == [
        ("d.a", Status.SKIP, "no nodes"),
        ("d.b", Status.SKIP, "no nodes"),
    ]
    assert not parsed.problems


def test_a_case_of_the_harness_that_began_and_did_not_end_crashed() -> None:
    report = ktap.parse(
        "TAP version 13\n1..2\n#  RUN           d.a ...\n#  OK  d.a\nok 1 d.a\n#  RUN           d.b ...\n# x\n"
    )
    assert [(t.name, t.status.value) for t in report.tests][:2] == [("d.a", "pass"), ("d.b", "crashed")]


def test_a_case_that_crashed_inside_kunit_crashed() -> None:
    text = "KTAP version 1\n1..1\n# a: kunit test case crashed!\nnot ok 1 a\n"
    assert statuses(text) == {"a": Status.CRASHED}


@pytest.mark.parametrize(
    "line",
    [
        "ok {n} a\n",
        "ok {n} a{n}\n",
        "# begin: a{n}\n",
        "    ok {n} a\n",
        "# Subtest: a{n}\n",
        "ok 1 a\n  ---\n",
        "# x\n",
    ],
)
def test_ten_times_the_lines_take_ten_times_the_time(line: str) -> None:
    short, long = ("".join(line.replace("{n}", str(n)) for n in range(1, count + 1)) for count in (600, 6_000))
    assert seconds(lambda: ktap.parse(long)) < 30 * max(seconds(lambda: ktap.parse(short)), 0.002)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ktap_nesting, "MOST_TESTS", 500)
    monkeypatch.setattr(ktap_reader, "MOST_TEXT", 10_000)
    report = ktap.parse("1..600\n" + "".join(f"# {'x' * 400}\nok {n} a\n" for n in range(1, 601)))
    assert len(report.tests) == 501 and len(report.problems) < 60
    assert "more than 500 tests: what comes after them is not read" in report.problems
    assert sum(len(line) for t in report.tests for line in t.diagnostics) <= 10_000
    (test,) = ktap.parse("1..1\nok 1 " + "n" * 10**6 + "\n").tests
    assert len(test.name) == 300
    report = ktap.parse("1..900\n" + "".join(f"ok {7 * n} a{n}\n" for n in range(300)), ("z",))
    assert len(report.problems) < 90


@pytest.mark.parametrize(
    ("line", "failure"),
    [
        ("not ok 2 two", "not ok 2 two"),
        ("not ok", "not ok"),
        ("not ok 2 two # TIMEOUT", "not ok 2 two # TIMEOUT"),
        ("not ok 2 two # XFAIL known", ""),
        ("not ok 2 two # SKIP no such device", ""),
        ("not ok 2 two # TODO", ""),
        ("ok 2 two", ""),
        ("not okay", ""),
        ("this is not ok", ""),
        ("# not ok 2 quoted", ""),
    ],
)
def test_a_line_says_that_something_failed(line: str, failure: str) -> None:
    assert ktap.first_failure(["before", line, "not ok 3 later"]) == (failure or "not ok 3 later")


@pytest.mark.parametrize("first", ["1..2", "ok 1 a", "KTAP version 1", "# begin: a", "  ok 1 a", "# Subtest: a"])
def test_a_log_in_the_middle_of_an_output_hides_nothing_of_it(first: str) -> None:
    """A program prints the kernel's log, in which KUnit's stream stands."""
    log = "[    1.000000] KTAP version 1\n[    1.100000] 1..1\n[    1.200000] ok 1 kunit\n"
    report = ktap.parse(f"{first}\n{log}not ok 2 b\n")
    assert Status.FAIL in {test.status for test in report.tests if test.name.endswith("b")}
    assert not any("kunit" in test.name for test in report.tests)


def kunit(*suites: str, planned: int = 1) -> str:
    """Return what the kernel's log has of a KUnit module."""
    parts = [
        f"    KTAP version 1\n    # Subtest: {s}\n    1..1\n    ok 1 a\nok {n} {s}\n" for n, s in enumerate(suites, 1)
    ]
    text = f"KTAP version 1\n1..{planned}\n{''.join(parts)}"
    return "".join(f"[    9.0{number:05}] {line}\n" for number, line in enumerate(text.splitlines()))


def test_each_module_of_kunit_in_the_log_has_a_plan_of_its_own() -> None:
    report = ktap.parse(f"[    9.000000] Linux version 7.0.0\n{kunit('s')}{kunit('t', 'u', planned=2)}")
    assert (report.problems, report.complete) == ((), True)
    assert [test.name for test in report.tests] == ["s/a", "s", "t/a", "t", "u/a", "u"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (kunit("s") + kunit("t", planned=2), "1 of 2 planned tests have a result line"),
        (kunit("s", planned=2) + kunit("t"), "more than one plan: 1..2, 1..1"),
        (kunit("s") + kunit("t").replace("1..1\n", "", 1).replace("[    9.000001] ", ""), "no plan line"),
        ("KTAP version 1\n1..1\nok 1 a\nKTAP version 1\n1..1\nok 1 b\n", "more than one plan: 1..1, 1..1"),
    ],
    ids=[
        "the second is cut off",
        "the first is cut off",
        "the second has no plan",
        "no log, but a child that was forked",
    ],
)
def test_a_plan_that_was_not_kept_is_a_problem_whatever_comes_behind(text: str, problem: str) -> None:
    report = ktap.parse(text)
    assert problem in report.problems and not report.complete
