"""Programs with words of their own: uffd-unit-tests of Linux 6.12 is the sample."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from orchestrator.config.loader import load
from orchestrator.config.suites import LineFormat
from orchestrator.model import Status
from orchestrator.parse import case_lines

UNIT = next(
    program.format
    for program in load(Path(__file__).parents[3] / "pipeline.yaml").suites["mainline-uffd"].programs
    if isinstance(program.format, LineFormat)
)

SAID = """Testing UFFDIO_API (with syscall)... done
Testing register-ioctls on anon... done
Testing wp on hugetlb... skipped [reason: huge page size is 0, feature missing?]
Testing sigbus-wp on shmem... failed [reason: Signal test failed, userfaults: 3]
Userfaults unit tests: pass=2, skip=1, fail=1 (total=4)
"""


def test_each_case_line_is_a_test() -> None:
    report = case_lines.parse(SAID, UNIT)
    assert [(t.name, t.status, t.reason) for t in report.tests] == [
        ("UFFDIO_API-(with-syscall)", Status.PASS, ""),
        ("register-ioctls-on-anon", Status.PASS, ""),
        ("wp-on-hugetlb", Status.SKIP, "huge page size is 0, feature missing?"),
        ("sigbus-wp-on-shmem", Status.FAIL, "Signal test failed, userfaults: 3"),
    ]
    assert report.complete and not report.problems


@pytest.mark.parametrize("cut", range(len(SAID)))
def test_output_that_ends_too_early_is_never_complete(cut: int) -> None:
    report = case_lines.parse(SAID[:cut], UNIT)
    assert report.complete is ("(total=4)" in SAID[:cut])


def test_a_case_that_did_not_end_is_an_error() -> None:
    report = case_lines.parse("Testing wp on shmem... ERROR: ioctl failed\n", UNIT)
    assert [t.status for t in report.tests] == [Status.ERROR]
    assert report.problems


def test_a_case_that_is_not_counted_and_a_name_said_twice_are_problems() -> None:
    twice = SAID.replace("Userfaults", "Testing wp on hugetlb... done\nUserfaults")
    assert case_lines.parse(twice, UNIT).problems == (
        "5 cases, and 4 by its own count",
        "wp-on-hugetlb: 2 cases of that name",
    )


@pytest.mark.parametrize(
    ("case", "total", "said"),
    [
        ("(", r"(?P<total>\d+)", "not a regular expression"),
        ("(?P<name>x)", r"(?P<total>\d+)", "outcome is missing"),
        ("(?P<name>x)(?P<outcome>y)", r"\d+", "total is missing"),
    ],
)
def test_a_format_that_cannot_tell_is_refused(case: str, total: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        LineFormat(case=case, outcomes={"y": "pass"}, total=total)


def test_the_reason_of_a_failure_is_the_line_that_says_it() -> None:
    text = (
        "Testing a on shmem... done\nbytes copied\nERROR: no trap (errno=22, @uffd.c:9)\nTesting b on shmem... failed\n"
        "Testing c on shmem... going on\nuffd.c:12: ioctl failed\n"
        "Userfaults unit tests: pass=1, skip=0, fail=1 (total=3)\n"
    )
    assert [t.reason for t in case_lines.parse(text, UNIT).tests] == [
        "",
        "ERROR: no trap (errno=22, @uffd.c:9)",
        "did not say how it ended: uffd.c:12: ioctl failed",
    ]


@pytest.mark.parametrize("total", ["x", "9" * 5000, "²", ""])
def test_a_count_that_is_no_number_is_a_problem(total: str) -> None:
    form = UNIT.model_copy(update={"total": "^total (?P<total>.*)$"})
    assert case_lines.parse(f"Testing a on b... done\ntotal {total}\n", form).problems
