"""What a bisect leaves for its readers: summary.md, junit.xml, and lines for the terminal. Pure but for ``write``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from junit_xml import TestCase, TestSuite, to_xml_report_string

from orchestrator import plain
from orchestrator.bisect.values import Outcome, Role, Step
from orchestrator.host import cache
from orchestrator.model import Term, Verdict, rundir

LOG = "bisect.log"


def write(outcome: Outcome, log: str) -> None:
    """Write the files of a bisect into its folder."""
    write_log(outcome.directory, log)
    cache.write_atomic(outcome.directory / rundir.SUMMARY, summary(outcome))
    cache.write_atomic(outcome.directory / rundir.JUNIT, junit(outcome))


def write_log(directory: Path, log: str) -> None:
    """Write the log as ``git bisect replay`` reads it."""
    cache.write_atomic(directory / LOG, log)


def line(step: Step) -> str:
    """Return one line about a step that was taken."""
    return f"step {step.number}, {step.role.value}: {step.label}: {step.term.name}, {why(step)} ({step.seconds:.0f} s)"


def why(step: Step) -> str:
    """Return the reason of a term in words."""
    return f"{step.why.value}: {step.reason}" if step.why else step.reason


def headline(outcome: Outcome) -> str:
    """Return whether it is conclusive, and what."""
    return ("conclusive: " if outcome.verdict is Verdict.PASS else "not conclusive: ") + outcome.reason


def summary(outcome: Outcome) -> str:
    """Return the summary in Markdown."""
    request = outcome.state.request
    lines = [f"# Bisect of `{request.symptom}`", "", f"**{_cell(headline(outcome))}**", ""]
    lines += [f"- {_cell(note)}" for note in outcome.notes]
    if outcome.culprit:
        lines += [f"- author: {_cell(outcome.culprit.author)}", f"- commit: `{outcome.culprit.id}`"]
    lines += [
        f"- good end `{request.good}`, bad end `{request.bad}`",
        f"- confidence of the path: {percent(outcome.confidence)}",
        f"- {len(outcome.state.steps)} steps, {outcome.state.seconds:.0f} s",
        "",
        "| step | what for | commit | term | why | sure | time |",
        "|---|---|---|---|---|---|---|",
        *(_row(step) for step in outcome.state.steps),
    ]
    if outcome.candidates:
        lines += ["", "The first bad commit is one of:", ""]
        lines += [f"- `{commit.id[:12]}` {_cell(commit.subject)}" for commit in outcome.candidates]
    return "\n".join([*lines, "", f"`{LOG}` is the log for `git bisect replay`."]) + "\n"


def _cell(text: str) -> str:
    """Return text that stays in one cell, and is no markup."""
    return re.sub(r"([\\`|*<>\[\]])", r"\\\1", " ".join(plain.printable(text).split()))


def _row(step: Step) -> str:
    cells = (
        str(step.number),
        step.role.value,
        step.label,
        step.term.name,
        why(step),
        sure(step),
        f"{step.seconds:.0f} s",
    )
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def sure(step: Step) -> str:
    """Return how sure a term is, where it was weighed; the ends are what the others are weighed against."""
    return "" if step.term is Term.SKIP or step.role in {Role.BAD_END, Role.GOOD_END} else percent(step.sure)


def percent(value: float) -> str:
    """Return a probability for people; what is nearly certain is not rounded up to certain."""
    return "100 %" if value == 1 else f"{min(value, 0.9999) * 100:.2f} %"


def junit(outcome: Outcome) -> str:
    """Return the document for CI servers: a case for each step, and the verdict. A skipped step is a skipped case."""
    name = f"bisect {outcome.state.request.symptom}"
    cases = [*(_case(step) for step in outcome.state.steps), _verdict(outcome)]
    text: str = to_xml_report_string([TestSuite(plain.printable(name), cases)])
    return text


def _case(step: Step) -> TestCase:
    out = "\n".join([line(step), *(f"jobs/{folder}" for folder in step.jobs)])
    title = f"{step.number:02} {step.role.value}: {step.label}"
    case = TestCase(plain.printable(title), "bisect", step.seconds, stdout=plain.printable(out))
    if step.term is Term.SKIP:
        case.add_skipped_info(plain.printable(why(step)) or "skipped")
    return case


def _verdict(outcome: Outcome) -> TestCase:
    case = TestCase("verdict", "bisect", stdout=plain.printable("\n".join(_notes(outcome))))
    reason = plain.printable(outcome.reason)
    if outcome.verdict is Verdict.FAIL:
        case.add_failure_info(reason)
    elif outcome.verdict is Verdict.INFRA:
        case.add_error_info(reason)
    elif outcome.verdict is Verdict.SKIP:
        case.add_skipped_info(reason)
    return case


def _notes(outcome: Outcome) -> Iterator[str]:
    yield headline(outcome)
    yield from outcome.notes
