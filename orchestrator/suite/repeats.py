"""Several runs of a program → one result a test, which says how many runs went which way. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from orchestrator.model import Status, TestResult
from orchestrator.parse.runs import WORDS
from orchestrator.verdict import outcome


def together(runs: Sequence[Sequence[TestResult]]) -> list[TestResult]:
    """Return one result for each test of these runs: the first that is worst, with how many of each there were."""
    runs = _with_cases(runs)
    names = dict.fromkeys(test.name for run in runs for test in run)
    return [_one([test for run in runs for test in run if test.name == name]) for name in names]


def _with_cases(runs: Sequence[Sequence[TestResult]]) -> Sequence[Sequence[TestResult]]:
    """Return these runs, of which one that skipped as a whole has skipped each case that the others have."""
    cases = dict.fromkeys(test.name for run in runs if not _is_skipped(run) for test in run)
    if not cases:
        return runs
    return [_with(cases, run) if _is_skipped(run) else run for run in runs]


def _with(cases: Collection[str], run: Sequence[TestResult]) -> list[TestResult]:
    """Return a skipped run with a skip for each of these cases; its only line, if it has one, stands for all."""
    named = {test.name: test for test in run}
    other = [test for test in run if len(run) > 1 and test.name not in cases]
    return [*(named.get(case, replace(run[0], name=case)) for case in cases), *other]


def _is_skipped(run: Sequence[TestResult]) -> bool:
    return bool(run) and all(test.status is Status.SKIP for test in run)


def _one(tests: Sequence[TestResult]) -> TestResult:
    counts = Counter(test.status for test in tests)
    status = outcome.worst(counts)
    worst = next(test for test in tests if test.status is status)
    if len(tests) == 1 or set(counts) == {Status.PASS}:
        return worst
    counted = tuple(f"{counts[status]} of {len(tests)} runs {word}" for status, word in WORDS.items() if counts[status])
    return replace(
        worst, reason=", ".join(filter(None, (worst.reason, *counted))), diagnostics=(*worst.diagnostics, *counted)
    )
