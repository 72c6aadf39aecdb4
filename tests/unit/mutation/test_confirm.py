import pytest

from orchestrator.model import Status, TestResult
from orchestrator.mutation import confirm


@pytest.mark.parametrize(
    ("first", "again", "same"),
    [
        ((Status.FAIL, "a.c:10: 3 of 12 pages"), (Status.FAIL, "a.c:10: 4 of 12 pages"), True),
        ((Status.FAIL, "a.c:10: at 0x7f01a000"), (Status.FAIL, "a.c:10: at 0x7f02b000"), True),
        ((Status.FAIL, "the bit is gone"), (Status.FAIL, "the page is gone"), False),
        ((Status.FAIL, "the bit is gone; before, the page is"), (Status.FAIL, "the bit is gone"), True),
        ((Status.FAIL, ""), (Status.TIMEOUT, ""), False),
        ((Status.TIMEOUT, "no answer in 30 s"), (Status.TIMEOUT, "killed"), True),
        ((Status.FAIL, ""), (Status.PASS, ""), False),
    ],
)
def test_a_test_fails_the_same_way_where_nothing_but_numbers_differ(
    first: tuple[Status, str], again: tuple[Status, str], same: bool
) -> None:
    assert confirm.alike(TestResult("A01", *first), TestResult("A01", *again)) is same
