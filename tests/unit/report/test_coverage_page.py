"""The page of the lines that ran: each line of the diff with its mark, its number and who ran it, and no markup."""

from __future__ import annotations

import re
from html import unescape

from orchestrator.model.coverage import DiffFile, DiffHunk, DiffLine, LineCoverage, Reach
from orchestrator.report import coverage_page

LINES = (
    DiffLine(" ", 10, "int f(int <a>)"),
    DiffLine("-", 0, "\told & gone;"),
    DiffLine("+", 11, "\tint a;", Reach.NO_CODE),
    DiffLine("+", 12, "\tif (a < b)", Reach.RAN, (0, 1)),
    DiffLine("+", 13, "\t\tboot();", Reach.RAN),
    DiffLine("+", 14, '\t\tpr_err("<b>");', Reach.MISSED),
    DiffLine("+", 15, "\t\tgoto out;", Reach.MISSED),
    DiffLine("+", 20, "\treturn 1;", Reach.MISSED),
)
FILE = DiffFile("mm/a.c", (DiffHunk("static int f(void) <i>", LINES),))
KNOWN = LineCoverage(("T01", "T02<"), (FILE, DiffFile("mm/b.h", ())), by_program=("T02<",))
PAGE = coverage_page.render(KNOWN, "linux<5.10>")


def rows(page: str) -> list[tuple[str, ...]]:
    """Return the lines of the diff as the page shows them: mark, number, text, and what stands behind."""
    row = re.compile(r'<tr class="(\w*)"><td>(\d*)</td><td>(.*?)</td><td class="by" title="(.*?)">(.*?)</td></tr>')
    return [tuple(unescape(re.sub(r"<[^>]*>", "", part)) for part in found) for found in row.findall(page)]


def test_each_line_has_its_mark_and_the_tests_that_ran_it() -> None:
    assert rows(PAGE) == [
        ("", "10", " int f(int <a>)", "", ""),
        ("gone", "", "-        old & gone;", "", ""),
        ("none", "11", "+        int a;", "", ""),
        ("ran", "12", "+        if (a < b)", "T01, T02<", "2: T01, T02<"),
        ("ran", "13", "+                boot();", "outside of any test", "outside of any test"),
        ("missed", "14", '+                pr_err("<b>");', "", "did not run"),
        ("missed", "15", "+                goto out;", "", "did not run"),
        ("missed", "20", "+        return 1;", "", "did not run"),
    ]


def test_the_files_are_counted_and_what_did_not_run_is_named_by_its_lines() -> None:
    assert '<b class="pass">2 ran</b>, <b class="fail">3 did not</b>, <span class="soft">1 have no code</span>' in PAGE
    assert '<td>2</td><td class="fail">3</td><td>1</td><td>14-15, 20</td>' in PAGE
    assert '<a href="#mm/b.h">mm/b.h</a></td><td>0</td><td>0</td><td>0</td><td></td>' in PAGE
    assert "Of 1 tests it is known only that one of their program ran a line" in PAGE


def test_nothing_of_the_diff_is_markup() -> None:
    for text in ("<a>", "<i>", 'pr_err("<b>")', "T02<", "linux<5.10>"):
        assert text not in PAGE
    assert "@@ static int f(void) &lt;i&gt;" in PAGE and "linux&lt;5.10&gt;" in PAGE


def test_where_the_kernel_counted_no_test_is_named_and_of_many_tests_the_first_are() -> None:
    by_guest = coverage_page.render(LineCoverage((), (FILE,), by_guest=True), "job")
    assert [row[4] for row in rows(by_guest) if row[0] == "ran"] == ["2: in a guest", "in a guest"]
    names = tuple(f"T{number:02}" for number in range(20))
    line = DiffLine("+", 12, "", Reach.RAN, tuple(range(20)))
    assert coverage_page.tests(LineCoverage(names, ()), line) == ", ".join(names[: coverage_page.MOST]) + " and 8 more"
