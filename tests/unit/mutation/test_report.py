"""The report on the mutants of a series: nothing that did not run counts as seen."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from orchestrator.errors import UserError
from orchestrator.model.bounds import MANY
from orchestrator.mutation import page
from orchestrator.mutation import report as mutation_report
from orchestrator.mutation.judge import Finding
from orchestrator.mutation.report import Baseline, Entry, Outcome, Report, Section


def entry(name: str, outcome: Outcome = Outcome.KILLED, by: tuple[str, ...] = (), **more: object) -> Entry:
    fields = {"key": name, "name": name, "identity": f"id-{name[:4]}", "where": "f()", **more}
    return Entry(outcome=outcome, by=by, **fields)  # type: ignore[arg-type]


def test_neighbours_say_which_tests_are_likely() -> None:
    known = [
        entry("0001/mm/a.c/1", by=("B01", "B02")),
        entry("0002/mm/a.c/1", by=("Z01",)),
        entry("0002/mm/b.c/2", by=("S01",)),
        entry("0002/mm/b.c/3", by=("splat: WARNING",)),
        entry("0002", by=("W01",)),
        entry("0003/mm/c.c/1", by=("C01",)),
    ]
    assert mutation_report.likely(known, "0001/mm/a.c/2") == ("B01", "Z01")
    assert mutation_report.likely(known, "0002/mm/a.c/9") == ("Z01", "B01", "S01", "W01")
    assert mutation_report.likely(known, "0002") == ("Z01", "S01", "W01")
    assert mutation_report.likely(known, "0009/mm/z.c/1") == ()


KNOWN: dict[str, tuple[str, ...]] = {
    "B01_a.anon": (), "B01_a.file": (), "B01_a.memfd": (), "B02_b": (), "C10_c": ("stock",), "R03_slow": ()
}  # fmt: skip


def report(*entries: Entry) -> Report:
    base = Baseline("sha", "suite", KNOWN, 5.0, ("R03_slow",), {"B01_x": 0.5})
    return Report("uffd-wp", (Section("smoke", base, (("comment", 2),), 5, entries),))


def test_a_report_reads_back_as_it_was_written() -> None:
    full = report(entry("0001/mm/a.c/1", by=("B01",), doubtful=("R01",), kept=("0001/mm/a.c/2",), seconds=1.5))
    assert mutation_report.load(mutation_report.dump(full), "x") == full
    with pytest.raises(UserError, match=r"hunks\.json: not a report"):
        mutation_report.load("{}", "hunks.json")


def test_no_test_is_lost_of_very_many() -> None:
    names = tuple(f"t{number}" for number in range(MANY + 1))
    found = Finding(Outcome.KILLED, names, "", False, len(names), names)
    assert found.failing == found.doubtful == names
    full = report(entry("0001/mm/a.c/1", by=names, doubtful=names))
    base = Baseline("sha", "suite", scale=1.0, fails_on=dict.fromkeys(names, ()), ignored=names)
    full = dataclasses.replace(full, sections=(dataclasses.replace(full.sections[0], baseline=base),))
    assert list(full.never_failed()) == [] and base.ignored == names
    assert mutation_report.load(mutation_report.dump(full), "x") == full


def test_the_page_counts_all_and_names_what_nobody_noticed() -> None:
    survivor = entry("0002/mm/a|b.c/1", Outcome.SURVIVED)
    text = page.render(
        report(entry("0001/mm/a.c/1", by=("B01", "B02")), survivor, entry("0003", Outcome.NOT_BUILT, detail="no f")), {}
    )
    assert "5 mutants: 1 killed, 1 survived, 0 does not come out alone, 1 does not build without it" in text
    assert "2 to do" in text and "2 comment" in text and "R03_slow" in text
    assert "| 0001/mm/a.c/1 | f() | killed | B01 (and 1 more) |" in text
    assert "| 0003 | f() | does not build without it | no f |" in text
    assert "**no reason is known**" in text
    told = page.render(report(survivor), {"id-0002": "only a window of two instructions"})
    assert "no reason is known" not in told and "two instructions" in told


def test_only_survivors_need_a_reason() -> None:
    (section,) = report(entry("0001/mm/a.c/1"), entry("0002/mm/a.c/1", Outcome.SURVIVED)).sections
    assert [e.name for e in page.unexplained(section, {})] == ["0002/mm/a.c/1"]
    assert page.unexplained(section, {"id-0002": "why"}) == ()


def test_a_new_entry_takes_the_place_of_the_old_one() -> None:
    (section,) = report(entry("0001/mm/a.c/1", Outcome.SURVIVED)).sections
    again = section.adding(entry("0001/mm/a.c/1", by=("B01",)))
    assert [e.outcome for e in again.entries] == [Outcome.KILLED]


def test_the_page_names_the_tests_that_were_not_seen_failing() -> None:
    seen = entry("0001/mm/a.c/1", by=("B01_a.anon", "splat: WARNING"), every_test=True)
    known = report(seen)
    known = known.updating(dataclasses.replace(known.sections[0], variant="main", entries=()))
    text = page.render(known, {"R03_*": "a race of a few instructions"})
    assert text.count("not seen failing") == 1, "once for all variants"
    assert "2 of 6 tests fail on a kernel without a mutant" in text and "The other 4:" in text
    assert "| B01_a | file, memfd | **no reason is known** |" in text
    assert "| R03_slow |  | a race of a few instructions |" in text and "C10_c" not in text
    assert page.unproven(known, {"R03_*": "why"}) == ("B01_a.file", "B01_a.memfd", "B02_b")


def test_a_test_that_failed_on_another_variant_was_seen_failing() -> None:
    known = report(entry("0001/mm/a.c/1", by=("B01_a.anon",)))
    elsewhere = dataclasses.replace(known.sections[0], variant="main", entries=(entry("fault/x", by=("B02_b",)),))
    assert "B02_b" not in set(known.updating(elsewhere).never_failed())


@pytest.mark.parametrize("outcome", [Outcome.NOT_ALONE, Outcome.NOT_BUILT, Outcome.EQUIVALENT, Outcome.SURVIVED])
def test_a_fault_that_proves_nothing_needs_a_reason(outcome: Outcome) -> None:
    (section,) = report(entry("fault/off-by-one", outcome), entry("fault/other")).sections
    assert [e.name for e in page.unexplained(section, {})] == ["fault/off-by-one"]


def test_tests_are_called_not_seen_failing_only_where_all_were_tried() -> None:
    assert "not seen failing" not in page.render(report(entry("0001/mm/a.c/1", by=("B02_b",))), {})


def test_the_page_speaks_of_planted_faults_only_where_there_are_some() -> None:
    mutant, fault = entry("0001/mm/a.c/1"), entry("fault/off-by-one")
    assert "seeded" not in page.render(report(mutant), {})
    assert "Faults were seeded" in page.render(report(mutant, fault), {})


@pytest.mark.parametrize(("word", "outcome"), [("noticed", Outcome.KILLED), ("same kernel", Outcome.EQUIVALENT)])
def test_a_report_with_the_words_of_before_is_read(word: str, outcome: Outcome) -> None:
    entry = Entry("k", "m", "i", "w", Outcome.KILLED)
    text = mutation_report.dump(Report("s", (Section("smoke", entries=(entry,)),)))
    (section,) = mutation_report.load(text.replace('"killed"', f'"{word}"'), "r").sections
    assert section.entries[0].outcome is outcome


def test_the_report_beside_the_series_is_read() -> None:
    path = Path(__file__).parents[3] / "patches" / "evidence" / "mutation.json"
    assert mutation_report.load(path.read_text(), path.name).sections


def test_what_killed_a_mutant_in_an_earlier_version_of_the_series_is_remembered_until_it_is_tried_again() -> None:
    old = [entry(f"{n}", key=f"old-{n}", identity=f"id-{n}", by=(f"B0{n}",)) for n in "123"]
    section = Section("smoke", None, (), 3, tuple(old))
    planned = {"old-1": ("1", "id-1"), "new-2": ("0002/mm/b.c/9", "id-2"), "new-4": ("4", "id-4")}
    renewed = section.renewed(planned)
    assert [e.identity for e in renewed.entries] == ["id-1"], "the code around it is the same"
    assert [(e.identity, e.name) for e in renewed.earlier] == [("id-2", "0002/mm/b.c/9")], "3 is in the series no more"
    assert renewed.renewed(planned) == renewed, "and stays until it is tried"
    before = renewed.killed_before("id-2")
    assert before and before.by == ("B02",) and renewed.killed_before("id-1") is None
    assert next(page.summary(renewed)).endswith("2 to do (1 of them killed in an earlier version of the series).")
    text = page.render(Report("uffd-wp", (renewed,)), {})
    assert "| 0002/mm/b.c/9 | f() | to do; killed in an earlier version | B02 |" in text
    again = renewed.adding(entry("2", Outcome.SURVIVED, key="new-2", identity="id-2"))
    assert not again.earlier and next(page.summary(again)).endswith("1 to do.")
    assert mutation_report.load(mutation_report.dump(Report("x", (renewed,))), "x").sections == (renewed,)


@pytest.mark.parametrize(
    ("before", "kernel", "build", "again"),
    [
        ("gcc 12", "new", "gcc 13", True),
        ("gcc 12", "new", "gcc 12", False),  # a comment moved the lines, say: the keys know what the series is
        ("gcc 12", "old", "gcc 13", False),  # the same kernel all the same
        ("", "new", "gcc 13", False),  # a report of before this was written down
    ],
)
def test_all_mutants_are_to_be_tried_again_where_their_kernels_are_built_otherwise(
    before: str, kernel: str, build: str, again: bool
) -> None:
    tried = (entry("1", by=("B01",)), entry("2", Outcome.EQUIVALENT))
    older = entry("3", identity="id-3")
    section = Section("smoke", Baseline("old", "suite", {}, 1.0, build=before), (), 3, tried, (older,))
    now = Baseline(kernel, "suite", {}, 1.0, build=build)
    measured = section.measured(now)
    assert measured.baseline == now and measured.planned == 3
    assert (measured.entries, measured.earlier) == (((), (older, *tried)) if again else (tried, (older,)))
    assert measured.measured(now) == measured, "once"
