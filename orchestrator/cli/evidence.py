"""What is printed of a red test: what it is about, its reason, what it printed, and the console while it ran.

And of a guest that died or hung in no test: what it looked like.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model import Evidence, JobResult, RunResult
from orchestrator.verdict import charged

MOST_TESTS = 5
_PRINTED, _CONSOLE = 4, 8
"""Lines of its output, and of the console, that are shown of one test: the last ones."""


def lines(run: RunResult) -> Iterator[str]:
    """Yield the evidence for the tests that made a run red, at most ``MOST_TESTS``, and where the rest of it is.

    Then that of guests that died or hung in no test.
    """
    for shown in run.evidence[:MOST_TESTS]:
        yield f"{shown.job}: {shown.test}: {shown.status.value}{': ' if shown.reason else ''}{shown.reason}"
        yield from _details(shown)
    count = sum(1 for _ in charged.tests(run))
    if count > MOST_TESTS:
        yield f"and {count - MOST_TESTS} more: the page has them"
    for job in run.jobs:
        yield from _dead(job)


def _dead(job: JobResult) -> Iterator[str]:
    for stage in job.stages:
        for seen in job.outside_of_tests(stage):
            yield f"{job.name}: {stage.stage.value}: {seen.occasion}"
            yield from (f"    # {line}" for line in seen.lines)
            yield from (f"    {path}" for path in (seen.text, seen.dump))


def _details(shown: Evidence) -> Iterator[str]:
    if shown.sentence:
        yield f"    {shown.sentence}{f' ({shown.place})' if shown.place else ''}"
    if shown.base:
        yield f"    on base: {shown.base}"
    if shown.alone:
        yield f"    {shown.alone}"
    yield from (f"    {line}" for line in shown.printed[-_PRINTED:])
    yield from (f"    | {line}" for line in shown.console[-_CONSOLE:])
    yield from (f"    # {line}" for line in shown.kernel)
    if shown.postmortem:
        yield f"    {shown.postmortem}"
    if shown.console:
        yield f"    {shown.log}:{shown.first}"
