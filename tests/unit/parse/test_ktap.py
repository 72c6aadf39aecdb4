"""The test output parser: what programs print on good days and on bad ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model import Status, TestResult
from orchestrator.parse import ktap
from orchestrator.parse.ktap_reader import MOST_DIAGNOSTICS


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
    assert ktap.parse("") == ktap.Report((), ("no plan line",), False)
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
