"""The shortest list of tests that makes another red, and what ran before a test."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.guest import protocol
from orchestrator.guest.protocol import Row
from orchestrator.suite import pollution


@given(st.data(), st.integers(1, 60))
def test_what_is_needed_is_what_is_left(data: st.DataObject, count: int) -> None:
    tests = tuple(f"T{number:02}" for number in range(count))
    needed = data.draw(st.sets(st.sampled_from(tests), min_size=1, max_size=4))
    left, known = pollution.shortest(tests, lambda some: needed <= set(some), lambda: False)
    assert (left, known) == (tuple(sorted(needed)), True)


def test_one_culprit_of_many_takes_few_trials() -> None:
    tests = tuple(f"T{number:03}" for number in range(512))
    trials: list[int] = []

    def is_red(some: pollution.Tests) -> bool:
        trials.append(len(some))
        return "T137" in some

    assert pollution.shortest(tests, is_red, lambda: False)[0] == ("T137",)
    assert len(trials) <= 18


def test_without_time_the_shortest_so_far_is_not_called_the_shortest() -> None:
    left = iter([False, False, True])
    tests = ("T1", "T2", "T3", "T4")
    assert pollution.shortest(tests, lambda some: "T1" in some, lambda: next(left)) == (("T1", "T2"), False)


def test_what_a_trial_says_nothing_of_may_be_left_out_for_all_that_is_known() -> None:
    known: dict[pollution.Tests, bool | None] = {("T2",): None, ("T1",): False}
    assert pollution.shortest(("T1", "T2"), lambda some: known[some], lambda: False) == (("T1", "T2"), False)
    assert pollution.shortest(("T1", "T2", "T3"), lambda some: True if some == ("T3",) else None, lambda: False) == (
        ("T3",),
        True,
    )


def guest(folder: Path, rows: list[Row], ended: int) -> Path:
    """Write what a guest leaves in which so many of the tests of these rows came to their end."""
    folder.mkdir()
    console = folder / "console.log"
    (folder / protocol.ROWS).write_bytes(b"")
    lines = []
    for row in rows:
        protocol.keep(row, console)
        for number, test in enumerate(row.tests):
            begin, end = row.words[2 * number : 2 * number + 2]
            lines += [f"wpci: {begin} begin {test}", f"wpci: {end} end {test}"]
    console.write_text("".join(f"[    1.000000] {line}\n" for line in lines[: 2 * ended]))
    return console


@pytest.mark.parametrize(
    ("test", "before"), [("T1", ()), ("T3", ("T1", "T2")), ("T5", ()), ("T6", ("T5",)), ("T9", ())]
)
def test_what_ran_before_is_what_began_in_the_same_guest(tmp_path: Path, test: str, before: tuple[str, ...]) -> None:
    first = guest(tmp_path / "boot-1", [Row.of(["T1", "T2"]), Row.of(["T3", "T4", "T5"])], 4)
    second = guest(tmp_path / "boot-2", [Row.of(["T5", "T6"])], 2)
    assert pollution.before(test, (first, second)) == before
