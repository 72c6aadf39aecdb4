"""What a red test shows: its reason, what it printed, and the console while it ran. Read from the folder of the job."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.guest import console, protocol
from orchestrator.guest.protocol import Windows
from orchestrator.model import JobResult, RunResult, rundir
from orchestrator.parse import window
from orchestrator.verdict import charged

MOST_TESTS = 5
_PRINTED, _CONSOLE = 4, 8
"""Lines of its output, and of the console, that are shown of one test: the last ones, which say how it ended."""


def lines(run: RunResult) -> Iterator[str]:
    """Yield the evidence for the tests that made a run red, at most ``MOST_TESTS``, and where the rest of it is."""
    red = list(charged.tests(run))
    for job, test in red[:MOST_TESTS]:
        yield f"{job.name}: {test.name}: {test.status.value}{': ' if test.reason else ''}{test.reason}"
        printed = [line for line in test.diagnostics if line.strip() and line not in test.reason]
        yield from (f"    {line}" for line in printed[-_PRINTED:])
        yield from _console(job, test.name)
    if len(red) > MOST_TESTS:
        yield f"and {len(red) - MOST_TESTS} more: the page has them"


def _console(job: JobResult, test: str) -> Iterator[str]:
    """Yield what the kernel said while a test ran, where it said anything, and where that stands."""
    for path in rundir.consoles(job.directory):
        seen = window.of(console.text(path), test, Windows(protocol.rows(path)))
        if seen and seen.lines:
            yield from (f"    | {line}" for line in seen.lines[-_CONSOLE:])
            yield f"    {path}:{seen.first}"
            return
