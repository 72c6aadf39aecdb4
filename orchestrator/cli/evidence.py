"""What is printed of a red test: what it is about, its reason, what it printed, and the console while it ran."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model import Evidence, RunResult
from orchestrator.verdict import charged

MOST_TESTS = 5
_PRINTED, _CONSOLE = 4, 8
"""Lines of its output, and of the console, that are shown of one test: the last ones."""


def lines(run: RunResult) -> Iterator[str]:
    """Yield the evidence for the tests that made a run red, at most ``MOST_TESTS``, and where the rest of it is."""
    for shown in run.evidence[:MOST_TESTS]:
        yield f"{shown.job}: {shown.test}: {shown.status.value}{': ' if shown.reason else ''}{shown.reason}"
        yield from _details(shown)
    count = sum(1 for _ in charged.tests(run))
    if count > MOST_TESTS:
        yield f"and {count - MOST_TESTS} more: the page has them"


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
