"""A bisect on the terminal: its steps as a table, the answer last."""

from __future__ import annotations

from orchestrator.bisect import report
from orchestrator.bisect.values import Outcome, Step
from orchestrator.cli.screen import Column, Part, Screen, Styled
from orchestrator.model import Term, Verdict

_TERMS = {Term.GOOD: "green", Term.BAD: "red", Term.SKIP: "yellow"}
_VERDICTS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.SKIP: "yellow", Verdict.INFRA: "magenta"}
_COLUMNS = (
    Column("step", right=True),
    Column("what for"),
    Column("term", style="bold"),
    Column("sure", right=True),
    Column("time", right=True),
    Column("commit", most=44),
    Column("why", folded=True),
)


def show(outcome: Outcome, screen: Screen) -> None:
    """Print what a reader takes in within ten seconds: what each step was and why, and what follows from it."""
    request, steps = outcome.state.request, outcome.state.steps
    title = f"{request.symptom}, good {request.good}, bad {request.bad}"
    screen.table(title, _COLUMNS, [_cells(step) for step in steps])
    for note in outcome.notes:
        screen.line(f"note        {note}")
    for commit in outcome.candidates:
        screen.line(f"one of      {commit.id[:12]} {commit.subject}")
    if outcome.culprit and not outcome.candidates:
        screen.line(f"author      {outcome.culprit.author}")
    screen.line(f"log         {outcome.directory / report.LOG}   (git bisect replay)")
    screen.line(f"summary     {outcome.directory / 'summary.md'}")
    if outcome.confidence:
        sure = report.percent(outcome.confidence)
        screen.line(f"confidence  {sure} that every step is what it was taken for")
    screen.line(Styled(report.headline(outcome), f"bold {_VERDICTS[outcome.verdict]}"))
    screen.line(f"exit code {outcome.exit_code}, {outcome.state.seconds:.0f} s in {len(steps)} steps")


def _cells(step: Step) -> tuple[Part, ...]:
    term = Styled(step.term.name, _TERMS[step.term])
    seconds = f"{step.seconds:.0f} s"
    return str(step.number), step.role.value, term, report.sure(step), seconds, step.label, step.words
