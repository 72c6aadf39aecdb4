"""Which tests of a pair should run again. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.model import SeriesResult, Transition, Verdict
from orchestrator.verdict import transitions


def differing(series: SeriesResult) -> Mapping[str, tuple[str, ...]]:
    """Return the tests, by suite, that are charged to the series, or credited to it without having been promised.

    A transition that the expectations name is no surprise, and runs no second time.
    """
    return transitions.by_suite(c for c in series.transitions if c.verdict is Verdict.FAIL or _unforeseen(c))


def _unforeseen(change: Transition) -> bool:
    differs = change.base.word != change.patched.word
    return change.verdict is Verdict.PASS and differs and change.expected_patched is None
