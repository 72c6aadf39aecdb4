"""What a person sees at the end of a run: what matters first, and nothing hidden that is red."""

from __future__ import annotations

import io

from orchestrator.cli.screen import Screen
from orchestrator.cli.tables import show
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
