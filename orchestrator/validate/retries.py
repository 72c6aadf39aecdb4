"""Which tests of a pair should run again. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.model import SeriesResult, Transition, Verdict
from orchestrator.verdict import transitions


def differing(series: SeriesResult) -> Mapping[str, tuple[str, ...]]:
    """Return the tests, by suite, that are charged to the series, or credited to it without having been promised.

    A transition that the expectations name is no surprise, and runs no second time. One that differed, and of which the
    base then showed the same by chance, runs on until its tries are enough to decide; one of which the base has no
    result may have one now.
    """
    undecided = transitions.undecided(series.base, series.patched)
    return transitions.by_suite(
        change
        for change in series.transitions
        if change.verdict is Verdict.FAIL
        or change.note.startswith(transitions.NOT_KNOWN)
        or _unforeseen(change)
        or ((change.suite, change.test) in undecided and _is_judged(change))
    )


def _is_judged(change: Transition) -> bool:
    """Whether nothing is expected of the test, but that it is judged."""
    return change.expected_patched is None and change.note != transitions.NOT_JUDGED


def _unforeseen(change: Transition) -> bool:
    differs = change.base.word != change.patched.word
    return change.verdict is Verdict.PASS and differs and change.expected_patched is None
