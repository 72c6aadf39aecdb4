"""Is it the mutant that a test notices? The test runs again, at the same time on the mutant and on the whole series.

Both in a fresh clone, so that the one has the load of the other: what fails of a busy host fails on both, or not twice.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from orchestrator.errors import KernelError
from orchestrator.host import pool
from orchestrator.model import Bootable, Status, TestResult
from orchestrator.pipeline import alone, booting
from orchestrator.pipeline.job_record import JobRecord

FOLDER = "confirm"
"""The folder of a job in which these clones are: their consoles are not those by which it is judged."""

_VALUE = re.compile(r"0x[0-9a-f]+|\d+")


@dataclass
class Bench:
    """A kernel of which clones run single tests, one thread at a time."""

    record: JobRecord
    bootable: Bootable
    clones: booting.Clones = field(init=False)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.clones = booting.Clones(self.record, self.bootable)

    def run(self, suite: str, test: TestResult) -> TestResult | None:
        """Run a test in a clone of its own; None where it did not come to run. Raises InfraError."""
        folder = f"{FOLDER}/{next(self._numbers)}"
        config = dict(self.record.job.suites)[suite]
        try:
            place = alone.Place(self.record, self.bootable, self.clones, folder)
            return alone.once(place, alone.Case(suite, test, ()), config)
        except KernelError:  # it does not come up: that is another fault than the test's
            return None


@dataclass(frozen=True)
class Benches:
    """Both kernels; ``differs`` says whether a test of a suite shows something else than is expected of the series."""

    mutant: Bench
    whole: Bench
    differs: Callable[[str, TestResult], bool]


def holds(suite: str, first: TestResult, benches: Benches) -> bool:
    """Whether a test fails on a mutant as it did, and meanwhile not on the whole series. Raises InfraError."""
    again, meanwhile = pool.each(lambda bench: bench.run(suite, first), (benches.mutant, benches.whole), 2)
    if again is None or meanwhile is None:
        return False
    return alike(first, again) and not benches.differs(suite, meanwhile)


def alike(first: TestResult, again: TestResult) -> bool:
    """Whether two results are the same but for the numbers in their reason, which only a failed assertion has. Pure."""
    if first.status is not again.status or first.status is not Status.FAIL:
        return first.status is again.status
    return _VALUE.sub("N", _last(first.reason)) == _VALUE.sub("N", _last(again.reason))


def _last(reason: str) -> str:
    """Return a reason without that of an earlier try (``verdict.outcome.merged``)."""
    return reason.partition("; before, ")[0]


def sifted(suites: Sequence[tuple[str, TestResult]], benches: Benches, *, every: bool) -> tuple[str, ...]:
    """Return which of these tests do not hold; those behind the first that holds are believed, but for ``every``."""
    doubtful = []
    for suite, test in suites:
        if not holds(suite, test, benches):
            doubtful.append(test.name)
        elif not every:
            break
    return tuple(doubtful)
