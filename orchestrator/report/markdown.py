"""Results → a summary in Markdown that a reviewer reads in ten seconds: the verdict, what changed, what is wrong."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from orchestrator.model import (
    CheckResult,
    Evidence,
    JobResult,
    RunResult,
    SeriesResult,
    Splat,
    StageResult,
    Transition,
    Verdict,
    rundir,
)
from orchestrator.report import groups, tested
from orchestrator.report import markup as md
from orchestrator.report.markup import Markdown
from orchestrator.text import plain
from orchestrator.verdict import outcome, transitions

MOST_ROWS = 60
"""Rows of a table; the rest is counted."""
MOST_FINDINGS = 20
"""Findings of one check; the rest is in its log."""

_MARKS = {Verdict.PASS: "✅", Verdict.FAIL: "❌", Verdict.SKIP: "➖", Verdict.INFRA: "⚠️"}


def render(run: RunResult) -> str:
    """Return the summary of a run."""
    return md.document(_run(run))


def _run(run: RunResult) -> Iterator[Markdown]:
    yield md.line("# {} {}: run {}", _MARKS[run.verdict], run.verdict.name, run.run)
    yield md.BLANK
    took, mode = f"{run.seconds:.0f}", md.code(run.mode)
    yield md.line("Mode {}, {} s, exit code {}, started {}.", mode, took, run.exit_code, run.started)
    yield md.BLANK
    yield from _tested(run)
    yield from (md.line("- {}", note) for note in run.notes)
    yield from _evidence(run.evidence)
    yield from _checks(run.checks)
    for series in run.series:
        yield md.BLANK
        yield from _series(series)
    for job in run.single_jobs:
        yield md.BLANK
        yield from _alone(job)


def _tested(run: RunResult) -> Iterator[Markdown]:
    """Say what was tested: each thing a bullet, with the patches by subject below theirs."""
    for fact in tested.facts(run):
        yield md.line("- {}: {}", fact.what, fact.text)
        yield from (md.line("  - {}", line) for line in fact.more[:MOST_ROWS])
        if len(fact.more) > MOST_ROWS:
            yield md.line("  - … and {} more", len(fact.more) - MOST_ROWS)


def _evidence(red: Sequence[Evidence]) -> Iterator[Markdown]:
    """Show why each red test is red."""
    if red:
        yield from (md.BLANK, md.line("## Red tests"))
    for one in red[:MOST_FINDINGS]:
        yield from (md.BLANK, md.line("### {}: {}", md.code(one.test), one.status.value), md.BLANK)
        if one.sentence:
            place = f"({one.place})" if one.place else ""
            yield from (md.line("{} {}", one.sentence, place), md.BLANK)
        shown = [
            one.reason,
            *one.printed,
            *(f"| {line}" for line in one.console),
            *(f"# {line}" for line in one.kernel),
        ]
        yield from md.block(line for line in shown if line)
        if one.alone:
            yield from (md.BLANK, md.line("It is {}.", one.alone))
        base = md.line(", on base: {}", one.base) if one.base else md.BLANK
        where = md.line(", console {}", md.code(f"{one.log}:{one.first}")) if one.log else md.BLANK
        yield from (md.BLANK, md.line("In {}{}{}.", md.code(one.job), base, where))
    if len(red) > MOST_FINDINGS:
        yield from (md.BLANK, md.line("… and {} more in the page.", len(red) - MOST_FINDINGS))


def _checks(checks: Sequence[CheckResult]) -> Iterator[Markdown]:
    """Show the checks as one table: a row for those of one name that are green, a row for each of the others."""
    if checks:
        yield from (md.BLANK, md.line("| | check | result |"), md.line("|---|---|---|"))
    for name in dict.fromkeys(check.name for check in checks):
        alike = [check for check in checks if check.name == name]
        rows = alike if len(alike) == 1 else [check for check in alike if check.verdict is not Verdict.PASS]
        if green := len(alike) - len(rows):
            counts = f"{green} of {len(alike)}{_remarks(alike)}"
            yield md.line("| {} | {} | {} |", _MARKS[Verdict.PASS], md.code(name), counts)
        for check in rows[:MOST_ROWS]:
            mark = _MARKS[check.verdict]
            yield md.line("| {} | {} | {}: {} |", mark, md.code(name), check.subject, check.message)
    yield from _findings([check for check in checks if check.verdict is Verdict.FAIL and check.details])


def _remarks(alike: Sequence[CheckResult]) -> str:
    """Say how many green ones have something to tell all the same."""
    telling = sum(check.verdict is Verdict.PASS and bool(check.details) for check in alike)
    return f" ({telling} with remarks)" if telling else ""


def _findings(failed: Sequence[CheckResult]) -> Iterator[Markdown]:
    for check in failed:
        yield from (md.BLANK, md.line("### {}: {}", check.name, check.subject), md.BLANK)
        yield from md.block(" ".join(detail.split()) for detail in check.details[:MOST_FINDINGS])
        if len(check.details) > MOST_FINDINGS:
            rest = len(check.details) - MOST_FINDINGS
            yield from (md.BLANK, md.line("… and {} more in {}.", rest, md.code(str(check.log))))


def _series(series: SeriesResult) -> Iterator[Markdown]:
    mark = _MARKS[series.verdict]
    yield md.line("## {} {} on {}, variant {}", mark, series.series, series.tree, series.variant)
    yield md.BLANK
    yield md.line("**{}**: {}", series.verdict.name, series.reason)
    yield md.BLANK
    counts = _counts(series.transitions)
    if not counts.endswith(f": {series.reason}"):
        yield from (md.line("{}", counts), md.BLANK)
    yield from _kernels((series.base, series.patched))
    yield from _changes(series.transitions)
    yield from _splats("New splats", series.new_splats)
    if series.new_warnings:
        yield from (md.BLANK, md.line("### New compiler warnings"), md.BLANK)
        yield from (md.line("- {} {}", md.code(w.where), w.text) for w in series.new_warnings[:MOST_ROWS])
    yield from _failed((series.base, series.patched))
    yield from _coverage(series.patched)
    yield from _reproduce(series)


def _alone(job: JobResult) -> Iterator[Markdown]:
    yield md.line("## {} {}", _MARKS[job.verdict], job.name)
    yield md.BLANK
    yield md.line("**{}**: {}", job.verdict.name, job.reason)
    yield md.BLANK
    yield from _kernels((job,))
    broken = [(run.suite, test) for run in job.suites for test in run.tests if test.status.broken]
    red = [test for suite, test in broken if not job.as_expected(suite, test.name)]
    if red:
        yield from (md.BLANK, md.line("| test | status | reason |"), md.line("|---|---|---|"))
        yield from (
            md.line("| {} | {} | {} |", md.code(test.name), test.status.value, test.reason) for test in red[:MOST_ROWS]
        )
        yield from _more(red)
    if quiet := len(broken) - len(red):
        yield from (md.BLANK, md.line("{} more tests are broken, as expected.", quiet))
    yield from _splats("Splats", [splat for splat in job.splats if splat.allowed_by is None])
    yield from _failed((job,))


def _counts(changes: Sequence[Transition]) -> str:
    return f"{len(changes)} tests: {transitions.counts(changes) or 'none ran'}"


def _kernels(jobs: Sequence[JobResult]) -> Iterator[Markdown]:
    for job in jobs:
        counts = outcome.counts(test.status for run in job.suites for test in run.tests) or "no test ran"
        if job.identity:
            cpu = md.code(f"-cpu {job.identity.cpu}")
            yield md.line("- {}: {} ({}, {})", job.side.value, counts, job.identity.accel, cpu)
        else:
            yield md.line("- {}: {}", job.side.value, counts)


def _changes(changes: Sequence[Transition]) -> Iterator[Markdown]:
    rows = groups.changed(changes)
    if rows:
        head = md.line("| | test | base → patched | transition | note |")
        yield from (md.BLANK, head, md.line("|---|---|---|---|---|"))
        yield from (_row(row) for row in rows[:MOST_ROWS])
        yield from _more(rows)
    if quiet := len(changes) - sum(map(len, rows)):
        yield from (md.BLANK, md.line("{} more tests are the same on both, and fine.", quiet))


def _row(alike: Sequence[Transition]) -> Markdown:
    change = alike[0]
    name = md.code(change.test) if len(alike) == 1 else md.line("{} ×{}", md.code(groups.stem(change)), len(alike))
    statuses = f"{change.base.value} → {change.patched.value}"
    return md.line("| {} | {} | {} | {} | {} |", _MARKS[change.verdict], name, statuses, change.words, change.note)


def _splats(heading: str, splats: Sequence[Splat]) -> Iterator[Markdown]:
    titles = groups.by_title(splats)
    if titles:
        yield from (md.BLANK, md.line("### {}", heading), md.BLANK)
    for title, alike in list(titles.items())[:MOST_ROWS]:
        first = alike[0]
        during = md.code(first.test) if first.test else "no test"
        times = md.line(", {} times", len(alike)) if len(alike) > 1 else md.BLANK
        yield md.line("- **{}** during {}{}", title, during, times)
        yield md.BLANK
        yield from md.block(plain.printable(first.text).splitlines()[:25], indent=6)
        yield md.BLANK


def _failed(jobs: Sequence[JobResult]) -> Iterator[Markdown]:
    stages = [(job, stage) for job in jobs for stage in job.stages]
    failed = [(job, stage) for job, stage in stages if stage.verdict is not Verdict.PASS]
    dead = [(job, stage) for job, stage in stages if (job, stage) not in failed and job.outside_of_tests(stage)]
    for heading, shown in (("Stages that failed", failed), ("Guests that died or hung in no test", dead)):
        if shown:
            yield from (md.BLANK, md.line("### {}", heading), md.BLANK)
        for job, stage in shown:
            yield from _stage(job, stage)


def _stage(job: JobResult, stage: StageResult) -> Iterator[Markdown]:
    """Show a stage, and what the guests looked like that died or hung in it before a test ran, or between tests."""
    log = md.line(" (log: {})", md.code(str(stage.log))) if stage.log else md.BLANK
    yield md.line("- {} {}: {}{}", job.side.value, stage.stage.value, stage.message, log)
    for seen in job.outside_of_tests(stage):
        yield from (md.BLANK, *md.block(seen.shown, indent=6), md.BLANK)


def _coverage(job: JobResult) -> Iterator[Markdown]:
    """Show which changed lines did not run."""
    if (coverage := job.coverage) is None:
        yield from ((md.BLANK, md.line("{}", job.coverage_words)) if job.coverage_words else ())
        return
    yield from (md.BLANK, md.line("### Changed lines that ran"), md.BLANK)
    outside = f"; {coverage.outside} of them in no test" if coverage.outside else ""
    page = md.code(str(job.directory / rundir.COVERAGE_PAGE))
    which = "Which lines" if coverage.by_guest else "Which tests ran which"
    yield md.line("{}{}. {}: {}.", job.coverage_words, outside, which, page)
    if coverage.missed:
        yield from (md.BLANK, md.line("Did not run:"), md.BLANK)
        yield from md.block(coverage.missed[:MOST_ROWS])
        yield from _more(coverage.missed)


def _reproduce(series: SeriesResult) -> Iterator[Markdown]:
    red = next((c.test for c in sorted(series.transitions, key=groups.rank) if c.verdict is Verdict.FAIL), None)
    if series.patched.identity and red:
        script = shlex.quote(str(series.patched.directory / rundir.REPRODUCE))
        yield from (md.BLANK, md.line("### Reproduce"), md.BLANK, *md.block([f"{script} {shlex.quote(red)}"]))


def _more(rows: Sequence[object]) -> Iterator[Markdown]:
    if len(rows) > MOST_ROWS:
        yield from (md.BLANK, md.line("… and {} more.", len(rows) - MOST_ROWS))
