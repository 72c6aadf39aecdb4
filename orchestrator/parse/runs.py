"""What a program says of the runs of one test in one guest: how many went which way. Pure."""

from __future__ import annotations

import re

from orchestrator.model import Status, TestResult

WORDS = {
    Status.SKIP: "skipped",
    Status.XFAIL: "failed as expected",
    Status.ERROR: "in error",
    Status.FAIL: "failed",
    Status.TIMEOUT: "timed out",
    Status.CRASHED: "crashed",
    Status.MISSING: "missing",
}
"""How repeated runs say what they came to, those of ``ktap.h`` as well: ``2 of 5 runs failed``."""

_STATUSES = {word: status for status, word in WORDS.items()}
_COUNT = re.compile(rf"(\d{{1,6}}) of (\d{{1,6}}) runs ({'|'.join(_STATUSES)})$")


def statuses(test: TestResult) -> tuple[Status, ...]:
    """Return what each run came to, those that passed last; nothing where the test does not say so."""
    matches = [match for line in test.diagnostics if (match := _COUNT.match(line))]
    counts = [(_STATUSES[match[3]], int(match[1])) for match in matches]
    totals = {int(match[2]) for match in matches}
    passed = max(totals, default=0) - sum(number for _, number in counts)
    if len(totals) != 1 or passed < 0:
        return ()
    return tuple(status for status, number in [*counts, (Status.PASS, passed)] for _ in range(number))
