"""Which tests of a pair should run again. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.model import SeriesResult, Transition, Verdict


def differing(series: SeriesResult) -> Mapping[str, tuple[str, ...]]:
    """Return the tests, by suite, that are charged to the series, or credited to it without having been promised.

    A transition that the expectations name is no surprise, and runs no second time.
    """
    tests: dict[str, tuple[str, ...]] = {}
    for change in series.transitions:
        if change.verdict is Verdict.FAIL or _unforeseen(change):
            tests[change.suite] = (*tests.get(change.suite, ()), change.test)
    return tests


def _unforeseen(change: Transition) -> bool:
    differs = change.base.word != change.patched.word
    return change.verdict is Verdict.PASS and differs and change.expected_patched is None
