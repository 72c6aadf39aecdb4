"""The pages of `wpci report`, as far as they are pure: what is told, what is seen, and what is written where."""

from __future__ import annotations

import dataclasses
import datetime
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from orchestrator.errors import InfraError, UserError
from orchestrator.history import night
from orchestrator.history.classify import Change
from orchestrator.history.values import Job, Run, Seen, StageTime, Test, Whole
from orchestrator.model import RunResult, Side, Stage, Status, Verdict
from orchestrator.site import gather, grid, names, pages, plot, publish, strip
from orchestrator.site.values import Part, TestHistory
from tests.fakes import results as fixture

FOLDER = Path("/r/x")


def run(number: int, **changes: Any) -> Run:
    when = datetime.datetime(2026, 11, number, 1, 30, tzinfo=datetime.UTC)
    fields: dict[str, Any] = {
        "id": f"run-{number}", "mode": "full", "started": when, "seconds": 60.0, "verdict": Verdict.PASS,
        "exit_code": 0, "directory": FOLDER, "missing": (), "notes": (),
    }  # fmt: skip
    return Run(**{**fields, **changes})


def seen(number: int, *tests: Test, name: str = "t.v", series: str | None = None, **changes: Any) -> Seen:
    fields: dict[str, Any] = {
        "id": number, "run": f"run-{number}", "name": name, "tree": "t", "series": series, "variant": "v",
        "side": Side.PATCHED if series else Side.BASE, "verdict": Verdict.PASS, "reason": "", "directory": FOLDER,
        "identity": dataclasses.replace(fixture.IDENTITY, kernel=f"k{number}"), "release": "5.10", "config": None,
    }  # fmt: skip
    return Seen(Job(**{**fields, **changes}), (), tests, ())


def one(status: Status, name: str = "T", seconds: float | None = 1.0, tries: tuple[Status, ...] = ()) -> Test:
    return Test("s", name, status, tries or (status,), "", seconds)


def part(*runs: Whole, transitions: Any = None) -> Part:
    return Part("full", runs, night.compare_last(runs), (), transitions)


def nights(*words: str) -> Part:
    """Return the nights of one test: a letter each, newest first."""
    of = {"p": Status.PASS, "f": Status.FAIL, "s": Status.SKIP, "c": Status.CRASHED}
    wholes = []
    for number, word in zip(range(len(words), 0, -1), words, strict=True):
        tests = (one(of[word]),) if word in of else ()
        wholes.append(Whole(run(number), (seen(number, *tests),) if word != "-" else ()))
    return part(*wholes)


def track(*words: str) -> Any:
    (test,) = gather.tests([nights(*words)])
    return test.tracks[0]


# --- names


@given(st.lists(st.tuples(st.text(), st.text()), unique=True, max_size=8))
def test_a_page_has_a_name_of_its_own_that_any_file_system_takes(keys: list[tuple[str, str]]) -> None:
    made = [names.page("test", *key) for key in keys]
    assert len({name.lower() for name in made}) == len(made)
    assert all(re.fullmatch(r"test-[A-Za-z0-9_.-]*-[0-9a-f]{10}\.html", n) and len(n) < 120 for n in made)


# --- strip and plot


def tiles(found: Any) -> list[tuple[str, str, str]]:
    cells = html.fragment_fromstring(strip.of_track(found, lambda run: f"{run.id}.html")).xpath("./*")
    return [(cell.text, cell.get("class"), cell.get("title")) for cell in cells]


def test_a_strip_has_a_cell_for_each_run_that_differs_by_letter_and_by_class() -> None:
    found = tiles(track("p", "f", ".", "-", "s", "c", "."))
    assert [(sign, kind) for sign, kind, _ in found] == [
        ("✓", "p"), ("F", "f"), ("·", "o"), ("·", "o"), ("–", "s"), ("C", "f"),
    ]  # fmt: skip
    assert found[1][2] == "2026-11-06 01:30 fail, 1.00 s, under tcg"
    assert [title.split(" ", 2)[2] for _, _, title in found[2:4]] == ["not in this run", "the job did not run"]
    assert len({*strip.LETTERS.values(), "~", "·"}) == len(Status) + 2


def test_hostile_words_stay_in_the_title_of_their_cell() -> None:
    hostile = "\"'><script>&amp; \x1b"
    test = dataclasses.replace(one(Status.FAIL), reason=hostile)
    (found,) = gather.tests([part(Whole(run(1), (seen(1, test),)))])
    ((_, _, title),) = tiles(found.tracks[0])
    assert title == "2026-11-01 01:30 fail, 1.00 s: \"'><script>&amp; \\x1b, under tcg"
    (matrix,) = gather.matrices(part(Whole(run(1), (seen(1, test, verdict=Verdict.FAIL),))))
    row = html.fragment_fromstring(f"<table>{grid.body(matrix, matrix.loud, {('s', 'T'): 'x'})}</table>")
    assert row.xpath("//td/@title") == ["fail, 1.00 s: \"'><script>&amp; \\x1b"]


def test_tries_that_differ_have_a_letter_of_their_own() -> None:
    test = one(Status.FAIL, tries=(Status.FAIL, Status.PASS))
    assert strip.letter(test) == "~" and strip.describe(test) == "fail → pass, 1.00 s"
    assert strip.letter(one(Status.XFAIL, tries=(Status.XFAIL, Status.PASS))) == "~"
    assert strip.letter(one(Status.FAIL, tries=(Status.FAIL, Status.XFAIL))) == "F"


def test_cells_of_another_setting_are_pale_and_their_durations_are_left_out() -> None:
    other = dataclasses.replace(fixture.IDENTITY, accel="kvm")
    jobs = [seen(3, one(Status.PASS)), seen(2, one(Status.PASS), identity=other), seen(1, one(Status.PASS))]
    history = gather.tests([part(*(Whole(run(3 - n), (job,)) for n, job in enumerate(jobs)))])[0].tracks[0]
    assert [kind for _, kind, _ in tiles(history)] == ["p", "p pale", "p"]
    assert "under kvm, another setting" in tiles(history)[1][2]
    assert [point.place for point in plot.points(history)] == [0, 2]


def test_a_run_that_is_incomplete_has_a_border() -> None:
    runs = [run(2, missing=("t.v",), verdict=Verdict.INFRA), run(1)]
    cells = html.fragment_fromstring(strip.of_runs(runs, lambda run: None)).xpath("./*")
    assert [(c.tag, c.text, c.get("class")) for c in cells] == [("b", "I", "i cut"), ("b", "✓", "p")]
    assert cells[0].get("title").endswith("INFRA, incomplete: 1 jobs did not run")


def test_a_plot_shows_each_duration_and_marks_what_was_broken() -> None:
    found = plot.points(track("p", "f", ".", "p"))
    assert [(p.place, p.broken) for p in found] == [(0, False), (2, True), (3, False)]
    picture = html.fragment_fromstring(plot.svg(found, 4))
    line, dots, bars = (path.get("d") for path in picture.xpath(".//path"))
    assert picture.get("viewbox") == "0 0 40 40" and dots.count("h0") == 2 and bars == "M25 40V3.0"
    assert line.count("M") == 2  # the run without the test breaks it
    assert plot.svg(found[:1], 1) == "" and plot.words(()) == ""


def test_durations_are_told_in_few_digits() -> None:
    texts = [plot.short(seconds) for seconds in (0.0012, 0.0312, 0.5, 1.234, 59.96, 700)]
    assert texts == ["1.2 ms", "31 ms", "500 ms", "1.23 s", "60 s", "700 s"]


# --- what is told


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("p", "PASS: 1 new"),
        ("pp", "PASS: nothing changed"),
        ("fp", "PASS: 1 regressed"),  # the verdict is that of the run; the night itself makes it red
        (".p", "PASS: 1 missing"),
        ("pf", "PASS: 1 fixed"),
    ],
)
def test_the_headline_says_what_changed(words: str, says: str) -> None:
    assert pages.headline(nights(*words)) == says


def test_the_headline_says_first_that_a_run_is_incomplete() -> None:
    whole = Whole(run(2, missing=("a", "b"), verdict=Verdict.INFRA), (seen(2, one(Status.FAIL)),))
    found = part(whole, Whole(run(1), (seen(1, one(Status.PASS)),)))
    assert pages.headline(found) == "INFRA: incomplete, 2 of its jobs did not run, 1 regressed"


def test_jobs_in_which_a_test_did_the_same_are_told_together() -> None:
    def whole(number: int, *statuses: Status) -> Whole:
        jobs = [
            seen(number, one(status), name=f"t.x.{variant}", series="x", variant=variant)
            for variant, status in zip("abc", statuses, strict=True)
        ]
        return Whole(run(number), tuple(jobs))

    (change,) = gather.changes(
        part(whole(2, Status.FAIL, Status.FAIL, Status.CRASHED), whole(1, *[Status.PASS] * 3))
    )  # fmt: skip
    assert (change.change, change.key) == (Change.REGRESSED, ("s", "T"))
    assert [(pair.before, pair.now, pair.jobs) for pair in change.statuses] == [
        (Status.PASS, Status.FAIL, ("a", "b")), (Status.PASS, Status.CRASHED, ("c",)),
    ]  # fmt: skip


def test_a_new_test_is_told_only_where_it_is_broken() -> None:
    assert gather.changes(nights("p")) == ()
    assert [one.change for one in gather.changes(nights("f"))] == [Change.NEW]


def test_short_names_of_jobs_tell_them_apart() -> None:
    jobs = [seen(1).job, seen(1, name="t.x.v", series="x").job]
    assert gather.labels(jobs) == {"t.v": "v (base)", "t.x.v": "v"} and gather.labels(jobs[:1]) == {"t.v": "v"}
    twice = [*jobs, seen(1, name="u.v", tree="u").job]
    assert gather.labels(twice) == {name: name for name in ("t.v", "t.x.v", "u.v")}


def test_stages_come_first_and_are_in_their_order() -> None:
    stages = tuple(StageTime(s, Verdict.PASS, 1.0, "", None, False) for s in reversed(Stage))
    whole = Whole(run(1), (dataclasses.replace(seen(1, one(Status.PASS, "A")), stages=stages),))
    keys = [test.key for test in gather.tests([part(whole)])]
    assert [grid.name(key) for key in keys] == ["applies", "builds", "boots", "s/A"]


def test_what_the_hosts_fault_cut_off_is_not_there() -> None:
    infra = (StageTime(Stage.SUITE, Verdict.INFRA, 1.0, "gone", None, False),)
    broken = dataclasses.replace(seen(1, one(Status.MISSING, "A"), one(Status.PASS, "B")), stages=infra)
    assert [test.name for test in gather.tests([part(Whole(run(1), (broken,)))])] == ["B"]


def test_the_last_failure_is_that_of_the_newest_run_and_a_crash_comes_first() -> None:
    def whole(number: int, base: Status, patched: Status) -> Whole:
        jobs = (seen(number, one(base)), seen(number, one(patched), name="t.x.v", series="x"))
        return Whole(run(number), jobs)

    (test,) = gather.tests([part(whole(3, Status.PASS, Status.PASS), whole(2, Status.FAIL, Status.FAIL))])
    assert [t.job.name for t, _ in gather.last_broken(test, "full")] == ["t.x.v", "t.v"]
    (test,) = gather.tests([part(whole(2, Status.CRASHED, Status.FAIL), whole(1, Status.FAIL, Status.FAIL))])
    found = gather.last_broken(test, "full")
    assert [(t.job.name, cell.run.id) for t, cell in found] == [("t.v", "run-2"), ("t.x.v", "run-2")]
    assert gather.last_broken(TestHistory("s", "T", ()), "full") == ()


# --- the matrix


def judged() -> tuple[RunResult, Part]:
    """Return a run of a pair as rich as they get, and the part of the site that tells of it."""
    result = fixture.run(fixture.series(*fixture.pair()))
    jobs = []
    for number, job in enumerate(result.jobs):
        tests = tuple(Test("uffd", t.name, t.status, (t.status,), t.reason, None) for t in job.suites[0].tests)
        jobs.append(
            seen(number, *tests, name=job.name, series=job.series, verdict=Verdict.FAIL, variant="smoke", side=job.side)
        )
    return result, part(Whole(run(1), tuple(jobs)), transitions=gather.transitions(result))


def test_what_is_not_charged_to_the_series_is_not_red() -> None:
    _, found = judged()
    (matrix,) = gather.matrices(found)
    base, patched = matrix.columns
    assert base.charged == frozenset()
    assert {name for _, name in patched.charged} == {"worse"}
    assert [name for _, name in matrix.loud] == ["worse"] and len(matrix.quiet) == 6


def test_without_the_judgement_every_failure_of_a_red_job_counts() -> None:
    _, found = judged()
    (matrix,) = gather.matrices(dataclasses.replace(found, transitions=None))
    assert {name for _, name in matrix.columns[1].charged} == {"worse", "both", "known"}


def test_what_a_tree_by_itself_is_expected_to_fail_is_not_red() -> None:
    job = fixture.job(Side.BASE, (), unexpected=(("s", "worse"),))
    night = Whole(run(1), (seen(1, one(Status.FAIL, "known"), one(Status.FAIL, "worse"), verdict=Verdict.FAIL),))
    known = gather.unexpected(fixture.run(alone=(dataclasses.replace(job, name="t.v"),)))
    (matrix,) = gather.matrices(dataclasses.replace(part(night, transitions={}), unexpected=known))
    assert matrix.columns[0].charged == {("s", "worse")}


def test_the_matrix_has_a_cell_for_each_job_and_frames_what_changed() -> None:
    (matrix,) = gather.matrices(nights("f", "p"))
    names = {key: "page.html" for key in (*matrix.loud, *matrix.quiet)}
    (row,) = html.fragment_fromstring(f"<table>{grid.body(matrix, matrix.loud, names)}</table>").xpath("//tr")
    cells = row.xpath("./td")
    assert row.xpath("./th/a/@href") == ["page.html"] and [cell.text for cell in cells] == ["F"]
    assert cells[0].get("class") == "x news edge" and cells[0].get("title") == "regressed: fail, 1.00 s"
    head = html.fragment_fromstring(f"<table>{grid.head(matrix)}</table>")
    assert [cell.text for cell in head.xpath("//th")] == [None, "v", None, "base"]


def test_a_test_that_is_missing_has_its_row() -> None:
    (matrix,) = gather.matrices(nights(".", "p"))
    assert matrix.loud == (("s", "T"),)
    assert ">?" in grid.body(matrix, matrix.loud, {("s", "T"): "x"})


# --- the folder


def written(out: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in out.iterdir() if not path.name.startswith(".")}


def test_pages_take_the_place_of_those_before_and_stale_ones_go(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report"
    assert publish.publish(out, [("a.html", "1"), ("b.html", "1"), ("index.html", "1")]) == 3
    publish.publish(out, [("b.html", "2"), ("index.html", "2")])
    assert written(out) == {"b.html": "2", "index.html": "2"}


def test_a_report_that_is_cut_short_leaves_the_old_one(tmp_path: Path) -> None:
    publish.publish(tmp_path, [("a.html", "1"), ("index.html", "1")])

    def failing() -> Any:
        yield "a.html", "2"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish.publish(tmp_path, failing())
    assert written(tmp_path) == {"a.html": "1", "index.html": "1"}
    publish.publish(tmp_path, [("index.html", "3")])
    assert written(tmp_path) == {"index.html": "3"} and not (tmp_path / ".wpci-new").exists()


def test_nobody_else_writes_while_a_report_is_written(tmp_path: Path) -> None:
    def held() -> Iterator[tuple[str, str]]:
        handle = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)
        yield "index.html", "1"

    assert publish.publish(tmp_path, held()) == 1


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(UserError, match=r"not a folder of an earlier report, and not empty \(index\.html\)"):
        publish.publish(tmp_path, [("index.html", "1")])
    assert written(tmp_path) == {"index.html": "mine"}


def test_a_file_beside_the_pages_stays(tmp_path: Path) -> None:
    publish.publish(tmp_path, [("a.html", "1"), ("index.html", "1")])
    (tmp_path / "notes.html").write_text("mine")
    publish.publish(tmp_path, [("index.html", "2")])
    assert written(tmp_path) == {"index.html": "2", "notes.html": "mine"}


def test_what_cannot_be_written_is_one_line() -> None:
    with pytest.raises(InfraError, match="cannot write /proc/none: "):
        publish.publish(Path("/proc/none"), [("index.html", "1")])
