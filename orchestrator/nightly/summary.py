"""A night in words: what is other than it was, the worst first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from orchestrator.history.classify import Change, Rate, TitleChange
from orchestrator.history.night import Comparison, Finding
from orchestrator.history.values import Point, Run
from orchestrator.model import Status
from orchestrator.text import plain, wording

_SHOWN = (Change.REGRESSED, Change.MISSING, Change.FLAKY, Change.FIXED, Change.NEW, Change.PERSISTENT)


def lines(comparison: Comparison) -> Iterator[str]:
    """Yield a line for each test that is not steady, each splat that is new or gone, each note; the sum first.

    Jobs with the same finding share a line. Tests that are new and work are counted only.
    """
    counts = Counter(finding.change for finding in comparison.findings)
    sums = ", ".join(f"{counts[change]} {change.value}" for change in Change if counts[change])
    yield f"against the nights before: {sums or 'nothing to compare'}"
    for change in _SHOWN:
        findings = sorted((f for f in comparison.of(change) if _worth_a_line(f)), key=lambda f: (f.job, f.id))
        for words, jobs in wording.together((_line(finding), finding.job) for finding in findings):
            yield f"{change.value:10} {words}  in {wording.some(jobs, 2)}"
    changed = [splat for splat in comparison.splats if splat.change is not TitleChange.KNOWN]
    for (word, title), jobs in wording.together(((s.change.value, s.title), s.job) for s in changed):
        yield f"{word:10} splat: {title}  in {wording.some(jobs, 2)}"
    yield from (f"note: {note}" for note in comparison.notes)


def runs(nights: Iterable[Run], at_work: Collection[str]) -> Iterator[str]:
    """Yield a line for each run; of one that is at work it is not known what it comes to."""
    for run in nights:
        if run.id in at_work:
            verdict, missing = "at work", f", {len(run.missing)} jobs to come"
        else:
            verdict, missing = run.verdict.name, f", incomplete: {len(run.missing)} jobs did not run"
        yield f"{run.id}  {run.mode}  {verdict}  {run.seconds:.0f} s{missing if run.missing else ''}"


def points(history: Iterable[Point]) -> Iterator[str]:
    """Yield a line for each time that a test ran: all of its tries, and how long the last one took."""
    for point in history:
        tries = " ".join(status.value for status in point.test.tries)
        seconds = "" if point.test.seconds is None else f"  {point.test.seconds:.2f} s"
        accel = point.job.identity.accel if point.job.identity else "no guest"
        reason = f"  {plain.printable(point.test.reason)}" if point.test.reason else ""
        where = f"{point.run.id}  {point.job.name}  {accel}"
        yield f"{where}  {point.test.suite}/{point.test.name}  {tries}{seconds}{reason}"


def _worth_a_line(finding: Finding) -> bool:
    return finding.change is not Change.NEW or (finding.now is not None and finding.now.broken)


def _line(finding: Finding) -> str:
    step = f"{_word(finding.before)} → {_word(finding.now)}"
    rate = f"  ({_rate(finding.rate)})" if finding.change is Change.FLAKY else ""
    return f"{finding.id}  {step}{rate}"


def _word(status: Status | None) -> str:
    return status.value if status else "none"


def _rate(rate: Rate) -> str:
    return f"{rate.broken} of {rate.tries} tries broken, rate {rate.low:.0%} to {rate.high:.0%}"
