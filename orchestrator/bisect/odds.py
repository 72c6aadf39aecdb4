"""How many runs make a step good or bad, and how sure that is. Pure.

Two kinds of kernel are told apart by how often they show the symptom. What a bad kernel does is measured on the bad
end, what a good one does on the good end, and neither measurement is taken for more than it is: before it, half of all
bad kernels always show their symptom and half do so at any rate, all rates alike; half of all good kernels never show
it. The runs of a step are then weighed against both (Bayes, with even odds before the first run).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

MOST = 200
"""Runs of one step, at most."""


@dataclass(frozen=True)
class Count:
    """Runs that ``shown`` the symptom, and those that did not."""

    shown: int = 0
    clean: int = 0

    @property
    def runs(self) -> int:
        """All runs."""
        return self.shown + self.clean

    def __add__(self, other: Count) -> Count:
        return Count(self.shown + other.shown, self.clean + other.clean)


@dataclass(frozen=True)
class Odds:
    """What was measured on both ends. ``certain``: one run says all, as with a compiler."""

    bad: Count
    good: Count
    certain: bool = False

    def bad_given(self, seen: Count) -> float:
        """Return the probability that a kernel which showed this is bad.

        It never falls with more runs that show it: little-known ends would make of a kernel that shows a rare symptom
        every time neither the one nor the other. Nor does it rise with more clean runs: a bad end that shows a rare
        symptom is better known to be clean than a good end that was hardly run.
        """
        if self.certain:
            return 1.0 if seen.shown else 0.0
        likeliest, most = 0.0, 1 << seen.runs.bit_length()  # few lengths of rows, which are kept
        for shown in range(seen.shown, -1, -1):
            clean = seen.runs - shown
            if self.weighed(Count(shown, clean)) > likeliest:  # else neither is the least of its row
                likeliest = max(likeliest, _never_rising(self, shown, most)[clean])
        return likeliest

    def weighed(self, seen: Count) -> float:
        """Return the same by Bayes' rule alone, which can rise or fall with either kind of run."""
        as_bad = _after(seen.shown, seen.clean, self.bad.shown, self.bad.clean)
        as_good = _after(seen.clean, seen.shown, self.good.clean, self.good.shown)
        return math.exp(as_bad - _log_of_sum(as_bad, as_good))

    def needed(self, confidence: float) -> int | None:
        """Return how many clean runs make a step good with that confidence; None where ``MOST`` do not."""
        return next((n for n in range(1, MOST + 1) if 1 - self.bad_given(Count(0, n)) >= confidence), None)


@lru_cache(maxsize=4 * MOST)
def _never_rising(odds: Odds, shown: int, most: int) -> tuple[float, ...]:
    """Return, for each number of clean runs up to ``most``, the least that so many, or fewer, make of it."""
    return tuple(itertools.accumulate((odds.weighed(Count(shown, clean)) for clean in range(most + 1)), min))


def _after(same: int, other: int, known_same: int, known_other: int) -> float:
    """Return how likely a row of runs is, after a measurement of the same kind of kernel, as a logarithm.

    ``same`` are the runs that do what that kind of kernel is known for. (Of hundreds of runs the number is too small.)
    """
    always = 0.0 if known_other == 0 else -math.inf
    before = _log_of_sum(always, _log_beta(known_same, known_other))
    after = _log_of_sum(always if other == 0 else -math.inf, _log_beta(known_same + same, known_other + other))
    return after - before


def _log_beta(a: int, b: int) -> float:
    """Return how likely one row of ``a`` and ``b`` outcomes is where every rate is alike, as a logarithm."""
    return math.lgamma(a + 1) + math.lgamma(b + 1) - math.lgamma(a + b + 2)


def _log_of_sum(a: float, b: float) -> float:
    """Return the logarithm of the sum of two numbers, of which one is not 0, by theirs."""
    return max(a, b) + math.log1p(math.exp(min(a, b) - max(a, b)))


def per_step(confidence: float, commits: int) -> float:
    """Return what each step must be sure of, so that the whole path over that many commits is."""
    steps = max(1, math.ceil(math.log2(max(1, commits)))) + 1
    return float(confidence ** (1 / steps))
