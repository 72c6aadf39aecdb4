"""The summary: what a reviewer must see, and in which order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from markdown_it import MarkdownIt

from orchestrator.model import Side, Status, TestResult
from orchestrator.model.coverage import Coverage
from orchestrator.report import markdown
from tests.fakes import results as fixture

RUN = fixture.run(fixture.series(*fixture.pair()))
TEXT = markdown.render(RUN)


def test_the_verdict_stands_first() -> None:
    assert TEXT.splitlines()[0] == "# ❌ FAIL: run 20261123-1"
    assert "exit code 1" in TEXT


def test_red_rows_stand_before_the_rest_and_quiet_ones_are_counted() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and "`" in line]
    assert [row.split("`")[1] for row in rows] == ["worse", "fixed", "promised", "loose", "both", "known"]
    assert "`same`" not in "\n".join(rows)
    assert "1 more tests are the same on both, and fine." in TEXT


def test_splats_warnings_accelerator_and_the_way_to_see_it_again() -> None:
    assert "**BUG: Bad page map in \\<zap\\>** during `worse`, 2 times" in TEXT
    assert "WARNING in old" not in TEXT
    assert "`mm/memory.c:10` unused variable 'x'" in TEXT
    assert "(tcg, `-cpu max`)" in TEXT
    assert "/r/jobs/patched/reproduce.sh worse" in TEXT


def test_it_renders_as_tables_and_no_markup_leaks_out_of_names() -> None:
    html = MarkdownIt("commonmark").enable("table").render(TEXT)
    assert html.count("<table>") == 1
    assert "<zap>" not in html
    assert "\x1b" not in TEXT and "\x00" not in TEXT


def test_a_long_table_is_cut_and_says_so() -> None:
    tests = tuple(TestResult(f"t{n:03}", Status.FAIL) for n in range(100))
    base = fixture.job(Side.BASE, tuple(TestResult(t.name, Status.PASS) for t in tests))
    text = markdown.render(fixture.run(fixture.series(base, fixture.job(Side.PATCHED, tests))))
    assert text.count("| ❌ |") == markdown.MOST_ROWS
    assert "… and 40 more." in text


def test_a_test_that_is_alike_on_several_backings_is_one_row() -> None:
    names = [f"B01_present.{backing}" for backing in ("anon", "memfd", "tmpfs")]
    base = fixture.job(Side.BASE, tuple(TestResult(name, Status.SKIP) for name in names))
    patched = (*(TestResult(name, Status.PASS) for name in names[:2]), TestResult(names[2], Status.FAIL))
    text = markdown.render(fixture.run(fixture.series(base, fixture.job(Side.PATCHED, patched))))
    assert "| ✅ | `B01_present` ×2 | skip → pass |" in text
    assert "| ❌ | `B01_present.tmpfs` | skip → fail |" in text


def covered(**changes: Any) -> str:
    """Return the summary of a series of which something is known of the lines that ran."""
    return markdown.render(
        fixture.run(fixture.series(fixture.job(Side.BASE, ()), fixture.job(Side.PATCHED, (), **changes)))
    )


def test_the_changed_lines_that_did_not_run_are_listed() -> None:
    missed = ("mm/shmem.c:12: if (*a_b) /* <x> */", *(f"mm/shmem.c:{n}: f();" for n in range(20, 90)))
    lines = covered(coverage=Coverage(90, 80, 9, outside=2, missed=missed)).splitlines()
    start = lines.index("### Changed lines that ran")
    assert lines[start + 2].startswith(
        "80 of 90 changed lines have code, 9 ran, 71 did not; 2 of them in no test. Which tests"
    )
    assert "`/r/jobs/patched/coverage.html`" in lines[start + 2]
    listed = lines[lines.index("Did not run:") + 2 :]
    assert listed[: markdown.MOST_ROWS] == [f"    {line}" for line in missed[: markdown.MOST_ROWS]]
    assert f"… and {len(missed) - markdown.MOST_ROWS} more." in listed


def test_where_all_ran_none_is_listed_and_what_is_not_known_says_why() -> None:
    text = covered(coverage=Coverage(9, 8, 8, by_guest=True))
    assert "8 ran, 0 did not; counted by gcov" in text and "Which lines: `" in text and "Did not run:" not in text
    assert "no coverage: it ran under KVM" in covered(no_coverage="it ran under KVM").splitlines()
    assert "Changed lines" not in covered() and "no coverage" not in covered()
    (half,) = fixture.job(Side.BASE, ()).suites
    part = covered(coverage=Coverage(9, 8, 4), suites=(replace(half, stopped_at="A01"),))
    assert "4 ran, 4 did not; not all tests ran to their end. Which tests" in part


def test_a_job_without_a_series() -> None:
    job = fixture.job(Side.BASE, (TestResult("a|b", Status.CRASHED, "killed by SIGSEGV"), TestResult("c", Status.PASS)))
    text = markdown.render(fixture.run(alone=(job,)))
    assert "| `a\\|b` | crashed | killed by SIGSEGV |" in text
    assert "1 pass, 1 crashed" in text


def test_what_is_expected_to_be_broken_is_counted_and_no_row() -> None:
    tests = (TestResult("known", Status.FAIL), TestResult("worse", Status.TIMEOUT))
    job = fixture.job(Side.BASE, tests, unexpected=(("uffd", "worse"),))
    text = markdown.render(fixture.run(alone=(job,)))
    assert "| `worse` |" in text and "`known`" not in text
    assert "1 more tests are broken, as expected." in text
