"""Results → a summary in Markdown that a reviewer reads in ten seconds: the verdict, what changed, what is wrong."""

from __future__ import annotations

import itertools
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence

from orchestrator import plain
from orchestrator.model import CheckResult, JobResult, RunResult, SeriesResult, Splat, Transition, Verdict, rundir
from orchestrator.verdict import outcome

MOST_ROWS = 60
"""Rows of a table; the rest is counted."""
MOST_FINDINGS = 20
"""Findings of one check; the rest is in its log."""

_MARKS = {Verdict.PASS: "✅", Verdict.FAIL: "❌", Verdict.SKIP: "➖", Verdict.INFRA: "⚠️"}
_ORDER = (Verdict.FAIL, Verdict.INFRA, Verdict.PASS, Verdict.SKIP)


def render(run: RunResult) -> str:
    """Return the summary of a run."""
    lines = [f"# {_MARKS[run.verdict]} {run.verdict.name}: run {run.run}", ""]
    lines.append(f"Mode `{run.mode}`, {run.seconds:.0f} s, exit code {run.exit_code}, started {run.started}.")
    lines += [f"- {_cell(note)}" for note in run.notes]
    lines += _checks(run.checks)
    for series in run.series:
        lines += ["", *_series(series)]
    for job in run.single_jobs:
        lines += ["", *_alone(job)]
    return "\n".join(lines) + "\n"


def _checks(checks: Sequence[CheckResult]) -> Iterator[str]:
    """Show the checks as one table: a row for those of one name that are green, a row for each of the others."""
    if checks:
        yield from ("", "| | check | result |", "|---|---|---|")
    for name in dict.fromkeys(check.name for check in checks):
        alike = [check for check in checks if check.name == name]
        rows = alike if len(alike) == 1 else [check for check in alike if check.verdict is not Verdict.PASS]
        if green := len(alike) - len(rows):
            yield f"| {_MARKS[Verdict.PASS]} | {_code(name)} | {green} of {len(alike)}{_found(alike)} |"
        for check in rows[:MOST_ROWS]:
            yield f"| {_MARKS[check.verdict]} | {_code(name)} | {_cell(check.subject)}: {_cell(check.message)} |"
    yield from _findings([check for check in checks if check.verdict is Verdict.FAIL and check.details])


def _found(alike: Sequence[CheckResult]) -> str:
    """Say how many green ones have something to tell all the same."""
    telling = sum(check.verdict is Verdict.PASS and bool(check.details) for check in alike)
    return f" ({telling} with remarks)" if telling else ""


def _findings(failed: Sequence[CheckResult]) -> Iterator[str]:
    for check in failed:
        yield from ("", f"### {check.name}: {_cell(check.subject)}", "")
        yield from (f"    {line}" for line in map(_flat, check.details[:MOST_FINDINGS]))
        if len(check.details) > MOST_FINDINGS:
            yield from ("", f"… and {len(check.details) - MOST_FINDINGS} more in `{check.log}`.")


def _series(series: SeriesResult) -> Iterator[str]:
    yield f"## {_MARKS[series.verdict]} {series.series} on {series.tree}, variant {series.variant}"
    yield ""
    yield f"**{series.verdict.name}**: {_cell(series.reason)}"
    yield ""
    counts = _counts(series.transitions)
    if not counts.endswith(f": {series.reason}"):
        yield from (counts, "")
    yield from _kernels((series.base, series.patched))
    yield from _changes(series.transitions)
    yield from _splats("New splats", series.new_splats)
    if series.new_warnings:
        yield from ("", "### New compiler warnings", "")
        yield from (f"- {_code(w.where)} {_cell(w.text)}" for w in series.new_warnings[:MOST_ROWS])
    yield from _failed((series.base, series.patched))
    yield from _reproduce(series)


def _alone(job: JobResult) -> Iterator[str]:
    yield f"## {_MARKS[job.verdict]} {job.name}"
    yield ""
    yield f"**{job.verdict.name}**: {_cell(job.reason)}"
    yield ""
    yield from _kernels((job,))
    broken = [(run.suite, test) for run in job.suites for test in run.tests if test.status.broken]
    if broken:
        yield from ("", "| test | status | reason |", "|---|---|---|")
        yield from (f"| {_code(t.name)} | {t.status.value} | {_cell(t.reason)} |" for _, t in broken[:MOST_ROWS])
        yield from _more(broken)
    yield from _splats("Splats", [splat for splat in job.splats if splat.allowed_by is None])
    yield from _failed((job,))


def _counts(changes: Sequence[Transition]) -> str:
    words = Counter(change.words for change in changes)
    return f"{len(changes)} tests: " + (", ".join(f"{n} {word}" for word, n in sorted(words.items())) or "none ran")


def _kernels(jobs: Sequence[JobResult]) -> Iterator[str]:
    for job in jobs:
        counts = outcome.counts(test.status for run in job.suites for test in run.tests) or "no test ran"
        where = f" ({job.identity.accel}, `-cpu {job.identity.cpu}`)" if job.identity else ""
        yield f"- {job.side.value}: {counts}{where}"


def _changes(changes: Sequence[Transition]) -> Iterator[str]:
    """Show what a reviewer looks for: charged first, then what changed, then the rest that does not simply work."""
    shown = sorted((c for c in changes if _interesting(c)), key=_rank)
    rows = list(_alike(shown))
    if rows:
        yield from ("", "| | test | base → patched | transition | note |", "|---|---|---|---|---|")
        yield from (_row(row) for row in rows[:MOST_ROWS])
        yield from _more(rows)
    if quiet := len(changes) - len(shown):
        yield from ("", f"{quiet} more tests are the same on both, and fine.")


def _interesting(change: Transition) -> bool:
    return change.verdict is not Verdict.PASS or change.words != "works→works" or bool(change.note)


def _rank(change: Transition) -> tuple[int, bool, str, str]:
    return _ORDER.index(change.verdict), change.base.word == change.patched.word, change.suite, change.test


def _alike(changes: Sequence[Transition]) -> Iterator[list[Transition]]:
    """Gather what one test shows alike on several backings: ``Z07_x.memfd``, ``Z07_x.tmpfs``."""
    for _, group in itertools.groupby(changes, lambda c: (c.suite, _stem(c), c.base, c.patched, c.verdict, c.note)):
        yield list(group)


def _stem(change: Transition) -> str:
    return change.test.partition(".")[0]


def _row(alike: Sequence[Transition]) -> str:
    change = alike[0]
    name = _code(change.test) if len(alike) == 1 else f"{_code(_stem(change))} ×{len(alike)}"
    statuses = f"{change.base.value} → {change.patched.value}"
    mark = _MARKS[change.verdict]
    return f"| {mark} | {name} | {statuses} | {change.words} | {_cell(change.note)} |"


def _splats(heading: str, splats: Sequence[Splat]) -> Iterator[str]:
    titles = Counter(splat.title for splat in splats)
    if titles:
        yield from ("", f"### {heading}", "")
    for title, count in list(titles.items())[:MOST_ROWS]:
        first = next(splat for splat in splats if splat.title == title)
        times = f", {count} times" if count > 1 else ""
        yield f"- **{_cell(title)}** during {_code(first.test) if first.test else 'no test'}{times}"
        yield ""
        yield from (f"      {line}" for line in plain.printable(first.text).splitlines()[:25])
        yield ""


def _failed(jobs: Sequence[JobResult]) -> Iterator[str]:
    failed = [(job, stage) for job in jobs for stage in job.stages if stage.verdict is not Verdict.PASS]
    if failed:
        yield from ("", "### Stages that failed", "")
    for job, stage in failed:
        log = f" (log: `{stage.log}`)" if stage.log else ""
        yield f"- {job.side.value} {stage.stage.value}: {_cell(stage.message)}{log}"


def _reproduce(series: SeriesResult) -> Iterator[str]:
    red = next((c.test for c in sorted(series.transitions, key=_rank) if c.verdict is Verdict.FAIL), None)
    if series.patched.identity and red:
        script = shlex.quote(str(series.patched.directory / rundir.REPRODUCE))
        yield from ("", "### Reproduce", "", f"    {script} {shlex.quote(red)}")


def _more(rows: Sequence[object]) -> Iterator[str]:
    if len(rows) > MOST_ROWS:
        yield from ("", f"… and {len(rows) - MOST_ROWS} more.")


def _flat(text: str) -> str:
    return " ".join(plain.printable(text).split())


def _cell(text: str) -> str:
    """Return text that stays on one line, in one cell, and is no markup."""
    return re.sub(r"([\\`|*<>\[\]])", r"\\\1", _flat(text))


def _code(text: str) -> str:
    """Return a name as code; a bar would end the cell even there."""
    return "`" + _flat(text).replace("`", "'").replace("|", "\\|") + "`"
