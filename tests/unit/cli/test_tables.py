"""What a person sees at the end of a run: what matters first, and nothing hidden that is red."""

from __future__ import annotations

import io

import pytest

from orchestrator.cli import tables
from orchestrator.cli.screen import Screen
from orchestrator.cli.tables import figure, show
from orchestrator.model import Side, Status, Verdict
from tests.fakes import results as results_fixture

RUN = results_fixture.run(results_fixture.series(*results_fixture.pair()))


def shown(*, every_test: bool = False) -> str:
    out = io.StringIO()
    show(RUN, Screen(file=out, width=160), every_test=every_test)
    return out.getvalue()


def test_the_verdict_and_the_paths_stand_last() -> None:
    result, lines = RUN, shown().splitlines()
    assert result.verdict.name in lines[-1] and f"exit code {result.exit_code}" in lines[-1]
    assert any(line.startswith("junit") and line.endswith("junit.xml") for line in lines[-5:])


def test_every_red_transition_has_its_row() -> None:
    text = shown()
    red = [t for s in RUN.series for t in s.transitions if t.verdict is Verdict.FAIL]
    assert red
    for item in red:
        assert item.test.partition(".")[0] in text


def test_what_is_hidden_is_counted() -> None:
    quiet = [
        t for s in RUN.series for t in s.transitions if t.verdict is Verdict.PASS and t.base is t.patched is Status.PASS
    ]
    assert (f"{len(quiet)} tests unchanged" in shown()) == bool(quiet)


def test_both_sides_are_told_with_their_accelerator() -> None:
    text = shown()
    assert all(side.value in text for side in Side)
    assert "under tcg" in text or "under kvm" in text


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
    with tables.Terminal(Screen(file=out, width=160)) as terminal:
        for number in range(4):
            terminal.advance("tests of own", number, 9, 90.0 - 10 * number)
            clock[0] += 20
    assert [line.partition("s ")[2] for line in out.getvalue().splitlines()] == [
        "tests of own: 2 of 9, about 70 s left"
    ]
