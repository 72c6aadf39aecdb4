"""What a bisect leaves for its readers: summary.md, junit.xml, and lines for the terminal. Pure but for ``write``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from junit_xml import TestCase, TestSuite, to_xml_report_string

from orchestrator.bisect.values import Outcome, Role, Step
from orchestrator.host import disk
from orchestrator.model import Term, Verdict, rundir
from orchestrator.report import markup as md
from orchestrator.report.markup import Markdown
from orchestrator.text import plain

LOG = "bisect.log"


def write(outcome: Outcome, log: str) -> None:
    """Write the files of a bisect into its folder."""
    write_log(outcome.directory, log)
    disk.write_atomic(outcome.directory / rundir.SUMMARY, summary(outcome))
    disk.write_atomic(outcome.directory / rundir.JUNIT, junit(outcome))


def write_log(directory: Path, log: str) -> None:
    """Write the log as ``git bisect replay`` reads it."""
    disk.write_atomic(directory / LOG, log)


def line(step: Step) -> str:
    """Return one line about a step that was taken."""
    return f"step {step.number}, {step.role.value}: {step.label}: {step.term.name}, {step.words} ({step.seconds:.0f} s)"


def headline(outcome: Outcome) -> str:
    """Return whether it is conclusive, and what."""
    return ("conclusive: " if outcome.verdict is Verdict.PASS else "not conclusive: ") + outcome.reason


def summary(outcome: Outcome) -> str:
    """Return the summary in Markdown."""
    return md.document(_summary(outcome))


def _summary(outcome: Outcome) -> Iterator[Markdown]:
    request, state = outcome.state.request, outcome.state
    yield from (md.line("# Bisect of {}", md.code(str(request.symptom))), md.BLANK)
    yield from (md.line("**{}**", headline(outcome)), md.BLANK)
    yield from (md.line("- {}", note) for note in outcome.notes)
    if outcome.culprit:
        yield md.line("- author: {}", outcome.culprit.author)
        yield md.line("- commit: {}", md.code(outcome.culprit.id))
    yield md.line("- good end {}, bad end {}", md.code(request.good), md.code(request.bad))
    yield md.line("- confidence of the path: {}", percent(outcome.confidence))
    yield md.line("- {} steps, {} s", len(state.steps), f"{state.seconds:.0f}")
    yield md.BLANK
    yield from (
        md.line("| step | what for | commit | term | why | sure | time |"),
        md.line("|---|---|---|---|---|---|---|"),
    )
    yield from (_row(step) for step in state.steps)
    if outcome.candidates:
        yield from (md.BLANK, md.line("The first bad commit is one of:"), md.BLANK)
        yield from (md.line("- {} {}", md.code(commit.id[:12]), commit.subject) for commit in outcome.candidates)
    yield from (md.BLANK, md.line("{} is the log for `git bisect replay`.", md.code(LOG)))


def _row(step: Step) -> Markdown:
    took = f"{step.seconds:.0f} s"
    what = (step.number, step.role.value, step.label, step.term.name)
    return md.line("| {} | {} | {} | {} | {} | {} | {} |", *what, step.words, sure(step), took)


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
        case.add_skipped_info(plain.printable(step.words) or "skipped")
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
