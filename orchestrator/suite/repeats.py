"""Several runs of a program → one result a test, which says how many runs went which way. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.model import Status, TestResult

WORDS = {
    Status.SKIP: "skipped",
    Status.ERROR: "in error",
    Status.FAIL: "failed",
    Status.TIMEOUT: "timed out",
    Status.CRASHED: "crashed",
    Status.MISSING: "missing",
}
"""How ``ktap.h`` says of repeated runs what they came to: ``2 of 5 runs failed``."""


def together(runs: Sequence[Sequence[TestResult]]) -> list[TestResult]:
    """Return one result for each test of these runs: the first that is worst, with how many of each there were."""
    names = dict.fromkeys(test.name for run in runs for test in run)
    return [_one([test for run in runs for test in run if test.name == name]) for name in names]


def _one(tests: Sequence[TestResult]) -> TestResult:
    worst = next((t for t in tests if t.status.broken), next((t for t in tests if t.status is Status.SKIP), tests[0]))
    counts = Counter(test.status for test in tests)
    if len(tests) == 1 or set(counts) == {Status.PASS}:
        return worst
    counted = tuple(f"{counts[status]} of {len(tests)} runs {word}" for status, word in WORDS.items() if counts[status])
    return replace(
        worst, reason=", ".join(filter(None, (worst.reason, *counted))), diagnostics=(*worst.diagnostics, *counted)
    )
