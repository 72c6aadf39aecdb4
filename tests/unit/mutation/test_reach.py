import pytest

from orchestrator.model.coverage import DiffFile, DiffHunk, DiffLine, LineCoverage, Reach
from orchestrator.mutation import reach
from orchestrator.mutation.hunks import Hunk, Kind
from orchestrator.mutation.reach import Known, Reached

TAKES_OUT = """\
diff --git a/mm/a.c b/mm/a.c
index 2..1 100644
--- a/mm/a.c
+++ b/mm/a.c
@@ -10,6 +10,5 @@ f
 one
-two
-three
+two before
 four
-five
 six
"""
LINES = (
    DiffLine("+", 21, "two();", Reach.RAN, (0, 1)),
    DiffLine("+", 22, "three();", Reach.MISSED),
    DiffLine("+", 24, "five();", Reach.MISSED),
    DiffLine("+", 30, "rare();", Reach.RAN, (1,)),
    DiffLine("+", 40, "/* words */", Reach.NO_CODE),
    DiffLine("+", 41, "struct x;", Reach.NO_CODE),
)
COVERAGE = LineCoverage(("A01", "B01"), (DiffFile("mm/a.c", (DiffHunk("f", LINES),)),))


def known(**origins: int) -> Known:
    """Return what is known where the lines of patch 1 are at these places of the whole."""
    return Known(("base", "one"), {("one", "mm/a.c", int(k[1:])): v for k, v in origins.items()}, COVERAGE)


def hunk(diff: str = TAKES_OUT, patch: int = 1) -> Hunk:
    return Hunk(patch, 1, "subject", "mm/a.c", "f", Kind.CODE, diff)


def at(*numbers: int) -> Hunk:
    """Return a hunk that adds these lines, each by itself."""
    return hunk("".join(f"@@ -{n},1 +{n},0 @@\n-x\n" for n in numbers))


def test_lines_that_stand_together_are_numbered_as_they_are_after_the_patch() -> None:
    assert list(reach.groups(TAKES_OUT)) == [[11, 12], [14]]
    assert list(reach.groups("@@ -3,2 +3,3 @@\n a\n+b\n c\n\\ No newline at end of file\n")) == [[]]


def test_tests_that_run_a_line_are_known_and_those_that_run_least_come_first() -> None:
    found = known(l11=21, l12=22, l14=24, l15=30).of([hunk(), at(15)])
    assert found == Reached(("A01", "B01"), False), "A01 runs one line of the series, B01 two"


@pytest.mark.parametrize(
    ("origins", "numbers", "never"),
    [
        ({"l1": 24}, (1,), True),
        ({"l1": 24, "l2": 22}, (1, 2), True),
        ({"l1": 24, "l2": 40}, (1, 2), True),  # a comment beside it
        ({"l1": 24, "l2": 21}, (1, 2), False),  # that one ran
        ({"l1": 24, "l2": 41}, (1, 2), False),  # a declaration: what it changes may run anywhere
        ({"l1": 24}, (1, 2), False),  # a later patch has written the second anew
        ({"l1": 40}, (1,), False),  # nothing but a comment
        ({}, (), False),
    ],
)
def test_nothing_is_called_unreached_of_which_anything_else_is_possible(
    origins: dict[str, int], numbers: tuple[int, ...], never: bool
) -> None:
    assert known(**origins).of([at(*numbers)]).never is never


@pytest.mark.parametrize(
    ("origins", "diff", "only"),
    [
        ({"l1": 21}, "@@ -1,1 +1,0 @@\n-x\n", True),
        ({"l1": 21, "l2": 22}, "@@ -1,2 +1,0 @@\n-x\n-y\n", True),  # one of two lines that stand together ran
        ({"l1": 21, "l5": 24}, "@@ -1,1 +1,0 @@\n-x\n@@ -5,1 +4,0 @@\n-y\n", False),  # the second group did not
        ({"l1": 21, "l2": 22}, "@@ -1,2 +1,0 @@\n-x\n-#define Y\n", False),  # what it changes may run anywhere
        ({"l1": 21}, "@@ -1,1 +1,0 @@\n-x\n@@ -5,1 +4,2 @@\n y\n+z\n", False),  # what was taken away ran nowhere
        ({}, "@@ -1,1 +1,0 @@\n-x\n", False),
    ],
)
def test_other_tests_are_left_out_only_where_they_can_run_nothing_of_it(
    origins: dict[str, int], diff: str, only: bool
) -> None:
    assert known(**origins).of([hunk(diff)]).only is only


def test_what_a_header_changes_may_run_anywhere() -> None:
    header = Hunk(1, 1, "subject", "mm/a.h", "f", Kind.HEADER, "@@ -1,1 +1,0 @@\n-x\n")
    coverage = LineCoverage(("A01", "B01"), (DiffFile("mm/a.h", (DiffHunk("f", LINES),)),))
    reached = Known(("base", "one"), {("one", "mm/a.h", 1): 21}, coverage).of([header])
    assert reached.tests and not reached.only


def test_a_hunk_that_only_takes_away_may_be_anywhere() -> None:
    assert known().of([hunk("@@ -3,2 +3,3 @@\n a\n+b\n c\n")]) == reach.UNKNOWN


def fault(*parts: str, kind: Kind = Kind.CODE) -> Hunk:
    """Return a fault of mm/a.c."""
    return Hunk(0, 1, "subject", "mm/a.c", "subject", kind, "--- a/mm/a.c\n+++ b/mm/a.c\n" + "".join(parts))


AT_24 = "@@ -24,1 +24,1 @@\n-five();\n+six();\n"


def test_a_fault_is_made_for_the_whole_series() -> None:
    assert known().of([fault(AT_24)]).never


@pytest.mark.parametrize(
    "stale",
    [
        "@@ -22,1 +22,1 @@\n-five();\n+six();\n",
        "@@ -21,2 +21,2 @@\n before();\n-three();\n+four();\n",  # what stands above is another line
        "@@ -21,2 +21,2 @@\n-two();\n+one();\n after();\n",  # and what stands below
    ],
)
def test_of_a_fault_whose_lines_have_moved_nothing_is_known(stale: str) -> None:
    """git puts it where its text is. What stands at its numbers now may be what no test runs."""
    assert known().of([fault(stale)]) == reach.UNKNOWN
    assert not known().of([fault(AT_24, stale)]).never


def test_lines_of_a_fault_are_those_of_their_own_file() -> None:
    second = "--- a/mm/b.h\n+++ b/mm/b.h\n@@ -22,1 +22,1 @@\n-three();\n+four();\n"
    assert not known().of([fault(AT_24, second)]).never
    first = "@@ -21,1 +21,1 @@\n-two();\n+one();\n"
    assert known().of([fault(first)]).only
    coverage = LineCoverage(COVERAGE.tests, (*COVERAGE.files, DiffFile("mm/b.h", COVERAGE.files[0].hunks)))
    in_both = fault(first, second.replace("22", "21").replace("three", "two"), kind=Kind.HEADER)
    assert Known((), {}, coverage).of([in_both]) == Reached(("A01", "B01"))


def test_of_a_fault_that_cannot_be_followed_nothing_is_known() -> None:
    assert known().of([fault("@@ -24,7 +24,1 @@\n-five();\n+six();\n")]) == reach.UNKNOWN


def test_a_form_feed_ends_no_line() -> None:
    assert list(reach.groups(TAKES_OUT.replace(" one\n", " o\x0cne\n"))) == [[11, 12], [14]]
