"""Progress while a run works."""

from __future__ import annotations

import io

import pytest

from orchestrator.cli.screen import Screen
from orchestrator.cli.terminal import Terminal, figure


def test_a_figure_is_one_that_a_person_can_read() -> None:
    assert figure(12, 147) == "12 of 147"
    assert figure(60_000_000, 120_000_000) == "50 %"
    assert figure(45.4, 100) == "45 %"
    assert figure(310_000_000, None) == "310 MB"
    assert figure(42, None) == "42"
    assert figure(12, 147, 40.4) == "12 of 147, about 40 s left"
    assert figure(12, 147, 301) == "12 of 147, about 5 min left"
    assert figure(12, 147, 0.0) == figure(12, 147)


def test_the_estimate_stands_in_the_line_of_who_has_no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    out = io.StringIO()
    with Terminal(Screen(file=out, width=160)) as terminal:
        for number in range(4):
            terminal.advance("tests of own", number, 9, 90.0 - 10 * number)
            clock[0] += 20
    assert [line.partition("s ")[2] for line in out.getvalue().splitlines()] == [
        "tests of own: 2 of 9, about 70 s left"
    ]
