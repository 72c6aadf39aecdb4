"""What programs say they have: a program whose tests are lost in it is a problem, and so is a name that two have."""

from __future__ import annotations

import pytest

from orchestrator.suite import listing


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("== a\nA01\n== b\nB01\n", []),
        ("== a\nA01\n== b\n", ["b -l: lists no test"]),
        ("== a\nA01\n", ["b -l: lists no test"]),
        ("== a\nA01\n== b\n== b: exit code 139\n", ["b -l: exit code 139", "b -l: lists no test"]),
        ("== a\nA01\n== a: exit code 3\n== b\nB01\n", ["a -l: exit code 3"]),
        ("== a\nA01\n== b\nA01\nB01\n", ["b -l: 'A01' is the name of a test of a, and does not run"]),
        ("== a\nA01\nA01\n== b\nB01\n", ["a -l: 'A01' is the name of a test of a, and does not run"]),
    ],
)
def test_what_a_list_lacks_is_a_problem(text: str, problems: list[str]) -> None:
    available, seen = listing.read(text, ["a", "b"])
    assert seen == problems
    assert available["a"] == ["A01"]


def test_where_nobody_knows_what_was_packed_an_empty_program_is_a_problem_too() -> None:
    assert listing.read("== a\nA01\n== b\n")[1] == ["b -l: lists no test"]


def test_of_many_problems_the_first_are_named_and_the_others_counted() -> None:
    names = "".join(f"B{number}\n" for number in range(30))
    _, problems = listing.read(f"== a\n{names}== b\n{names}C01\n")
    assert len(problems) == listing.MOST_PROBLEMS + 1 and problems[-1] == "and 20 more problems of the list"
