"""What a console has of one test: the lines between its markers, and where they begin."""

from __future__ import annotations

import pytest

from orchestrator.parse import window
from orchestrator.parse.window import Window

CONSOLE = """\
[    1.000000] Linux version 5.10
[    2.000000] wpci: begin T01
[    2.000001] one
[    2.000002] wpci: end T01
[    3.000000] wpci: begin repro
[    3.000001] BUG: two\r
[    3.000002] three
"""


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("T01", Window(3, ("[    2.000001] one",))),
        ("repro", Window(6, ("[    3.000001] BUG: two", "[    3.000002] three"))),
        ("T02", None),
    ],
)
def test_it_is_what_stands_between_the_markers(test: str, expected: Window | None) -> None:
    assert window.of(CONSOLE, (test, f"{test}.case")) == expected


def test_the_last_run_counts() -> None:
    again = CONSOLE + "[    4.000000] wpci: begin T01\n[    4.000001] again\n[    4.000002] wpci: end T01\n"
    assert window.of(again, ["T01"]) == Window(9, ("[    4.000001] again",))


def test_lines_are_counted_as_those_of_a_splat_are() -> None:
    odd = CONSOLE.replace("Linux version 5.10", "Linux\x0cversion\x855.10\u2028")
    assert window.of(odd, ["T01"]) == window.of(CONSOLE, ["T01"])
