"""How the tests of one kernel are run to find one that notices what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from orchestrator.model.expectations import Expectations


@dataclass(frozen=True)
class Trial:
    """How tests are run to find one that notices: by rounds, up to the first test that shows something unexpected.

    ``rounds`` are globs over test ids, round by round; a test runs once, in the first round that names it, and those
    that ``late`` names run behind all others. ``limit`` is the watchdog of one test in seconds (scaled under TCG), of
    those in ``limits`` a shorter one; ``budget`` is what a test that works for a time gets, in seconds. What
    ``ignored`` tests (globs) show stops nothing; with ``every_test`` nothing does, so that all that notice are known,
    up to ``most`` of them: a kernel on which everything hangs is done with. ``expected`` is what the tests are measured
    by, by suite.
    """

    rounds: tuple[tuple[str, ...], ...]
    limit: float
    budget: float
    late: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    expected: Mapping[str, Expectations] = field(default_factory=dict)
    every_test: bool = False
    most: int | None = None
    limits: Mapping[str, float] = field(default_factory=dict)

    def only(self, globs: tuple[str, ...]) -> Trial:
        """Return the trial of these tests, which nothing ends."""
        return replace(self, rounds=(globs,), every_test=True, most=None)
