"""What a red test shows: its reason, what it printed, and the console while it ran. Read from the folder of the job."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.guest import console, protocol
from orchestrator.guest.protocol import Windows
from orchestrator.model import JobResult, RunResult, TestResult, Verdict, rundir
from orchestrator.parse import window

MOST_TESTS = 5
_PRINTED, _CONSOLE = 4, 8
"""Lines of its output, and of the console, that are shown of one test: the last ones, which say how it ended."""


def lines(run: RunResult) -> Iterator[str]:
    """Yield the evidence for the tests that made a run red, at most ``MOST_TESTS``, and where the rest of it is."""
    red = list(_red(run))
    for job, test in red[:MOST_TESTS]:
        yield f"{job.name}: {test.name}: {test.status.value}{': ' if test.reason else ''}{test.reason}"
        printed = [line for line in test.diagnostics if line.strip() and line not in test.reason]
        yield from (f"    {line}" for line in printed[-_PRINTED:])
        yield from _console(job, test.name)
    if len(red) > MOST_TESTS:
        yield f"and {len(red) - MOST_TESTS} more: the page has them"


def _red(run: RunResult) -> Iterator[tuple[JobResult, TestResult]]:
    """Yield what is charged: to the series, or of a job that stands alone every broken test."""
    for series in run.series:
        charged = {(t.suite, t.test) for t in series.transitions if t.verdict is Verdict.FAIL}
        yield from _tests(series.patched, charged)
    for job in run.single_jobs:
        broken = {(suite.suite, test.name) for suite in job.suites for test in suite.tests if test.status.broken}
        yield from _tests(job, broken if job.verdict is Verdict.FAIL else set())


def _tests(job: JobResult, wanted: set[tuple[str, str]]) -> Iterator[tuple[JobResult, TestResult]]:
    for suite in job.suites:
        yield from ((job, test) for test in suite.tests if (suite.suite, test.name) in wanted)


def _console(job: JobResult, test: str) -> Iterator[str]:
    """Yield what the kernel said while a test ran, where it said anything, and where that stands."""
    for path in rundir.consoles(job.directory):
        seen = window.of(console.text(path), test, Windows(protocol.rows(path)))
        if seen and seen.lines:
            yield from (f"    | {line}" for line in seen.lines[-_CONSOLE:])
            yield f"    {path}:{seen.first}"
            return
