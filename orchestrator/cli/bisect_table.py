"""A bisect on the terminal: its steps as a table, the answer last."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.bisect import report
from orchestrator.bisect.values import Outcome
from orchestrator.model import Term, Verdict

_TERMS = {Term.GOOD: "green", Term.BAD: "red", Term.SKIP: "yellow"}
_VERDICTS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.SKIP: "yellow", Verdict.INFRA: "magenta"}


def show(outcome: Outcome, console: Console) -> None:
    """Print what a reader takes in within ten seconds: what each step was and why, and what follows from it."""
    console.print(_table(outcome))
    for note in outcome.notes:
        _say(console, f"note        {note}")
    for commit in outcome.candidates:
        _say(console, f"one of      {commit.id[:12]} {commit.subject}")
    if outcome.culprit and not outcome.candidates:
        _say(console, f"author      {outcome.culprit.author}")
    _say(console, f"log         {outcome.directory / report.LOG}   (git bisect replay)")
    _say(console, f"summary     {outcome.directory / 'summary.md'}")
    if outcome.confidence:
        _say(console, f"confidence  {report.percent(outcome.confidence)} that every step is what it was taken for")
    colour = _VERDICTS[outcome.verdict]
    console.print(f"[bold {colour}]{escape(report.headline(outcome))}[/]", highlight=False, soft_wrap=True)
    seconds = f"{outcome.state.seconds:.0f} s in {len(outcome.state.steps)} steps"
    console.print(f"exit code {outcome.exit_code}, {seconds}", highlight=False)


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _table(outcome: Outcome) -> Table:
    request = outcome.state.request
    title = f"{request.symptom}, good {request.good}, bad {request.bad}"
    table = Table(title=escape(title), title_justify="left", header_style="bold")
    for name, style in (("step", ""), ("what for", ""), ("term", "bold"), ("sure", ""), ("time", "")):
        table.add_column(
            name, style=style, no_wrap=True, justify="right" if name in {"step", "sure", "time"} else "left"
        )
    table.add_column("commit", overflow="ellipsis", no_wrap=True, max_width=44)
    table.add_column("why", overflow="fold")
    for step in outcome.state.steps:
        term = f"[{_TERMS[step.term]}]{step.term.name}[/]"
        seconds = f"{step.seconds:.0f} s"
        cells = (str(step.number), step.role.value, term, report.sure(step), seconds)
        table.add_row(*cells, escape(step.label), escape(report.why(step)))
    return table
